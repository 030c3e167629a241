#include "suiren/models/config.h"

#include "tests/models/support.h"

namespace suiren::models {
namespace {

using Json = nlohmann::json;

TransformerConfig read(const char* text) { return TransformerConfig::from_json(Json::parse(text), "c.json"); }
std::string refusal(const char* text) {
  return message([&] { read(text); });
}

TEST(Config, MissingKeysTakeTransformersDefaults) {
  EXPECT_EQ(read("{}"), TransformerConfig());
  const TransformerConfig c = read(R"({"hidden_size": 64, "num_attention_heads": 4})");
  EXPECT_EQ(c.num_key_value_heads, 4);
  EXPECT_EQ(c.head_dim, 16);
  EXPECT_EQ(c.vocab_size, 32000);
  EXPECT_EQ(c.bos_token_id, 1);
  EXPECT_EQ(c.eos_token_ids, std::vector<int64_t>{2});
  const TransformerConfig q = read(R"({"model_type": "qwen3"})");
  EXPECT_EQ(q.vocab_size, 151936);
  EXPECT_EQ(q.intermediate_size, 22016);
  EXPECT_EQ(q.max_position_embeddings, 32768);
  EXPECT_EQ(q.head_dim, 128);
  EXPECT_FALSE(q.bos_token_id.has_value());
  EXPECT_TRUE(q.eos_token_ids.empty());
  EXPECT_TRUE(q.qk_norm());
}

TEST(Config, BothSpellingsOfRope) {
  EXPECT_EQ(read(R"({"rope_theta": 5e5})").rope_theta, 5e5);
  EXPECT_EQ(read(R"({"rope_theta": 5e5, "rope_scaling": null})").rope_theta, 5e5);
  EXPECT_EQ(read(R"({"rope_parameters": {"rope_type": "default", "rope_theta": 7e5}})").rope_theta, 7e5);
  EXPECT_TRUE(contains(refusal(R"({"rope_theta": 1e4, "rope_parameters": {"rope_theta": 2e4}})"),
                       "c.json: rope_theta is 10000, but rope_parameters says 20000"));
  EXPECT_TRUE(contains(refusal(R"({"rope_scaling": {"type": "yarn", "factor": 4}})"),
                       "c.json: rope_scaling: rope_type 'yarn' is not supported"));
}

TEST(Config, EndTokens) {
  EXPECT_EQ(read(R"({"eos_token_id": [3, 5]})").eos_token_ids, (std::vector<int64_t>{3, 5}));
  EXPECT_TRUE(read(R"({"eos_token_id": null})").eos_token_ids.empty());
  EXPECT_FALSE(read(R"({"bos_token_id": null})").bos_token_id.has_value());
}

TEST(Config, RefusesByName) {
  EXPECT_EQ(refusal(R"({"hiden_size": 3})"), "c.json: unknown key 'hiden_size'; did you mean 'hidden_size'?");
  EXPECT_EQ(refusal(R"({"quantization_config": {"bits": 4}})"),
            "c.json: unknown key 'quantization_config' (value {\"bits\":4}): it may change what the model "
            "computes");
  EXPECT_TRUE(contains(refusal(R"({"model_type": "mistral"})"), "model_type 'mistral' is not supported"));
  EXPECT_TRUE(contains(refusal(R"({"architectures": ["LlamaForSequenceClassification"]})"),
                       "architecture [\"LlamaForSequenceClassification\"] is not supported"));
  EXPECT_TRUE(contains(refusal(R"({"hidden_act": "gelu"})"), "hidden_act 'gelu' is not supported"));
  EXPECT_TRUE(contains(refusal(R"({"sliding_window": 12})"), "sliding_window is not supported"));
  EXPECT_TRUE(contains(refusal(R"({"model_type": "qwen3", "use_sliding_window": true})"), "sliding_window"));
  EXPECT_TRUE(
      contains(refusal(R"({"layer_types": ["full_attention", "sliding_attention"]})"), "layer_types"));
  EXPECT_TRUE(contains(refusal(R"({"attention_dropout": 0.1})"), "attention_dropout is 0.1"));
  EXPECT_TRUE(contains(refusal(R"({"vocab_size": "many"})"), "c.json: vocab_size is"));
  EXPECT_TRUE(contains(refusal(R"({"num_hidden_layers": 0})"), "num_hidden_layers is 0, expected 1 to"));
  EXPECT_EQ(refusal(R"({"hidden_size": 65, "num_attention_heads": 4})"),
            "c.json: hidden_size 65 is not a multiple of num_attention_heads 4");
  EXPECT_EQ(refusal(R"({"num_key_value_heads": 5})"),
            "c.json: num_attention_heads 32 is not a multiple of num_key_value_heads 5");
  EXPECT_TRUE(contains(refusal(R"({"head_dim": 15})"), "head_dim is 15, expected an even number"));
  EXPECT_EQ(refusal("[1]"), "c.json: expected a JSON object");
}

TEST(Config, WritesWhatItReads) {
  for (const char* family : {"llama", "qwen3"}) {
    const TransformerConfig c = TransformerConfig::load(kFamilies + family);
    const Json json = c.to_json();
    EXPECT_EQ(TransformerConfig::from_json(json, "again"), c);
    EXPECT_EQ(json["rope_theta"], json["rope_parameters"]["rope_theta"]);
    EXPECT_EQ(json["architectures"],
              golden(std::string("families/") + family + "/config.json")["architectures"]);
  }
  TransformerConfig c;
  c.eos_token_ids = {1, 7};
  c.bos_token_id.reset();
  c.tie_word_embeddings = c.attention_bias = c.mlp_bias = true;
  EXPECT_EQ(TransformerConfig::from_json(c.to_json(), "again"), c);
}

}  // namespace
}  // namespace suiren::models
