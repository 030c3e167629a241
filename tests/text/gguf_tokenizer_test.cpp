// Against tests/golden/gguf: vocabularies that PyPI gguf stored, and the ids of PyPI tokenizers
// (make_tokenizers.py there).

#include "suiren/text/gguf_tokenizer.h"

#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "suiren/base/error.h"
#include "suiren/base/file.h"
#include "suiren/io/gguf_writer.h"

namespace suiren::text {
namespace {

using Json = nlohmann::json;

const std::string kFolder = "tests/golden/gguf/";

const Json& golden() {
  static const Json g = Json::parse(read_file(kFolder + "tokenizers.json"));
  return g;
}

TEST(GgufTokenizer, IdsAreThoseOfTheTokenizerJsonOfTheSameKind) {
  int compared = 0;
  for (const auto& [name, rows] : golden()["ids"].items()) {
    const Tokenizer t = tokenizer_from_gguf(io::Gguf::open(kFolder + "tokenizer-" + name + ".gguf"));
    for (size_t i = 0; i < rows.size(); ++i) {
      const std::string text = golden()["texts"][i];
      ASSERT_EQ(t.encode(text, true, true), rows[i].get<std::vector<uint32_t>>()) << name << ": " << text;
      ++compared;
    }
  }
  EXPECT_EQ(compared, 9 * static_cast<int>(golden()["texts"].size()));
}

TEST(GgufTokenizer, IdsBecomeTextAgain) {
  for (const char* name : {"gpt-2", "llama-bpe", "smollm", "spm", "spm-bare"}) {
    const Tokenizer t = tokenizer_from_gguf(io::Gguf::open(kFolder + "tokenizer-" + name + ".gguf"));
    for (const char* text : {"The old man's house; didn't it?", "Hello世界 你好world123", "é ½  two"})
      EXPECT_EQ(t.decode(t.encode(text)), text) << name;
  }
}

TEST(GgufTokenizer, TheMadeTokenizerJsonLoadsTheSame) {
  const io::Gguf file = io::Gguf::open(kFolder + "tokenizer-spm.gguf");
  const Tokenizer t = tokenizer_from_gguf(file);
  const Tokenizer again = Tokenizer::from_json(t.to_json(), "again");
  EXPECT_EQ(again.encode("The house <s>of x", true, true), t.encode("The house <s>of x", true, true));
  EXPECT_EQ(again.digest(), t.digest());
  EXPECT_TRUE(t.is_special(1));
  EXPECT_FALSE(t.is_special(100));
}

/// The file's fields with some set anew, as a file in memory.
std::string changed(const std::string& name, const std::function<void(io::GgufMetadata&)>& change) {
  const io::Gguf file = io::Gguf::open(kFolder + name);
  io::GgufMetadata metadata;
  for (const auto& [key, value] : file.metadata()) metadata.set(key, value);
  change(metadata);
  return io::gguf_head({}, metadata);
}

std::string message(const std::string& bytes) {
  try {
    tokenizer_from_gguf(
        io::Gguf::from_bytes({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, "file"));
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

TEST(GgufTokenizer, WhatIsNotUnderstoodIsNamed) {
  using Metadata = io::GgufMetadata;
  const auto expect = [](const std::string& bytes, const std::string& part) {
    const std::string text = message(bytes);
    EXPECT_NE(text.find(part), text.npos) << text;
  };
  expect(changed("tokenizer-gpt-2.gguf", [](Metadata& m) { m.set("tokenizer.ggml.pre", "gpt-9"); }),
         "tokenizer.ggml.pre 'gpt-9' is not supported; there are gpt-2, ");
  expect(changed("tokenizer-gpt-2.gguf", [](Metadata& m) { m.set("tokenizer.ggml.model", "rwkv"); }),
         "tokenizer.ggml.model 'rwkv' is not supported");
  expect(changed("tokenizer-gpt-2.gguf",
                 [](Metadata& m) { m.set("tokenizer.ggml.token_type", std::vector<int32_t>{1}); }),
         "tokenizer.ggml.token_type has 1 entries");
  expect(changed("tokenizer-spm.gguf",
                 [](Metadata& m) { m.set("tokenizer.ggml.scores", std::vector<float>{1}); }),
         "tokenizer.ggml.scores has 1 entries");
  expect(changed("tokenizer-spm.gguf",
                 [](Metadata& m) { m.set("tokenizer.ggml.bos_token_id", uint32_t{1} << 20); }),
         "tokenizer.ggml.bos_token_id is 1048576");
  expect(changed("tokenizer-gpt-2.gguf",
                 [](Metadata& m) { m.set("tokenizer.ggml.merges", std::vector<std::string>{"abc"}); }),
         "tokenizer.ggml.merges holds 'abc'");
}

TEST(GgufTokenizer, ATokenizerJsonInTheFileCountsMost) {
  const std::string json = read_file("tests/golden/text/hf_tokenizer.json");
  const std::string bytes =
      changed("tokenizer-spm.gguf", [&](io::GgufMetadata& m) { m.set("tokenizer.huggingface.json", json); });
  const auto file =
      io::Gguf::from_bytes({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, "file");
  EXPECT_EQ(tokenizer_from_gguf(file).to_json(), json);
}

/// Fields without the tokenizer.json: what another program reads.
Tokenizer through_fields(const Tokenizer& t, std::string& bytes) {
  io::GgufMetadata metadata, fields;
  EXPECT_TRUE(write_gguf_tokenizer(t, t.vocab_size() + 3, metadata));
  const auto whole = io::gguf_head({}, metadata);
  const auto file =
      io::Gguf::from_bytes({reinterpret_cast<const uint8_t*>(whole.data()), whole.size()}, "whole");
  EXPECT_EQ(file.strings("tokenizer.ggml.tokens").size(), static_cast<size_t>(t.vocab_size()) + 3);
  EXPECT_EQ(tokenizer_from_gguf(file).to_json(), t.to_json());
  for (const auto& [key, value] : file.metadata())
    if (key != "tokenizer.huggingface.json") fields.set(key, value);
  if (t.id_of("<s>")) fields.set("tokenizer.ggml.bos_token_id", *t.id_of("<s>"));
  if (t.id_of("<|endoftext|>")) fields.set("tokenizer.ggml.bos_token_id", *t.id_of("<|endoftext|>"));
  if (t.id_of("</s>")) fields.set("tokenizer.ggml.eos_token_id", *t.id_of("</s>"));
  bytes = io::gguf_head({}, fields);
  return tokenizer_from_gguf(
      io::Gguf::from_bytes({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, "fields"));
}

TEST(GgufTokenizer, WrittenFieldsGiveTheSameIds) {
  for (const auto& [name, rows] : golden()["ids"].items()) {
    if (name == "bert") continue;
    const Tokenizer t = tokenizer_from_gguf(io::Gguf::open(kFolder + "tokenizer-" + name + ".gguf"));
    std::string bytes;
    const Tokenizer again = through_fields(t, bytes);
    for (size_t i = 0; i < rows.size(); ++i) {
      const std::string text = golden()["texts"][i];
      EXPECT_EQ(again.encode(text, true, true), rows[i].get<std::vector<uint32_t>>()) << name << ": " << text;
    }
  }
}

TEST(GgufTokenizer, WhatFieldsCannotSayStandsAlone) {
  const Tokenizer t = tokenizer_from_gguf(io::Gguf::open(kFolder + "tokenizer-bert.gguf"));
  io::GgufMetadata metadata;
  EXPECT_FALSE(write_gguf_tokenizer(t, t.vocab_size(), metadata));
  ASSERT_EQ(metadata.items().size(), 1U);
  EXPECT_EQ(metadata.items()[0].key, "tokenizer.huggingface.json");
}

}  // namespace
}  // namespace suiren::text
