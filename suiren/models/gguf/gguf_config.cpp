#include "suiren/models/gguf/gguf_config.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>

#include "suiren/base/error.h"
#include "suiren/models/families/fields.h"
#include "suiren/models/gguf/architectures.h"
#include "suiren/models/gguf/gguf_rope.h"
#include "suiren/models/gguf/keys.h"

namespace suiren::models {

using io::Json;

namespace {

/// A key of GGUF and the field of config.json that says the same; of some families, or (nullptr) all.
struct KeyRow {
  const char *key, *field;
  enum Kind { kSize, kNumber, kFlag } kind = kSize;
  const char* families = nullptr;  ///< each with a space on both sides
};

constexpr const char* kLatent = " deepseek_v2 deepseek_v3 minicpm3 ";
constexpr const char* kDeepSeek = " deepseek_v2 deepseek_v3 ";
constexpr const char* kGemma = " gemma2 gemma3_text ";
constexpr const char* kQwenMoe = " qwen2_moe qwen3_moe ";
constexpr const char* kNotGpt2 =
    " llama mistral mixtral qwen2 qwen2_moe qwen3 qwen3_moe phi3 gemma2 gemma3_text deepseek_v2 deepseek_v3 "
    "olmo2 "
    "glm4 smollm3 granite minicpm3 hunyuan_v1_dense ernie4_5 seed_oss gpt_oss ";
constexpr const char* kOwnHeadSize =
    " llama mistral mixtral qwen2 qwen2_moe qwen3 qwen3_moe phi3 gemma2 gemma3_text olmo2 glm4 smollm3 "
    "granite "
    "hunyuan_v1_dense ernie4_5 seed_oss gpt_oss ";

constexpr KeyRow kRows[] = {
    {"block_count", "num_hidden_layers", KeyRow::kSize, kNotGpt2},
    {"context_length", "max_position_embeddings", KeyRow::kSize, kNotGpt2},
    {"embedding_length", "hidden_size", KeyRow::kSize, kNotGpt2},
    {"feed_forward_length", "intermediate_size", KeyRow::kSize, kNotGpt2},
    {"attention.head_count", "num_attention_heads", KeyRow::kSize, kNotGpt2},
    {"attention.head_count_kv", "num_key_value_heads", KeyRow::kSize, kNotGpt2},
    {"attention.layer_norm_rms_epsilon", "rms_norm_eps", KeyRow::kNumber, kNotGpt2},
    {"rope.freq_base", "rope_theta", KeyRow::kNumber, kNotGpt2},
    {"attention.key_length", "head_dim", KeyRow::kSize, kOwnHeadSize},
    {"block_count", "n_layer", KeyRow::kSize, " gpt2 "},
    {"context_length", "n_positions", KeyRow::kSize, " gpt2 "},
    {"embedding_length", "n_embd", KeyRow::kSize, " gpt2 "},
    {"feed_forward_length", "n_inner", KeyRow::kSize, " gpt2 "},
    {"attention.head_count", "n_head", KeyRow::kSize, " gpt2 "},
    {"attention.layer_norm_epsilon", "layer_norm_epsilon", KeyRow::kNumber, " gpt2 "},

    {"attention.sliding_window", "sliding_window", KeyRow::kSize,
     " mistral mixtral phi3 gemma2 gemma3_text gpt_oss qwen2 qwen2_moe qwen3 qwen3_moe smollm3 "},
    {"attn_logit_softcapping", "attn_logit_softcapping", KeyRow::kNumber, kGemma},
    {"final_logit_softcapping", "final_logit_softcapping", KeyRow::kNumber, kGemma},
    {"rope.freq_base_swa", "rope_local_base_freq", KeyRow::kNumber, " gemma3_text "},

    {"attention.q_lora_rank", "q_lora_rank", KeyRow::kSize, kLatent},
    {"attention.kv_lora_rank", "kv_lora_rank", KeyRow::kSize, kLatent},
    {"rope.dimension_count", "qk_rope_head_dim", KeyRow::kSize, kLatent},

    {"expert_count", "num_local_experts", KeyRow::kSize, " mixtral gpt_oss "},
    {"expert_count", "num_experts", KeyRow::kSize, kQwenMoe},
    {"expert_count", "n_routed_experts", KeyRow::kSize, kDeepSeek},
    {"expert_used_count", "num_experts_per_tok", KeyRow::kSize,
     " mixtral qwen2_moe qwen3_moe gpt_oss deepseek_v2 deepseek_v3 "},
    {"expert_feed_forward_length", "moe_intermediate_size", KeyRow::kSize,
     " qwen2_moe qwen3_moe deepseek_v2 deepseek_v3 "},
    {"expert_feed_forward_length", "intermediate_size", KeyRow::kSize, " gpt_oss "},
    {"expert_shared_feed_forward_length", "shared_expert_intermediate_size", KeyRow::kSize, " qwen2_moe "},
    {"expert_weights_norm", "norm_topk_prob", KeyRow::kFlag, " qwen2_moe qwen3_moe deepseek_v2 deepseek_v3 "},
    {"expert_weights_scale", "routed_scaling_factor", KeyRow::kNumber, kDeepSeek},
    {"expert_shared_count", "n_shared_experts", KeyRow::kSize, kDeepSeek},
    {"leading_dense_block_count", "first_k_dense_replace", KeyRow::kSize, kDeepSeek},
    {"expert_group_count", "n_group", KeyRow::kSize, kDeepSeek},
    {"expert_group_used_count", "topk_group", KeyRow::kSize, kDeepSeek},

    {"attention.scale", "attention_multiplier", KeyRow::kNumber, " granite "},
    {"embedding_scale", "embedding_multiplier", KeyRow::kNumber, " granite "},
    {"residual_scale", "residual_multiplier", KeyRow::kNumber, " granite "},
    {"logit_scale", "logits_scaling", KeyRow::kNumber, " granite "},
    {"embedding_scale", "scale_emb", KeyRow::kNumber, " minicpm3 "},
};

bool among(const char* families, const std::string& model_type) {
  return std::string_view(families).find(" " + model_type + " ") != std::string_view::npos;
}

/// The family: architectures of GGUF hold several.
std::string family_of(const GgufKeys& keys, const io::Gguf& file) {
  const std::string_view name = keys.architecture();
  if (name == "llama")
    return keys.size_or("expert_count", 0) > 0               ? "mixtral"
           : keys.size_or("attention.sliding_window", 0) > 0 ? "mistral"
                                                             : "llama";
  if (name == "deepseek2") {
    constexpr int64_t kSoftmax = 1, kSigmoid = 2;
    // Older files of V3 do not state it, but have biases for the choice of experts.
    const bool biased = std::ranges::any_of(
        file.entries(), [](const io::BlockEntry& e) { return e.name.ends_with(".exp_probs_b.bias"); });
    const int64_t gating = keys.size_or("expert_gating_func", biased ? kSigmoid : kSoftmax);
    SR_CHECK_AS(kUnsupported, gating == kSoftmax || gating == kSigmoid,
                "{}: deepseek2.expert_gating_func is {}; there are 1 (softmax) and 2 (sigmoid)", file.path(),
                gating);
    return gating == kSigmoid ? "deepseek_v3" : "deepseek_v2";
  }
  std::string known;
  for (const GgufArchitecture& row : gguf_architectures()) {
    if (name == row.name) return row.model_type;
    if (known.find(row.name) == std::string::npos)
      known += (known.empty() ? "" : ", ") + std::string(row.name);
  }
  fail(ErrorCode::kUnsupported, "{}: general.architecture '{}' is not supported; there are {}", file.path(),
       name, known);
}

/// What a file may leave out, where config.json's defaults are others than llama.cpp's; what it may not.
void settle_silence(const GgufKeys& keys, const std::string& type, Json& j) {
  keys.require({"context_length", "embedding_length", "attention.head_count"});
  if (type == "gpt2") return keys.require({"feed_forward_length", "attention.layer_norm_epsilon"});
  keys.require({"attention.layer_norm_rms_epsilon"});
  const auto otherwise = [&](const char* field, const Json& value) {
    if (!j.contains(field)) j[field] = value;
  };
  const int64_t heads = keys.size("attention.head_count");
  otherwise("rope_theta", RopeConfig().theta);
  otherwise("num_key_value_heads", heads);
  if (among(kOwnHeadSize, type) && heads > 0) otherwise("head_dim", keys.size("embedding_length") / heads);
  if (among(" qwen2_moe qwen3_moe deepseek_v2 deepseek_v3 gpt_oss ", type))
    keys.require({"expert_feed_forward_length"});
  if (among(" mixtral qwen2_moe qwen3_moe deepseek_v2 deepseek_v3 gpt_oss ", type))
    keys.require({"expert_count", "expert_used_count"});
  if (type != "gpt_oss") keys.require({"feed_forward_length"});
  if (!among(kDeepSeek, type)) return;
  keys.require({"expert_shared_count"});
  otherwise("routed_scaling_factor", 1.0);
  otherwise("first_k_dense_replace", 0);
}

/// What config.json says and GGUF shows by the tensors that are there.
void read_tensors(const io::Gguf& file, const std::string& type, int64_t layers, Json& j) {
  const std::vector<int64_t>& embedding = file.entry("token_embd.weight").shape;
  SR_CHECK(embedding.size() == 2, "{}: token_embd.weight has {} extents, expected 2", file.path(),
           embedding.size());
  j["vocab_size"] = embedding[0];
  j["tie_word_embeddings"] = !file.contains("output.weight");
  const bool bias = file.contains("blk.0.attn_q.bias") || file.contains("blk.0.attn_q_a.bias");
  if (type == "qwen2_moe")
    j["qkv_bias"] = bias;
  else if (type == "ernie4_5")
    j["use_bias"] = bias;
  else if (!among(" gpt2 qwen2 mistral mixtral phi3 ", type))
    j["attention_bias"] = bias;
  if (type == "seed_oss") j["attention_out_bias"] = file.contains("blk.0.attn_output.bias");
  if (among(" llama smollm3 granite seed_oss minicpm3 ", type))
    j["mlp_bias"] = file.contains("blk.0.ffn_up.bias");
  if (!among(kQwenMoe, type)) return;
  j["decoder_sparse_step"] = 1;
  j["mlp_only_layers"] = Json::array();
  for (int64_t i = 0; i < layers; ++i)
    if (!file.contains(fmt::format("blk.{}.ffn_gate_inp.weight", i))) j["mlp_only_layers"].push_back(i);
}

/// Latent attention: sizes of heads. Newer files state those of the compressed keys and values, and the
/// heads' own apart.
void read_latent(const GgufKeys& keys, const io::Gguf& file, Json& j) {
  const int64_t rope = keys.size("rope.dimension_count"), heads = keys.size("attention.head_count");
  const int64_t key = keys.has("attention.key_length_mla") ? keys.size("attention.key_length_mla")
                                                           : keys.size("attention.key_length");
  SR_CHECK(key > rope, "{}: keys have {} elements, of which {} turn", file.path(), key, rope);
  j["qk_nope_head_dim"] = key - rope;
  j["num_key_value_heads"] = heads;
  keys.ignore({"attention.key_length", "attention.value_length", "attention.value_length_mla"});
  const std::vector<int64_t>& out = file.entry("blk.0.attn_output.weight").shape;
  SR_CHECK(out.size() == 2 && heads > 0 && out[1] % heads == 0,
           "{}: blk.0.attn_output.weight does not fit {} heads", file.path(), heads);
  j["v_head_dim"] = out[1] / heads;
  if (!keys.has("attention.q_lora_rank")) j["q_lora_rank"] = nullptr;
}

/// Which layers see a window: the file's pattern (a period or a list), or the architecture's.
void read_windows(const GgufKeys& keys, const std::string& type, int64_t layers, Json& j) {
  const bool windowed = keys.size_or("attention.sliding_window", 0) > 0;
  if (!j.contains("sliding_window")) return keys.ignore({"attention.sliding_window_pattern"});
  if (!windowed) j["sliding_window"] = nullptr;
  if (among(" qwen2 qwen2_moe qwen3 qwen3_moe smollm3 ", type)) j["use_sliding_window"] = windowed;
  if (among(" mistral mixtral phi3 qwen3_moe ", type)) return;
  int64_t period = gguf_architecture(type).window_period;
  std::vector<bool> pattern;
  if (keys.has("attention.sliding_window_pattern")) {
    if (keys.is_array("attention.sliding_window_pattern"))
      pattern = keys.flags("attention.sliding_window_pattern", layers);
    else
      period = keys.size("attention.sliding_window_pattern");
  }
  Json types = Json::array();
  for (int64_t i = 0; i < layers; ++i) {
    const bool here = windowed && (pattern.empty() ? period == 0 || (i + 1) % period != 0
                                                   : pattern[static_cast<size_t>(i)]);
    types.push_back(here ? "sliding_attention" : "full_attention");
  }
  j["layer_types"] = types;
}

/// Gemma's scores are divided by the root of a head's size, but in the largest model by that of
/// hidden_size / heads; files do not say it.
double gemma_scalar(const std::string& type, int64_t layers, int64_t hidden, int64_t heads,
                    int64_t head_dim) {
  const int64_t largest = type == "gemma2" ? 46 : 62;
  return layers == largest ? static_cast<double>(hidden) / static_cast<double>(heads)
                           : static_cast<double>(head_dim);
}

void read_family(const GgufKeys& keys, const std::string& type, const io::Gguf& file, int64_t layers,
                 Json& j) {
  if (among(kGemma, type)) {
    const double scale = keys.number_or("attention.scale", 0);
    const int64_t heads = std::max<int64_t>(keys.size("attention.head_count"), 1);
    j["query_pre_attn_scalar"] =
        scale > 0 ? shortest(static_cast<float>(1 / (scale * scale)))
                  : gemma_scalar(type, layers, keys.size("embedding_length"), heads,
                                 keys.size_or("attention.key_length", keys.size("embedding_length") / heads));
    for (const char* cap : {"attn_logit_softcapping", "final_logit_softcapping"})
      if (type == "gemma3_text" && !j.contains(cap)) j[cap] = nullptr;
  }
  if (type == "minicpm3") {
    const double depth = std::sqrt(static_cast<double>(layers));
    if (keys.has("residual_scale"))
      j["scale_depth"] = shortest(static_cast<float>(keys.number("residual_scale") * depth));
    if (keys.has("logit_scale"))
      j["dim_model_base"] = std::llround(static_cast<double>(keys.size("embedding_length")) /
                                         std::max(keys.number("logit_scale"), 1e-9));
  }
  if (type == "qwen3_moe" && !keys.has("expert_weights_norm")) j["norm_topk_prob"] = true;
  if (type == "deepseek_v3") j["num_nextn_predict_layers"] = 0;
  if (type == "deepseek_v2") {
    const bool grouped = keys.size_or("expert_group_count", 1) > 1;
    j["topk_method"] = grouped ? "group_limited_greedy" : "greedy";
    if (!grouped) j.erase("n_group"), j.erase("topk_group");
  }
  if (type == "deepseek_v3" && !keys.has("expert_group_count")) j["n_group"] = j["topk_group"] = 1;
  if (type == "gpt_oss") keys.ignore({"feed_forward_length"});
  if (among(kLatent, type)) read_latent(keys, file, j);
}

void read_tokens(const io::Gguf& file, Json& j) {
  for (const auto& [key, field] : {std::pair("tokenizer.ggml.bos_token_id", "bos_token_id"),
                                   std::pair("tokenizer.ggml.eos_token_id", "eos_token_id"),
                                   std::pair("tokenizer.ggml.padding_token_id", "pad_token_id")})
    j[field] = file.find(key) ? Json(file.integer(key)) : Json();
}

}  // namespace

Json gguf_config_json(const io::Gguf& file) {
  if (file.find("suiren.config"))
    return io::parse_json(file.string("suiren.config"), file.path() + ": suiren.config");
  const GgufKeys keys(file);
  const std::string type = family_of(keys, file);
  const int64_t layers = keys.size("block_count");
  SR_CHECK(layers > 0 && layers <= kMostLayers, "{}: block_count is {}, expected 1 to {}", file.path(),
           layers, kMostLayers);
  Json j = {{"model_type", type}};
  for (const KeyRow& row : kRows) {
    if (!among(row.families, type) || !keys.has(row.key)) continue;
    if (row.kind == KeyRow::kSize)
      j[row.field] = keys.size(row.key);
    else if (row.kind == KeyRow::kNumber)
      j[row.field] = keys.number(row.key);
    else
      j[row.field] = keys.flag(row.key);
  }
  settle_silence(keys, type, j);
  read_tensors(file, type, layers, j);
  read_family(keys, type, file, layers, j);
  read_windows(keys, type, layers, j);
  read_gguf_rope(keys, file, type, j);
  read_tokens(file, j);
  if (!among(kLatent, type) && keys.has("attention.value_length"))
    SR_CHECK_AS(kUnsupported, keys.size("attention.value_length") == keys.size_or("attention.key_length", -1),
                "{}: attention.value_length is {}, another than attention.key_length", file.path(),
                keys.size("attention.value_length"));
  keys.refuse_unknown();
  return j;
}

namespace {

void write_windows(const TransformerConfig& c, const std::string& prefix, io::GgufMetadata& m) {
  if (c.sliding_window == 0) return;
  const int64_t period = gguf_architecture(c.model_type).window_period;
  bool usual = true;
  std::vector<bool> pattern;
  for (int64_t i = 0; i < c.num_hidden_layers; ++i) {
    pattern.push_back(c.windowed(i));
    usual = usual && pattern.back() == (period == 0 || (i + 1) % period != 0);
  }
  if (!usual) m.set(prefix + "attention.sliding_window_pattern", pattern);
}

void write_family(const TransformerConfig& c, const std::string& prefix, io::GgufMetadata& m) {
  const auto size = [&](const char* key, int64_t n) { m.set(prefix + key, static_cast<uint32_t>(n)); };
  const auto number = [&](const char* key, double x) { m.set(prefix + key, static_cast<float>(x)); };
  const std::string& type = c.model_type;
  size("vocab_size", c.vocab_size);
  if (c.latent.kv_rank) {
    size("attention.key_length", c.head_dim);
    size("attention.value_length", c.latent.v_head_dim);
  } else if (type != "gpt2") {
    size("attention.value_length", c.head_dim);
    size("rope.dimension_count",
         std::llround(static_cast<double>(c.head_dim) * c.rope.partial_rotary_factor));
  }
  if (among(kGemma, type)) {
    const double usual =
        gemma_scalar(type, c.num_hidden_layers, c.hidden_size, c.num_attention_heads, c.head_dim);
    if (c.query_pre_attn_scalar != usual) number("attention.scale", c.attention_scale());
  }
  if (type == "minicpm3") {
    number("residual_scale", c.branch_multiplier());
    number("logit_scale", c.logit_divisor());
  }
  if (among(kDeepSeek, type)) size("expert_gating_func", type == "deepseek_v3" ? 2 : 1);
  write_windows(c, prefix, m);
}

}  // namespace

void write_gguf_config(const TransformerConfig& c, io::GgufMetadata& m) {
  const GgufArchitecture& architecture = gguf_architecture(c.model_type);
  m.set("general.architecture", architecture.name);
  const std::string prefix = std::string(architecture.name) + ".";
  const Json j = c.to_json();
  for (const KeyRow& row : kRows) {
    const auto found = j.find(row.field);
    if (!among(row.families, c.model_type) || found == j.end() || found->is_null()) continue;
    if (row.kind == KeyRow::kSize)
      m.set(prefix + row.key, static_cast<uint32_t>(found->get<int64_t>()));
    else if (row.kind == KeyRow::kNumber)
      m.set(prefix + row.key, static_cast<float>(found->get<double>()));
    else
      m.set(prefix + row.key, found->get<bool>());
  }
  write_family(c, prefix, m);
  write_gguf_rope(c, prefix, m);
  if (c.bos_token_id) m.set("tokenizer.ggml.bos_token_id", static_cast<uint32_t>(*c.bos_token_id));
  if (!c.eos_token_ids.empty())
    m.set("tokenizer.ggml.eos_token_id", static_cast<uint32_t>(c.eos_token_ids[0]));
  if (c.pad_token_id) m.set("tokenizer.ggml.padding_token_id", static_cast<uint32_t>(*c.pad_token_id));
}

}  // namespace suiren::models
