#include "suiren/models/config.h"

#include "suiren/models/families/families.h"
#include "suiren/models/rope_tables.h"
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
  EXPECT_EQ(q.qk_norm, QkNorm::kHead);
}

TEST(Config, BothSpellingsOfRope) {
  EXPECT_EQ(read(R"({"rope_theta": 5e5})").rope.theta, 5e5);
  EXPECT_EQ(read(R"({"rope_theta": 5e5, "rope_scaling": null})").rope.theta, 5e5);
  EXPECT_EQ(read(R"({"rope_parameters": {"rope_type": "default", "rope_theta": 7e5}})").rope.theta, 7e5);
  EXPECT_TRUE(contains(refusal(R"({"rope_theta": 1e4, "rope_parameters": {"rope_theta": 2e4}})"),
                       "c.json: rope_theta is 10000, but rope_parameters says 20000"));
  const TransformerConfig old = read(R"({"rope_theta": 5e5, "rope_scaling": {"type": "yarn", "factor": 4}})");
  EXPECT_EQ(old, read(R"({"rope_parameters": {"rope_type": "yarn", "factor": 4, "rope_theta": 5e5}})"));
  EXPECT_EQ(old.rope.type, "yarn");
  EXPECT_EQ(old.rope.factor, 4);
  EXPECT_TRUE(contains(refusal(R"({"rope_scaling": {"type": "mrope"}})"),
                       "c.json: rope_scaling: rope_type 'mrope' is not supported"));
  EXPECT_TRUE(contains(refusal(R"({"rope_scaling": {"type": "linear", "mrope_section": [1]}})"),
                       "c.json: rope_scaling: unknown key 'mrope_section'"));
  EXPECT_TRUE(contains(refusal(R"({"rope_scaling": {"type": "dynamic", "factor": 2, "alpha": 3}})"),
                       "unknown key 'alpha'"));
  EXPECT_TRUE(contains(refusal(R"({"rope_scaling": {"type": "linear"}})"), "needs a factor above 0"));
}

TEST(Config, EndTokens) {
  EXPECT_EQ(read(R"({"eos_token_id": [3, 5]})").eos_token_ids, (std::vector<int64_t>{3, 5}));
  EXPECT_TRUE(read(R"({"eos_token_id": null})").eos_token_ids.empty());
  EXPECT_FALSE(read(R"({"bos_token_id": null})").bos_token_id.has_value());
}

TEST(Config, RefusesByName) {
  EXPECT_EQ(refusal(R"({"hiden_size": 3})"), "c.json: unknown key 'hiden_size'; did you mean 'hidden_size'?");
  EXPECT_EQ(refusal(R"({"sparse_attention": {"top": 4}})"),
            "c.json: unknown key 'sparse_attention' (value {\"top\":4}): it may change what the model "
            "computes");
  EXPECT_TRUE(contains(refusal(R"({"model_type": "mamba"})"), "model_type 'mamba' is not supported"));
  EXPECT_TRUE(contains(refusal(R"({"architectures": ["LlamaForSequenceClassification"]})"),
                       "architecture [\"LlamaForSequenceClassification\"] is not supported"));
  EXPECT_TRUE(contains(refusal(R"({"hidden_act": "gelu"})"), "hidden_act 'gelu' is not supported"));
  EXPECT_TRUE(contains(refusal(R"({"sliding_window": 12})"), "sliding_window is 12; only null"));
  EXPECT_TRUE(contains(refusal(R"({"use_sliding_window": true})"), "use_sliding_window is true"));
  EXPECT_TRUE(
      contains(refusal(R"({"num_hidden_layers": 2, "layer_types": ["full_attention", "sliding_attention"]})"),
               "layer_types names sliding_attention"));
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

TEST(Config, EachFamilyHasTransformersDefaults) {
  const Json defaults = golden("families/config.json")["defaults"];
  EXPECT_EQ(defaults.size(), families().size());
  for (const Family& family : families()) {
    Json all = defaults.at(family.model_type), silent{{"model_type", family.model_type}};
    if (all.value("num_experts_per_tok", Json(0)).is_null())  // must be stated
      all["num_experts_per_tok"] = silent["num_experts_per_tok"] = 2;
    const TransformerConfig c = TransformerConfig::from_json(silent, family.model_type);
    EXPECT_EQ(c, TransformerConfig::from_json(all, family.model_type)) << family.model_type;
    EXPECT_EQ(c, TransformerConfig::from_json(c.to_json(), "again")) << family.model_type;
  }
}

TEST(Config, RotaryFrequenciesAreTransformers) {
  for (const Json& row : golden("families/config.json")["rope"]) {
    const TransformerConfig c = TransformerConfig::from_json(row["config"], "rope");
    const auto got = rope_frequencies(c.rope, c.head_dim, c.max_position_embeddings, row["length"]);
    const auto want = row["values"].get<std::vector<double>>();
    ASSERT_EQ(got.values.size(), want.size());
    for (size_t i = 0; i < want.size(); ++i)
      EXPECT_NEAR(got.values[i], want[i], 2e-6 * want[i]) << row["config"] << " pair " << i;
    EXPECT_NEAR(got.amplitude, row["amplitude"], 1e-12) << row["config"];
  }
}

TEST(Config, HunyuanStretchesThetaByAlpha) {
  const TransformerConfig c =
      TransformerConfig::from_json(Json::parse(R"({"model_type": "hunyuan_v1_dense", "head_dim": 8,
                      "rope_scaling": {"type": "dynamic", "alpha": 16, "factor": 1, "mscale": 1}})"),
                                   "hunyuan");
  const auto got = rope_frequencies(c.rope, 8, 2048, 1 << 20).values;
  for (size_t i = 0; i < 4; ++i)
    EXPECT_NEAR(got[i], std::pow(1e4 * std::pow(16, 8.0 / 6), -static_cast<double>(i) / 4), 1e-15);
}

TEST(Config, AWindowIsWhereTheFamilyPutsIt) {
  const auto windows = [](const char* text) {
    std::string pattern;
    const TransformerConfig c = read(text);
    for (int64_t i = 0; i < c.num_hidden_layers; ++i) pattern += c.windowed(i) ? 'w' : '-';
    return pattern + " " + std::to_string(c.sliding_window);
  };
  EXPECT_EQ(windows(R"({"model_type": "mistral", "num_hidden_layers": 3, "sliding_window": 9})"), "www 9");
  EXPECT_EQ(windows(R"({"model_type": "mistral", "num_hidden_layers": 3, "sliding_window": null})"), "--- 0");
  EXPECT_EQ(windows(R"({"model_type": "gemma2", "num_hidden_layers": 5})"), "w-w-w 4096");
  EXPECT_EQ(windows(R"({"model_type": "gemma3_text", "num_hidden_layers": 7, "sliding_window_pattern": 3})"),
            "ww-ww-w 4096");
  EXPECT_EQ(windows(R"({"model_type": "qwen2", "num_hidden_layers": 4, "sliding_window": 8,
                        "use_sliding_window": true, "max_window_layers": 3})"),
            "---w 8");
  EXPECT_EQ(windows(R"({"model_type": "qwen2", "num_hidden_layers": 4, "sliding_window": 8})"), "---- 0");
  EXPECT_EQ(windows(R"({"model_type": "qwen3", "num_hidden_layers": 2, "sliding_window": 8,
                        "use_sliding_window": true, "layer_types": ["sliding_attention", "full_attention"]})"),
            "w- 8");
}

TEST(Config, ExpertsStandInTheLayersThatTheFamilyNames) {
  const TransformerConfig c = read(R"({"model_type": "qwen3_moe", "num_hidden_layers": 6,
                                       "decoder_sparse_step": 2, "mlp_only_layers": [3]})");
  std::string pattern;
  for (int64_t i = 0; i < 6; ++i) pattern += c.sparse(i) ? 'e' : '-';
  EXPECT_EQ(pattern, "-e---e");
  EXPECT_TRUE(contains(refusal(R"({"model_type": "qwen3_moe", "num_experts": 4, "num_experts_per_tok": 5})"),
                       "5 experts a token of 4"));
  EXPECT_TRUE(
      contains(refusal(R"({"model_type": "deepseek_v3", "n_group": 7})"), "do not make 7 equal groups"));
  EXPECT_TRUE(contains(refusal(R"({"model_type": "deepseek_v2", "num_experts_per_tok": 2,
                                   "scoring_func": "sigmoid"})"),
                       "scoring_func is \"sigmoid\"; only \"softmax\" is supported"));
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
  c.tie_word_embeddings = c.attention_bias = c.attention_out_bias = c.mlp_bias = true;
  EXPECT_EQ(TransformerConfig::from_json(c.to_json(), "again"), c);
}

}  // namespace
}  // namespace suiren::models
