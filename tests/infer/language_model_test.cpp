#include "suiren/infer/language_model.h"

#include "tests/models/support.h"

namespace suiren::infer {
namespace {

namespace fs = std::filesystem;
using models::contains;
using models::golden;
using models::message;

const std::string kChat = "tests/golden/infer/chat";

/// A random model of 300 tokens with the golden chat files.
class LanguageModels : public testing::Test {
 protected:
  LanguageModels() : folder_("language_model") {
    models::TransformerConfig c = models::small_config();
    c.vocab_size = 300, c.bos_token_id = 0, c.eos_token_ids = {2};
    models::Transformer(c, 1).save(folder_.path());
    for (const auto& file : fs::directory_iterator(kChat)) fs::copy(file, folder_.path());
  }
  LanguageModel load() const { return LanguageModel::load(folder_.path()); }
  void put(const std::string& name, const std::string& text) const { write_file(at(name), text); }
  std::string at(const std::string& name) const { return folder_.path() + "/" + name; }
  models::Folder folder_;
};

TEST_F(LanguageModels, SpeakAsTransformersDo) {
  const LanguageModel m = load();
  const auto reference = golden("infer/chat/reference.json");
  EXPECT_EQ(m.end_tokens, reference["end_tokens"].get<std::vector<int64_t>>());
  const SamplingOptions& s = m.settings.sampling;
  EXPECT_EQ(s.temperature, reference["sampling"]["temperature"]);
  EXPECT_EQ(s.top_p, reference["sampling"]["top_p"]);
  EXPECT_EQ(s.top_k, reference["sampling"]["top_k"]);
  EXPECT_EQ(s.repetition_penalty, reference["sampling"]["repetition_penalty"]);
  for (const auto& t : reference["texts"])
    EXPECT_EQ(m.encode(t["text"].get<std::string>()), t["ids"].get<std::vector<int64_t>>()) << t["text"];
  for (const auto& c : reference["conversations"]) {
    const std::string text = m.render(nlohmann::ordered_json::parse(c["messages"].dump()), true);
    EXPECT_EQ(text, c["text"]);
    EXPECT_EQ(m.encode_rendered(text), c["ids"].get<std::vector<int64_t>>());
    EXPECT_EQ(m.encode(text), m.encode_rendered(text));  // BOS stands there already
  }
  EXPECT_TRUE(m.render(nlohmann::ordered_json::array(), false).ends_with("<s>"));
}

TEST_F(LanguageModels, BosOpensATextOnceWhereSomethingSaysSo) {
  auto tokenizer = nlohmann::json::parse(read_file(at("tokenizer.json")));
  tokenizer["post_processor"] = nullptr;
  put("tokenizer.json", tokenizer.dump());
  const auto first = load().encode("the");
  EXPECT_NE(first.at(0), 0);
  put("tokenizer_config.json", R"({"bos_token": "<s>", "add_bos_token": true})");
  const LanguageModel m = load();
  std::vector<int64_t> with{0};
  with.insert(with.end(), first.begin(), first.end());
  EXPECT_EQ(m.encode("the"), with);
  EXPECT_EQ(m.encode("<s>the"), with);
  EXPECT_EQ(m.encode(""), std::vector<int64_t>{0});
  put("tokenizer_config.json", R"({"bos_token": {"content": "</s>"}, "add_bos_token": true})");
  EXPECT_EQ(load().encode("the").at(0), 1);
  put("tokenizer_config.json", R"({"bos_token": "<s>", "add_bos_token": false})");
  EXPECT_EQ(load().encode("the"), first);
}

TEST_F(LanguageModels, EndTokensAreTheFilesAndTheTokenizers) {
  put("generation_config.json", R"({"eos_token_id": 9})");
  EXPECT_EQ(load().end_tokens, (std::vector<int64_t>{9, 1}));  // </s> of the tokenizer
  put("generation_config.json", R"({"eos_token_id": null})");
  EXPECT_EQ(load().end_tokens, (std::vector<int64_t>{2, 1}));  // config.json's
  fs::remove(at("generation_config.json"));
  fs::remove(at("tokenizer_config.json"));
  EXPECT_EQ(load().end_tokens, (std::vector<int64_t>{2}));
  EXPECT_EQ(load().settings.sampling, SamplingOptions{});
}

TEST_F(LanguageModels, TemplatesAreFoundWhereTransformersFindsThem) {
  const auto hello = nlohmann::ordered_json::parse(R"([{"role": "user", "content": "hello"}])");
  put("tokenizer_config.json",
      R"({"eos_token": "</s>", "chat_template": "{{ messages[0].content }}{{ eos_token }}{{ x }}{{ tools is none }}"})");
  EXPECT_TRUE(load().render(hello, true).starts_with("<|user|>"));  // chat_template.jinja goes first
  fs::remove(at("chat_template.jinja"));
  EXPECT_EQ(load().render(hello, true, {{"x", "!"}}), "hello</s>!True");
  put("tokenizer_config.json",
      R"({"chat_template": [{"name": "tool_use", "template": "a"}, {"name": "default", "template": "b"}]})");
  EXPECT_EQ(load().render(hello, true), "b");
  put("tokenizer_config.json", R"({"chat_template": [{"name": "tool_use", "template": "a"}]})");
  EXPECT_TRUE(contains(message([&] { load(); }), "without one named 'default'"));
  put("tokenizer_config.json", R"({"chat_template": "{{"})");
  EXPECT_TRUE(contains(message([&] { load().render(hello, true); }), "tokenizer_config.json:1:"));
  put("tokenizer_config.json", "{}");
  EXPECT_TRUE(contains(message([&] { load().render(hello, true); }), "has no chat template"));
  fs::remove(at("tokenizer.json"));
  EXPECT_TRUE(contains(message([&] { load().encode("a"); }), "has no tokenizer"));
}

TEST(ModelSettings, DoSampleFalseIsTheLargestLogit) {
  ModelSettings s;
  s.read_generation_config(io::parse_json(R"({"do_sample": false, "temperature": 0.7})", "f"), "f");
  EXPECT_EQ(s.sampling.temperature, 0);
  ModelSettings t;
  t.read_generation_config(
      io::parse_json(R"({"do_sample": true, "min_p": 0.1, "typical_p": 0.8, "top_k": null})", "f"), "f");
  EXPECT_EQ(t.sampling, (SamplingOptions{.min_p = 0.1, .typical_p = 0.8}));
}

TEST(ModelSettings, WhatIsWrongIsNamed) {
  const auto generation = [](const char* text) {
    return message([&] { ModelSettings().read_generation_config(io::parse_json(text, "f"), "f"); });
  };
  EXPECT_EQ(generation("[]"), "f holds array, expected an object");
  EXPECT_EQ(generation(R"({"top_p": 2})"), "f: top_p is 2, expected above 0 and at most 1");
  EXPECT_TRUE(contains(generation(R"({"temperature": "hot"})"), "temperature"));
  EXPECT_TRUE(contains(generation(R"({"eos_token_id": [-1]})"), "eos_token_id"));
  const auto tokenizer = [](const char* text) {
    return message([&] { ModelSettings().read_tokenizer_config(io::parse_json(text, "f"), "f"); });
  };
  EXPECT_TRUE(contains(tokenizer(R"({"bos_token": 3})"), "f: bos_token is number, expected a token"));
  EXPECT_TRUE(contains(tokenizer(R"({"eos_token": {"text": "x"}})"), "eos_token: content"));
  EXPECT_TRUE(contains(tokenizer(R"({"chat_template": 1})"), "chat_template is number"));
  EXPECT_TRUE(contains(tokenizer(R"({"chat_template": ["x"]})"), "an entry of chat_template holds string"));
}

}  // namespace
}  // namespace suiren::infer
