// Against tests/golden/text/components.json: what PyPI tokenizers made of the same strings with each part
// that a tokenizer.json may have (make_component_goldens.py there).

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "suiren/base/digest.h"
#include "suiren/base/error.h"
#include "suiren/base/file.h"
#include "suiren/io/utf8.h"
#include "suiren/text/tokenizer.h"
#include "suiren/text/unicode_forms.h"

namespace suiren::text {
namespace {

using Json = nlohmann::json;
using Ids = std::vector<uint32_t>;

const std::string kFolder = "tests/golden/text/";

const Json& golden() {
  static const Json g = Json::parse(read_file(kFolder + "components.json"));
  return g;
}

/// POINTS of make_component_goldens.py.
std::string code_points() {
  constexpr std::pair<uint32_t, uint32_t> kRanges[] = {
      {0, 0x3400},       {0xA000, 0xA100},   {0xA4D0, 0xAC20},   {0xD790, 0xD7B0},
      {0xF900, 0x11A00}, {0x1D100, 0x1D800}, {0x1E900, 0x1F200}, {0x2F800, 0x2F810}};
  std::string text;
  for (const auto& [low, high] : kRanges)
    for (uint32_t c = low; c < high; ++c) {
      io::append_utf8(text, c);
      text += 'a';
      io::append_utf8(text, c);
      text += "\xCC\x81 ";
    }
  return text;
}

/// The tokenizer of a row: its base with some parts exchanged.
Json tokenizer_of(const Json& row) {
  const std::string base = row["base"];
  Json json =
      base == "byte_level" ? Json::parse(read_file(kFolder + "hf_tokenizer.json")) : golden()["models"][base];
  json.update(row["part"]);
  if (row.contains("model")) json["model"].update(row["model"]);
  if (row["name"] == "some bytes")
    for (int b = 0xE8; b <= 0xEF; ++b) json["model"]["vocab"].erase(fmt::format("<0x{:02X}>", b));
  if (row["name"] == "byte fallback")
    for (int b = 0; b < 256; ++b)
      json["model"]["vocab"].push_back(Json::array({fmt::format("<0x{:02X}>", b), -20.0}));
  return json;
}

std::string streamed(const Tokenizer& t, const Ids& ids) {
  StreamDecoder decoder(t, false);
  std::string text;
  for (const uint32_t id : ids) text += decoder.push(id);
  return text + decoder.finish();
}

TEST(Components, IdsAndTextOfTheOtherProgram) {
  const std::string points = code_points();
  const auto texts = golden()["texts"].get<std::vector<std::string>>();
  ASSERT_GE(golden()["rows"].size(), 50u);
  for (const Json& row : golden()["rows"]) {
    SCOPED_TRACE(row["base"].get<std::string>() + ": " + row["name"].get<std::string>());
    const Tokenizer t = Tokenizer::from_json(tokenizer_of(row).dump(), "T.json");
    for (size_t i = 0; i < texts.size(); ++i) {
      const Ids ids = row["encodings"][i].get<Ids>();
      EXPECT_EQ(t.encode(texts[i]), ids) << texts[i];
      // Bytes that make no character come out as they are; the other program writes U+FFFD. Null: it failed.
      if (row["decoded"][i].is_null() ||
          row["decoded"][i].get<std::string>().find("\xEF\xBF\xBD") != std::string::npos)
        continue;
      EXPECT_EQ(t.decode(ids), row["decoded"][i].get<std::string>()) << texts[i];
      EXPECT_EQ(streamed(t, ids), t.decode(ids));
    }
    EXPECT_EQ(t.encode("a b", true, true), row["with_special"].get<Ids>());
    if (!row.contains("every_code_point")) continue;
    const Ids ids = t.encode(points);
    EXPECT_EQ(sha256({reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof(uint32_t)}),
              row["every_code_point"].get<std::string>());
  }
}

TEST(Components, BytesThatAreNoCharacterComeBackWithByteFallback) {
  const Tokenizer t = Tokenizer::from_json(golden()["models"]["llama"].dump(), "T.json");
  const std::string text = "a\xFF \xE7\x9D b\xC3(\xF0\x9F";
  EXPECT_EQ(t.decode(t.encode(text)), text);
  EXPECT_EQ(streamed(t, t.encode(text)), text);
  for (const NormalForm form : {NormalForm::kNfc, NormalForm::kNfd, NormalForm::kNfkc, NormalForm::kNfkd})
    EXPECT_EQ(normalize(text, form), text);
  EXPECT_EQ(normalize("\xFF\xCC\x81 e\xCC\x81\xFF", NormalForm::kNfc), "\xFF\xCC\x81 \xC3\xA9\xFF");
}

TEST(Components, NormalizingTwiceIsNormalizingOnce) {
  const std::string points = code_points();
  for (const NormalForm form : {NormalForm::kNfc, NormalForm::kNfd, NormalForm::kNfkc, NormalForm::kNfkd}) {
    const std::string once = normalize(points, form);
    EXPECT_EQ(normalize(once, form), once) << static_cast<int>(form);
  }
}

/// A golden model with one thing changed must be refused with `part` in the message.
TEST(Components, WhatIsNotUnderstoodIsRefusedByName) {
  struct Damage {
    const char *model, *pointer;
    Json value;
    const char* part;
    ErrorCode code = ErrorCode::kInvalid;
  };
  const auto unsupported = ErrorCode::kUnsupported;
  const Damage table[] = {
      {"llama", "/normalizer", {{"type", "Precompiled"}}, "normalizer Precompiled", unsupported},
      {"llama", "/normalizer/normalizers/0/type", "Prepare", "normalizer Prepare", unsupported},
      {"llama", "/normalizer/normalizers/1/pattern", {{"String", ""}}, "a Replace has an empty pattern"},
      {"llama", "/normalizer/normalizers/1/pattern", {{"Regex", "["}}, "'[' is not a regular expression"},
      {"llama", "/pre_tokenizer", {{"type", "UnicodeScripts"}}, "pre_tokenizer UnicodeScripts", unsupported},
      {"llama", "/decoder", {{"type", "CTC"}}, "decoder CTC", unsupported},
      {"llama", "/decoder/decoders/3/type", "Metaspace", "decoder Metaspace after Fuse", unsupported},
      {"llama", "/decoder/decoders/3/start", -1, "start is -1"},
      {"llama", "/model/unk_token", "none", "unk_token 'none' is not in model.vocab"},
      {"llama", "/model/dropout", 0.5, "dropout 0.5", unsupported},
      {"bpe", "/pre_tokenizer/prepend_scheme", "last", "unknown prepend_scheme"},
      {"bpe", "/pre_tokenizer/replacement", "", "empty replacement"},
      {"unigram", "/model/unk_id", 40000, "unk_id"},
      {"unigram", "/model/vocab/3", Json::array({"x"}), "row 3 of model.vocab"},
      {"unigram", "/model/vocab", Json::array(), "model.vocab is empty"},
      {"word_piece", "/model/unk_token", "[NONE]", "unk_token '[NONE]'"},
      {"word_piece",
       "/post_processor",
       {{"type", "BertProcessing"}, {"cls", 3}},
       "is not a token and its id"},
      {"clip", "/decoder/suffix", "", "empty suffix"},
  };
  for (const Damage& d : table) {
    Json json = golden()["models"][d.model];
    json[Json::json_pointer(d.pointer)] = d.value;
    try {
      Tokenizer::from_json(json.dump(), "T.json");
      ADD_FAILURE() << d.pointer << " was taken: " << d.value;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), d.code) << e.what();
      EXPECT_NE(std::string(e.what()).find(d.part), std::string::npos) << d.pointer << ": " << e.what();
    }
  }
}

TEST(Components, StepsThatMultiplyTheTextAreStopped) {
  const Json doubles = {{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", "aa"}};
  Json json = golden()["models"]["llama"];
  for (int i = 0; i < 40; ++i) json["normalizer"]["normalizers"].push_back(doubles);
  EXPECT_THROW(Tokenizer::from_json(json.dump(), "T.json").encode(std::string(100, 'a')), Error);
  json = golden()["models"]["llama"];
  json["decoder"] = {{"type", "Sequence"}, {"decoders", Json(std::vector<Json>(40, doubles))}};
  const Tokenizer t = Tokenizer::from_json(json.dump(), "T.json");
  EXPECT_THROW(t.decode(t.encode("a")), Error);
  const Json level = {{"type", "ByteLevel"}};
  json["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", {level, level}}};
  EXPECT_THROW(Tokenizer::from_json(json.dump(), "T.json"), Error);
}

TEST(Components, NoTokenAndNoUnknownTokenIsAnError) {
  Json json = golden()["models"]["unigram"];
  json["model"]["unk_id"] = nullptr;
  const Tokenizer t = Tokenizer::from_json(json.dump(), "T.json");
  EXPECT_THROW(t.encode("\xE9\xBE\x98"), Error);
}

}  // namespace
}  // namespace suiren::text
