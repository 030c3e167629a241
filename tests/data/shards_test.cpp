#include "suiren/data/shards.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "suiren/base/digest.h"
#include "suiren/base/error.h"

namespace suiren::data {
namespace fs = std::filesystem;
using nlohmann::json;

/// GPT-2's printable name of a byte.
std::string byte_name(int byte) {
  const auto printable = [](int b) {
    return (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || (b >= 174 && b <= 255);
  };
  int code = byte;
  if (!printable(byte)) {
    code = 256;
    for (int b = 0; b < byte; ++b) code += !printable(b);
  }
  if (code < 128) return {static_cast<char>(code)};
  return {static_cast<char>(0xc0 | code >> 6), static_cast<char>(0x80 | (code & 63))};
}

/// <|endoftext|> (0), the bytes (1 + byte, in GPT-2's order), "ab" merged; and fillers up to `size`.
std::string tokenizer_json(int size = 258) {
  json vocab = {{"<|endoftext|>", 0}};
  int next = 1;
  for (int b = 0; b < 256; ++b) vocab[byte_name(b)] = next++;
  vocab["ab"] = next++;
  while (next < size) vocab["filler" + std::to_string(next)] = next, ++next;
  return json{
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens",
       {{{"id", 0},
         {"content", "<|endoftext|>"},
         {"single_word", false},
         {"lstrip", false},
         {"rstrip", false},
         {"normalized", false},
         {"special", true}}}},
      {"normalizer", nullptr},
      {"pre_tokenizer",
       {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}}},
      {"post_processor", nullptr},
      {"decoder",
       {{"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", true}, {"use_regex", true}}},
      {"model",
       {{"type", "BPE"},
        {"dropout", nullptr},
        {"unk_token", nullptr},
        {"continuing_subword_prefix", nullptr},
        {"end_of_word_suffix", nullptr},
        {"fuse_unk", false},
        {"byte_fallback", false},
        {"vocab", vocab},
        {"merges", {"a b"}}}}}
      .dump();
}

class ShardsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = (fs::temp_directory_path() / fmt::format("suiren-shards-{}", ::getpid())).string();
    fs::create_directories(folder_);
    text_ = folder_ + "/text.txt";
    out_ = folder_ + "/out";
    std::string text;
    for (int i = 0; i < 500; ++i) {
      documents_.push_back(
          fmt::format("abc {} <|endoftext|> 春{}", i % 400, std::string(static_cast<size_t>(i % 7), 'a')));
      text += documents_.back() + "\n\n";
    }
    write_file(text_, text);
  }
  void TearDown() override {
    set_thread_count(available_cpus());
    fs::remove_all(folder_);
  }
  static text::Tokenizer tokenizer(int size = 258) {
    return text::Tokenizer::from_json(tokenizer_json(size), "test");
  }
  BuildOptions options() const {
    BuildOptions o;
    o.inputs = {text_};
    o.holdout = 0.2;
    o.output = out_;
    return o;
  }
  /// Every file of a folder by name.
  static std::map<std::string, std::string> contents(const std::string& folder) {
    std::map<std::string, std::string> files;
    for (const auto& e : fs::directory_iterator(folder)) files[e.path().filename()] = read_file(e.path());
    return files;
  }
  template <class F>
  static std::string refusal(F f) {
    try {
      f();
    } catch (const Error& e) {
      EXPECT_EQ(exit_code(e.code()), 2) << e.what();
      return e.what();
    }
    return "";
  }
  template <class Id>
  static std::vector<Id> ids_in(const std::string& path) {
    const std::string raw = read_file(path);
    std::vector<Id> ids(raw.size() / sizeof(Id));
    std::memcpy(ids.data(), raw.data(), raw.size());
    return ids;
  }
  std::string folder_, text_, out_;
  std::vector<std::string> documents_;
};

TEST_F(ShardsTest, AnotherProgramCanReadThem) {
  auto o = options();
  o.shard_bytes = 3000;
  const BuildResult built = build_shards(tokenizer(), o);
  const json index = json::parse(read_file(out_ + "/index.json"));
  EXPECT_EQ(read_file(out_ + "/tokenizer.json"), tokenizer_json());
  EXPECT_EQ(index["tokenizer"]["sha256"], sha256(tokenizer_json()));
  EXPECT_EQ(index["vocab_size"], 258);
  EXPECT_EQ(index["end_token"], "<|endoftext|>");
  EXPECT_EQ(index["end_id"], 0);
  std::vector<std::string> found[2];  // documents, from nothing but the files
  for (int side = 0; side < 2; ++side) {
    const json& split = index[side == 0 ? "train" : "holdout"];
    std::vector<uint16_t> ids;
    for (const json& file : split["files"]) {
      const auto name = out_ + "/" + file["file"].get<std::string>();
      const auto part = ids_in<uint16_t>(name);
      EXPECT_EQ(part.size(), file["tokens"].get<size_t>());
      EXPECT_EQ(sha256(read_file(name)), file["sha256"]);
      ids.insert(ids.end(), part.begin(), part.end());
    }
    EXPECT_EQ(ids.size(), split["tokens"].get<size_t>());
    const auto offsets = ids_in<uint64_t>(out_ + "/" + split["offsets"]["file"].get<std::string>());
    ASSERT_EQ(offsets.size(), split["documents"].get<size_t>() + 1);
    EXPECT_EQ(offsets.back(), ids.size());
    size_t bytes = 0;
    for (size_t d = 0; d + 1 < offsets.size(); ++d) {
      ASSERT_EQ(ids[offsets[d + 1] - 1], 0) << "a document ends with the end token";
      std::vector<uint32_t> body(ids.begin() + static_cast<std::ptrdiff_t>(offsets[d]),
                                 ids.begin() + static_cast<std::ptrdiff_t>(offsets[d + 1]) - 1);
      EXPECT_EQ(std::count(body.begin(), body.end(), 0u), 0) << "specials in the text are plain text";
      found[side].push_back(tokenizer().decode(body));
      bytes += found[side].back().size();
    }
    EXPECT_EQ(split["bytes"].get<size_t>(), bytes);
  }
  EXPECT_GT(index["train"]["files"].size(), 3u);
  EXPECT_EQ(index["train"]["files"][0]["file"], "train-00000.u16");
  EXPECT_EQ(index["holdout"]["files"][0]["file"], "holdout.u16");
  std::vector<std::string> wanted[2];
  for (const auto& d : documents_) wanted[is_held_out(d, 0.2)].push_back(d);
  EXPECT_EQ(found[0], wanted[0]);
  EXPECT_EQ(found[1], wanted[1]);
  EXPECT_EQ(built.train.documents + built.holdout.documents, 500);
  EXPECT_GT(built.holdout.documents, 60);
  EXPECT_LT(built.holdout.documents, 140);
}

TEST_F(ShardsTest, OpenGivesWhatWasBuilt) {
  auto o = options();
  o.shard_bytes = 1000;
  const BuildResult built = build_shards(tokenizer(), o);
  const Shards shards = Shards::open(out_, /*verify=*/true);
  EXPECT_EQ(shards.train_counts().tokens, built.train.tokens);
  EXPECT_EQ(shards.train()->size(), built.train.tokens);
  EXPECT_EQ(shards.holdout()->size(), built.holdout.tokens);
  EXPECT_EQ(shards.holdout_counts().bytes, built.holdout.bytes);
  EXPECT_EQ(shards.tokenizer_digest(), tokenizer().digest());
  EXPECT_EQ(shards.end_token(), "<|endoftext|>");
  const auto [begin, end] = shards.train_document(3);
  std::vector<uint32_t> ids(static_cast<size_t>(end - begin));
  shards.train()->read(begin, std::span(ids));
  EXPECT_EQ(ids.back(), shards.end_id());
  ids.pop_back();
  EXPECT_EQ(ids, tokenizer().encode(tokenizer().decode(ids), false));
  EXPECT_THROW(shards.train_document(built.train.documents), Error);
  shards.train()->check_ids(shards.vocab_size());
  shards.require_tokenizer(tokenizer().digest());
  EXPECT_NE(refusal([&] {
              shards.require_tokenizer(std::string(64, 'c'));
            }).find("(digest " + tokenizer().digest().substr(0, 12) + ", the model's is cccccccccccc)"),
            std::string::npos);
}

TEST_F(ShardsTest, BytesDoNotDependOnThreads) {
  std::map<std::string, std::string> first;
  for (int threads : {1, 2, 3, 8}) {
    set_thread_count(threads);
    build_shards(tokenizer(), options());
    if (first.empty()) first = contents(out_);
    EXPECT_EQ(contents(out_), first) << threads << " threads";
  }
  EXPECT_EQ(first.size(), 6u);
}

TEST_F(ShardsTest, LargeVocabulariesTakeFourBytes) {
  build_shards(tokenizer(65536), options());
  EXPECT_TRUE(fs::exists(out_ + "/train-00000.u16"));
  const auto narrow = ids_in<uint16_t>(out_ + "/train-00000.u16");
  build_shards(tokenizer(65537), options());
  EXPECT_FALSE(fs::exists(out_ + "/train-00000.u16")) << "the older build is gone";
  const auto wide = ids_in<uint32_t>(out_ + "/train-00000.u32");
  EXPECT_EQ(std::vector<uint32_t>(narrow.begin(), narrow.end()), wide);
  EXPECT_EQ(Shards::open(out_, true).train()->width(), 4);
}

TEST_F(ShardsTest, HeldOutDependsOnTheTextAlone) {
  int held = 0;
  for (int i = 0; i < 20000; ++i) {
    const std::string document = "poem " + std::to_string(i);
    held += is_held_out(document, 0.1);
    EXPECT_TRUE(!is_held_out(document, 0.1) || is_held_out(document, 0.3));
    EXPECT_FALSE(is_held_out(document, 0));
  }
  EXPECT_NEAR(held, 2000, 4 * 42);  // binomial: sigma = 42
  EXPECT_EQ(is_held_out("poem 7", 0.5), is_held_out(std::string("poem ") + "7", 0.5));
}

TEST_F(ShardsTest, AFailedBuildLeavesTheOldOne) {
  build_shards(tokenizer(), options());
  const auto before = contents(out_);
  auto bad = options();
  write_file(folder_ + "/bad.txt", "fine\n\nbad \xff");
  bad.inputs.push_back(folder_ + "/bad.txt");
  EXPECT_NE(refusal([&] { build_shards(tokenizer(), bad); }).find("not UTF-8"), std::string::npos);
  EXPECT_EQ(contents(out_), before);
  bad.output = folder_ + "/new";
  refusal([&] { build_shards(tokenizer(), bad); });
  EXPECT_FALSE(fs::exists(folder_ + "/new"));
  const auto message = [&](auto change) {
    auto o = options();
    o.output = folder_ + "/new";
    change(o);
    const std::string text = refusal([&] { build_shards(tokenizer(), o); });
    EXPECT_FALSE(fs::exists(folder_ + "/new")) << text;
    return text;
  };
  EXPECT_NE(message([](auto& o) { o.holdout = 1; }).find("holdout is 1"), std::string::npos);
  EXPECT_NE(message([](auto& o) { o.end_token = "<eos>"; }).find("'<eos>' is not in the tokenizer"),
            std::string::npos);
  EXPECT_NE(message([](auto& o) { o.inputs = {"no/such.txt"}; }).find("no/such.txt"), std::string::npos);
  EXPECT_NE(message([](auto& o) { o.holdout = 0.9999999; }).find("every document is held out"),
            std::string::npos);
}

TEST_F(ShardsTest, DamageIsNamed) {
  build_shards(tokenizer(), options());
  const auto good = contents(out_);
  const auto after = [&](const std::string& file, const std::function<void(std::string&)>& damage,
                         bool verify) {
    std::string bytes = good.at(file);
    damage(bytes);
    write_file(out_ + "/" + file, bytes);
    const std::string message = refusal([&] { Shards::open(out_, verify); });
    write_file(out_ + "/" + file, good.at(file));
    return message;
  };
  const auto has = [](const std::string& message, const std::string& part) {
    EXPECT_NE(message.find(part), std::string::npos) << message << "\n  lacks: " << part;
  };
  for (const char* file : {"train-00000.u16", "holdout.u16", "train.offsets.u64", "holdout.offsets.u64"}) {
    has(after(
            file, [](std::string& b) { b.resize(b.size() - 2); }, false),
        fmt::format("{} has ", file));
    has(after(
            file, [](std::string& b) { b[b.size() / 2] ^= 1; }, true),
        fmt::format("{} is damaged", file));
    fs::rename(out_ + "/" + file, out_ + "/gone");
    has(refusal([&] { Shards::open(out_); }), fmt::format("{}, which ", file));
    fs::rename(out_ + "/gone", out_ + "/" + file);
  }
  has(after(
          "tokenizer.json", [](std::string& b) { b += " "; }, true),
      "tokenizer.json is damaged");
  const auto with = [&](auto change) {
    return after(
        "index.json",
        [&](std::string& b) {
          json index = json::parse(b);
          change(index);
          b = index.dump();
        },
        false);
  };
  EXPECT_EQ(with([](json&) {}), "");
  has(with([](json& i) { i["version"] = 2; }), "has version 2, this suiren reads 1");
  has(with([](json& i) { i["format"] = "x"; }), "does not describe suiren shards");
  has(with([](json& i) { i["dtype"] = "u8"; }), "dtype is 'u8'");
  has(with([](json& i) { i["vocab_size"] = 70000; }), "vocab_size 70000 does not fit u16");
  has(with([](json& i) { i["end_id"] = 258; }), "end_id 258");
  has(with([](json& i) { i["train"]["tokens"] = 3; }), "tokens says 3");
  has(with([](json& i) { i["train"]["documents"] = 3; }), "train.offsets.u64 has ");
  has(with([](json& i) { i["train"]["files"][0]["file"] = "../x"; }),
      "is not the name of a file in the folder");
  has(with([](json& i) { i.erase("holdout"); }), "holdout is missing");
  has(after(
          "index.json", [](std::string& b) { b.resize(b.size() / 2); }, false),
      "not valid JSON");
  fs::remove(out_ + "/index.json");
  has(refusal([&] { Shards::open(out_); }), "a build that did not finish");
  has(refusal([&] { Shards::open(folder_ + "/nowhere"); }), "is no folder");
}

TEST_F(ShardsTest, NoFlipInTheIndexCrashes) {
  build_shards(tokenizer(), options());
  const std::string good = read_file(out_ + "/index.json");
  int refused = 0;
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bytes = good;
    bytes[i] ^= static_cast<char>(1 << (i % 7));
    write_file(out_ + "/index.json", bytes);
    refused += !refusal([&] { Shards::open(out_, true); }).empty();
  }
  EXPECT_GT(refused, static_cast<int>(good.size() / 2));
}

}  // namespace suiren::data
