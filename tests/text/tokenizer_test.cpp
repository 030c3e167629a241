#include "suiren/text/tokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "suiren/base/digest.h"
#include "suiren/base/error.h"
#include "suiren/base/file.h"
#include "suiren/base/philox.h"
#include "suiren/text/bpe.h"
#include "suiren/text/bpe_trainer.h"
#include "suiren/text/byte_level.h"

namespace suiren::text {
namespace {

using Json = nlohmann::json;
using Ids = std::vector<uint32_t>;

const std::string kFile = "tests/golden/text/hf_tokenizer.json";

Tokenizer golden() { return Tokenizer::load(kFile); }

/// The message of the Error that f throws; "" when it throws none.
template <class F>
std::string message_of(F&& f, ErrorCode code = ErrorCode::kInvalid) {
  try {
    f();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), code) << e.what();
    return e.what();
  }
  return "";
}

TEST(Tokenizer, SpecialsThenBytesInTheOrderOfGpt2) {
  BpeTrainer trainer({.vocab_size = 258, .specials = {"<s>", "</s>"}});
  const Tokenizer t = trainer.train();
  EXPECT_EQ(t.vocab_size(), 258);
  EXPECT_EQ(t.id_of("<s>"), 0u);
  EXPECT_EQ(t.id_of("</s>"), 1u);
  EXPECT_TRUE(t.is_special(0) && t.is_special(1) && !t.is_special(2) && !t.is_special(1000));
  EXPECT_EQ(t.bytes_of(2), "!");                         // U+0021, the first of the printable ones
  EXPECT_EQ(t.bytes_of(2 + 0x7E - 0x21 + 1), "\xA1");    // then U+00A1
  EXPECT_EQ(t.bytes_of(2 + 188), std::string(1, '\0'));  // the first byte without a character of its own
  EXPECT_EQ(t.bytes_of(2 + 188 + 32), " ");
  EXPECT_EQ(t.bytes_of(257), "\xAD");
  EXPECT_EQ(t.id_of("no such token"), std::nullopt);
}

TEST(Tokenizer, DecodeGivesTheBytesBack) {
  const std::string kMixed =
      "\xE4\xB8\xAD"
      "a 1\n'\xC3\xA9s.";
  for (const char* pattern : {"gpt2", "cl100k", "qwen2", "o200k", "\\w+|\\s"}) {
    BpeTrainer trainer({.vocab_size = 300, .pattern = pattern});
    trainer.add_document(read_file("tests/golden/text/corpus.txt"));
    const Tokenizer t = trainer.train();
    for (uint64_t seed = 0; seed < 60; ++seed) {
      std::string bytes;  // any bytes, and bytes of which many are UTF-8
      const auto size = static_cast<uint64_t>(philox_uniform(1, seed, 0) * 300);
      for (uint64_t i = 1; i <= size; ++i) {
        const uint32_t r = philox(2, seed, i)[0];
        bytes += seed % 2 ? static_cast<char>(r) : kMixed[r % kMixed.size()];
      }
      EXPECT_EQ(t.decode(t.encode(bytes)), bytes) << pattern << " seed " << seed;
      EXPECT_EQ(t.decode(t.encode(bytes, false)), bytes);
    }
  }
}

TEST(Tokenizer, SpecialsAsIdsOrAsText) {
  const Tokenizer t = golden();
  const std::string text = "a<|endoftext|>b";
  EXPECT_EQ(t.encode(text), (Ids{*t.id_of("a"), 0, *t.id_of("b")}));
  const Ids plain = t.encode(text, false);
  EXPECT_EQ(std::count(plain.begin(), plain.end(), 0u), 0);
  EXPECT_EQ(t.decode(plain), text);
  EXPECT_EQ(t.decode(t.encode(text)), text);
  EXPECT_EQ(t.decode(t.encode(text), true), "ab");
}

TEST(Tokenizer, OneCharacterRepeatedTakesLinearWork) {
  // Rules that double: a a -> aa, aa aa -> a^4, ... Each entry of the queue is popped once, and a merge adds
  // two.
  std::array<uint32_t, 256> bytes;
  for (uint32_t i = 0; i < 256; ++i) bytes[i] = i;
  std::vector<MergeRule> rules{{'a', 'a', 256}};
  for (uint32_t i = 0; i < 7; ++i) rules.push_back({256 + i, 256 + i, 257 + i});
  const Bpe bpe(bytes, rules);
  for (const size_t n : {100u, 1000u, 1000000u}) {
    Bpe::Scratch scratch;
    Ids ids;
    bpe.encode(std::string(n, 'a'), ids, scratch);
    EXPECT_LE(scratch.heap_pops, 4 * n);
    Ids expected(n / 256, 263);
    for (uint32_t i = 7; i-- > 0;)
      if (n >> (i + 1) & 1) expected.push_back(256 + i);
    if (n & 1) expected.push_back('a');
    EXPECT_EQ(ids, expected);
  }
}

TEST(Tokenizer, LongAndShortPiecesFollowTheSameRules) {
  // A piece just above and below the border between the two methods, against the definition taken literally.
  std::array<uint32_t, 256> bytes;
  for (uint32_t i = 0; i < 256; ++i) bytes[i] = i;
  const std::vector<MergeRule> rules{{'b', 'a', 256}, {'a', 'b', 257}, {256, 'a', 258}, {257, 257, 259},
                                     {'a', 'a', 260}, {256, 256, 261}, {258, 'b', 262}, {261, 'a', 263}};
  const Bpe bpe(bytes, rules);
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const size_t size = Bpe::kShort - 20 + seed % 60;
    std::string piece;
    for (size_t i = 0; i < size; ++i) piece += "aab"[philox(3, seed, i)[0] % 3];
    Ids expected(piece.begin(), piece.end());
    while (true) {
      size_t best = rules.size(), at = 0;
      for (size_t i = 0; i + 1 < expected.size(); ++i)
        for (size_t r = 0; r < best; ++r)
          if (rules[r].left == expected[i] && rules[r].right == expected[i + 1]) best = r, at = i;
      if (best == rules.size()) break;
      expected[at] = rules[best].result;
      expected.erase(expected.begin() + static_cast<int64_t>(at) + 1);
    }
    Bpe::Scratch scratch;
    Ids ids;
    bpe.encode(piece, ids, scratch);
    EXPECT_EQ(ids, expected) << piece;
  }
}

TEST(Tokenizer, ThreadsShareOne) {
  const Tokenizer t = golden();
  const std::string text = read_file("tests/golden/text/corpus.txt");
  const Ids expected = t.encode(text);
  std::vector<Ids> found(4);
  std::vector<std::thread> threads;
  for (auto& f : found)
    threads.emplace_back([&] {
      for (int i = 0; i < 5; ++i) f = t.encode(text);
    });
  for (auto& thread : threads) thread.join();
  for (const auto& f : found) EXPECT_EQ(f, expected);
}

TEST(Tokenizer, TwoTokenizersInOneThread) {
  const Tokenizer a = golden();
  BpeTrainer trainer({.vocab_size = 257});
  const Tokenizer b = trainer.train();
  const Ids first = a.encode("the old man");
  EXPECT_EQ(b.encode("the old man").size(), 11u);
  EXPECT_EQ(a.encode("the old man"), first);
  EXPECT_LT(first.size(), 11u);
}

TEST(Tokenizer, SavesWhatItWasLoadedFrom) {
  const std::string folder = testing::TempDir() + "suiren_tokenizer";
  make_directories(folder);
  const Tokenizer t = golden();
  t.save(folder + "/tokenizer.json");
  const Tokenizer again = Tokenizer::load(folder);
  EXPECT_EQ(again.to_json(), t.to_json());
  EXPECT_EQ(again.digest(), t.digest());
  EXPECT_EQ(t.digest(), sha256(t.to_json()));
  std::filesystem::remove_all(folder);
}

TEST(StreamDecoder, GivesOutWholeCharacters) {
  BpeTrainer trainer({.vocab_size = 257});
  const Tokenizer t = trainer.train();  // bytes only: the hardest case
  const std::string text = "a中é😀\xFF\xC3(z<|endoftext|>";
  StreamDecoder decoder(t);
  std::vector<std::string> parts;
  for (const uint32_t id : t.encode(text))
    if (std::string s = decoder.push(id); !s.empty()) parts.push_back(s);
  EXPECT_EQ(parts, (std::vector<std::string>{"a", "中", "é", "😀", "\xFF", "\xC3(", "z"}));
  EXPECT_EQ(decoder.push(*t.id_of("\xE4")), "");
  EXPECT_EQ(decoder.push(*t.id_of("\xB8")), "");
  EXPECT_EQ(decoder.finish(), "\xE4\xB8");
  EXPECT_EQ(decoder.finish(), "");
}

TEST(BadInput, Options) {
  const auto train = [](BpeOptions o) { return message_of([&] { BpeTrainer trainer(std::move(o)); }); };
  EXPECT_EQ(train({.vocab_size = 256}),
            "a vocabulary of 256 is too small: 1 special tokens and 256 bytes need 257 (--vocab-size)");
  EXPECT_NE(train({.vocab_size = int64_t{1} << 40}).find("is too large"), std::string::npos);
  EXPECT_NE(train({.pattern = "a(b"})
                .find("'a(b' is not a regular expression: missing closing parenthesis at byte 3"),
            std::string::npos);
  EXPECT_NE(train({.pattern = ""}).find("the split pattern is empty"), std::string::npos);
  EXPECT_NE(train({.specials = {"x y", "x y"}}).find("'x y' is given twice"), std::string::npos);
  EXPECT_NE(train({.specials = {""}}).find("special token 0 is empty"), std::string::npos);
  EXPECT_NE(train({.specials = {"a"}}).find("the token of a single byte"), std::string::npos);
  EXPECT_EQ(train({}), "");
}

TEST(BadInput, Ids) {
  const Tokenizer t = golden();
  EXPECT_EQ(message_of([&] {
              t.decode(Ids{1, 620});
            }),
            "id 620 has no token: the vocabulary has ids below 620");
  EXPECT_NE(message_of([&] { t.bytes_of(4000000000u); }), "");
}

/// The golden tokenizer with one thing changed must be refused with `part` in the message.
struct Damage {
  const char* pointer;
  Json value;
  const char* part;
  ErrorCode code = ErrorCode::kInvalid;
};

TEST(BadInput, TokenizerFiles) {
  const Json base = Json::parse(read_file(kFile));
  Json deep = 1;
  for (int i = 0; i < 100; ++i) deep = Json::array({deep});
  const auto unsupported = ErrorCode::kUnsupported;
  const Damage table[] = {
      {"/model/merges/0", Json::array({"qqq", "e"}), "merge 0 names the token 'qqq'"},
      {"/model/merges/3", Json::array({"!", "~"}), "merge 3 names the token '!~'"},
      {"/model/merges/0", "a b c", "merge 0 is 'a b c'"},
      {"/model/merges/0", 7, "merge 0 is 7"},
      {"/model/merges", "x", "model.merges is string"},
      {"/model/vocab/!", 2, "id 2 belongs to two tokens"},
      {"/model/vocab/!", -1, "token '!' has id -1"},
      {"/model/vocab/!", 1.5, "token '!' has id 1.5"},
      {"/model/vocab/!", 1e300, "token '!' has id 1e+300"},
      {"/model/vocab/!", "x", "token '!' has id \"x\""},
      {"/model/vocab", 3, "model.vocab is number"},
      {"/model", nullptr, "model is missing"},
      {"/model/type", "WordLevel", "model WordLevel is not supported", unsupported},
      {"/model/type", "Unigram", "model.vocab is object"},
      {"/model/ignore_merges", 1, "ignore_merges is 1, expected true or false"},
      {"/model/dropout", 0.1, "model has dropout 0.1", unsupported},
      {"/model/continuing_subword_prefix", "##", "which is shorter than its prefix"},
      {"/normalizer", {{"type", "Precompiled"}}, "normalizer Precompiled is not supported", unsupported},
      {"/pre_tokenizer", {{"type", "Words"}}, "pre_tokenizer Words is not supported", unsupported},
      {"/pre_tokenizer/pretokenizers/0/pattern/Regex", "[", "'[' is not a regular expression"},
      {"/pre_tokenizer/pretokenizers/0/behavior", "Sideways", "unknown behavior Sideways"},
      {"/decoder", {{"type", "ByteFallback"}}, "decoder ByteFallback is not supported", unsupported},
      {"/post_processor", {{"type", "BertProcessing"}}, "is not a token and its id"},
      {"/added_tokens", 5, "added_tokens is number"},
      {"/added_tokens/0/id", 5, "token '<|endoftext|>' has id 0 in model.vocab and 5 in added_tokens"},
      {"/added_tokens/0/content", "new", "id 0 belongs to two tokens; the second is 'new'"},
      {"/added_tokens/0/content", "", "empty token"},
      {"/added_tokens/0", deep, "64"},
  };
  for (const Damage& d : table) {
    Json json = base;
    json[Json::json_pointer(d.pointer)] = d.value;
    const std::string message = message_of([&] { Tokenizer::from_json(json.dump(), "T.json"); }, d.code);
    EXPECT_NE(message.find(d.part), std::string::npos) << d.pointer << " " << d.part << ": " << message;
    EXPECT_TRUE(message.starts_with("T.json")) << message;
  }
}

TEST(BadInput, DamagedBytes) {
  const std::string good = read_file(kFile);
  EXPECT_NE(message_of([&] { Tokenizer::from_json("", "T.json"); }), "");
  EXPECT_NE(message_of([&] { Tokenizer::from_json("[]", "T.json"); }), "");
  for (size_t size = 1; size + 2 < good.size(); size += 97)
    EXPECT_NE(message_of([&] { Tokenizer::from_json(good.substr(0, size), "T.json"); }), "") << size;
  for (uint64_t i = 0; i < 300; ++i) {  // one byte changed: refused, or another valid tokenizer; never worse
    std::string bad = good;
    bad[philox(9, 0, i)[0] % bad.size()] ^= static_cast<char>(1 + philox(9, 1, i)[0] % 255);
    try {
      const Tokenizer t = Tokenizer::from_json(bad, "T.json");
      EXPECT_EQ(t.to_json(), bad);
      t.encode("The old man, 中文 123");
    } catch (const Error& e) {
      EXPECT_TRUE(e.code() == ErrorCode::kInvalid || e.code() == ErrorCode::kUnsupported) << e.what();
      EXPECT_TRUE(std::string(e.what()).starts_with("T.json")) << e.what();
    }
  }
  EXPECT_NE(message_of([&] { Tokenizer::load("tests/golden/text/none.json"); }, ErrorCode::kNotFound), "");
}

TEST(BadInput, ARegexThatNeedsTooManyStepsSaysSo) {
  BpeTrainer trainer({.vocab_size = 300, .pattern = "(?:(?:a|aa)+)+\\d"});
  trainer.add_document(std::string(5000, 'a'));
  EXPECT_NE(message_of([&] { trainer.train(); }).find("failed at byte 0 of the text"), std::string::npos);
}

}  // namespace
}  // namespace suiren::text
