// Against tests/golden/text: what PyPI tokenizers made of the same text (make_goldens.py there).

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "suiren/base/digest.h"
#include "suiren/base/file.h"
#include "suiren/base/philox.h"
#include "suiren/text/bpe_trainer.h"
#include "suiren/text/pretokenizer.h"
#include "suiren/text/tokenizer.h"

namespace suiren::text {
namespace {

using Json = nlohmann::json;
using Ids = std::vector<uint32_t>;

const std::string kFolder = "tests/golden/text/";

const Json& golden() {
  static const Json g = Json::parse(read_file(kFolder + "goldens.json"));
  return g;
}

/// The corpus's documents: what lies between blank lines.
std::vector<std::string> documents() {
  const std::string text = read_file(kFolder + "corpus.txt");
  std::vector<std::string> docs;
  for (size_t at = 0; at < text.size();) {
    size_t end = text.find("\n\n", at);
    if (end == text.npos) end = text.size();
    std::string doc = text.substr(at, end - at);
    while (doc.ends_with('\n')) doc.pop_back();
    docs.push_back(doc);
    at = std::min(text.size(), end + 2);
  }
  return docs;
}

Tokenizer train(const std::vector<std::string>& docs, int64_t vocab_size, const std::string& pattern,
                const std::vector<std::string>& specials = {"<|endoftext|>"}) {
  BpeTrainer trainer({.vocab_size = vocab_size, .pattern = pattern, .specials = specials});
  for (const auto& d : docs) trainer.add_document(d);
  return trainer.train();
}

std::string utf8(uint32_t c) {
  const auto tail = [&](int shift) { return static_cast<char>(0x80 | (c >> shift & 63)); };
  if (c < 0x80) return {static_cast<char>(c)};
  if (c < 0x800) return {static_cast<char>(0xC0 | c >> 6), tail(0)};
  if (c < 0x10000) return {static_cast<char>(0xE0 | c >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xF0 | c >> 18), tail(12), tail(6), tail(0)};
}

/// The string of every_code_point() in make_goldens.py.
std::string every_code_point() {
  std::string text;
  for (uint32_t i = 0; i < 0x110000; ++i) {
    if (i >= 0xD800 && i < 0xE000) continue;
    const std::string c = utf8(i);
    text += "a" + c + "b " + c + "'S" + c + "1 \n" + c;
  }
  return text;
}

std::string digest(const Ids& ids) {
  return sha256({reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof(uint32_t)});
}

TEST(Golden, MergesAndIdsOfTheFourPatterns) {
  const std::string points = every_code_point();
  const auto strings = golden()["strings"].get<std::vector<std::string>>();
  ASSERT_GE(strings.size(), 35u);
  for (const char* pattern : {"gpt2", "cl100k", "qwen2", "o200k"}) {
    SCOPED_TRACE(pattern);
    const Json& expected = golden()["trained"][pattern];
    const Tokenizer t = train(documents(), 620, pattern);
    EXPECT_EQ(t.vocab_size(), 620);
    EXPECT_EQ(Json::parse(t.to_json())["model"]["merges"], expected["merges"]);
    for (size_t i = 0; i < strings.size(); ++i) {
      EXPECT_EQ(t.encode(strings[i]), expected["encodings"][i].get<Ids>()) << strings[i];
      EXPECT_EQ(t.decode(t.encode(strings[i])), strings[i]);
    }
    EXPECT_EQ(digest(t.encode(points)), expected["every_code_point"].get<std::string>());
  }
}

TEST(Golden, ThePatternAsARegularExpressionGivesTheSame) {
  // PCRE2's tables are those of another Unicode version, so on the corpus only.
  for (const char* pattern : {"gpt2", "cl100k", "qwen2", "o200k"}) {
    const std::string regex = "(?:" + PreTokenizer::from_pattern(pattern).regex() + ")";
    const Tokenizer t = train(documents(), 620, regex);
    EXPECT_EQ(Json::parse(t.to_json())["model"]["merges"], golden()["trained"][pattern]["merges"]) << pattern;
  }
}

// Of ASCII all Unicode versions say the same: any string of what the patterns tell apart.
TEST(Golden, TheScannersCutAsTheirRegularExpressionsDo) {
  const std::string alphabet = "'''sdmtlvreSDMTLVRExX19  \n\r\t!/";
  for (const char* pattern : {"gpt2", "cl100k", "qwen2", "o200k"}) {
    const PreTokenizer scanner = PreTokenizer::from_pattern(pattern),
                       regex = PreTokenizer::from_pattern("(?:" + scanner.regex() + ")");
    for (uint64_t n = 0; n < 3000; ++n) {
      std::string text;
      for (uint64_t i = 0; i < 1 + n % 24; ++i)
        text += alphabet[static_cast<size_t>(philox_uniform(1, n, i) * static_cast<double>(alphabet.size()))];
      std::vector<std::string> cuts[2];
      scanner.split(text, [&](std::string_view piece) { cuts[0].emplace_back(piece); });
      regex.split(text, [&](std::string_view piece) { cuts[1].emplace_back(piece); });
      ASSERT_EQ(cuts[0], cuts[1]) << pattern << ": " << text;
    }
  }
}

TEST(Golden, EqualCountsAndTokensThatTwoPairsSpell) {
  int with_several_rules = 0;
  for (const Json& row : golden()["tied"]) {
    const auto specials = row["specials"].get<std::vector<std::string>>();
    const Tokenizer t = train(row["docs"], row["vocab_size"], "gpt2", specials);
    const Json model = Json::parse(t.to_json())["model"];
    EXPECT_EQ(model["merges"], row["merges"]);
    with_several_rules += row["merges"].size() > model["vocab"].size() - 256 - specials.size();
  }
  EXPECT_GE(with_several_rules, 2);
}

TEST(Golden, ReadsTheFileOfTheOtherProgram) {
  const Tokenizer theirs = Tokenizer::load(kFolder + "hf_tokenizer.json"),
                  ours = train(documents(), 620, "cl100k");
  EXPECT_EQ(theirs.to_json(), read_file(kFolder + "hf_tokenizer.json"));
  const Json a = Json::parse(theirs.to_json()), b = Json::parse(ours.to_json());
  for (const char* part :
       {"added_tokens", "normalizer", "post_processor", "decoder", "truncation", "padding"})
    EXPECT_EQ(a[part], b[part]) << part;
  EXPECT_EQ(a["model"]["vocab"], b["model"]["vocab"]);
}

TEST(Golden, PublishedForms) {
  const Json base = Json::parse(read_file(kFolder + "hf_tokenizer.json")), &variants = golden()["variants"];
  const auto texts = variants["texts"].get<std::vector<std::string>>();
  EXPECT_GE(variants["rows"].size(), 20u);
  for (const Json& row : variants["rows"]) {
    const auto name = row["name"].get<std::string>();
    SCOPED_TRACE(name);
    Json json = base;
    if (row.contains("part")) json.update(row["part"]);
    Json& model = json["model"];
    if (name == "ignore merges") {
      model["ignore_merges"] = true;
      model["merges"].erase(model["merges"].begin() + 200, model["merges"].end());
    } else if (name == "merges as strings") {
      for (Json& m : model["merges"]) m = m[0].get<std::string>() + " " + m[1].get<std::string>();
    }
    const Tokenizer t = Tokenizer::from_json(json.dump(), name);
    for (size_t i = 0; i < texts.size(); ++i) {
      EXPECT_EQ(t.encode(texts[i]), row["encodings"][i].get<Ids>()) << texts[i];
      EXPECT_EQ(t.encode(texts[i], false), row["plain"][i].get<Ids>()) << texts[i];
    }
    EXPECT_EQ(t.encode("a b", true, true), row["with_special"].get<Ids>());
  }
}

}  // namespace
}  // namespace suiren::text
