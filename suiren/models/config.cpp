#include "suiren/models/config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "suiren/base/error.h"

namespace suiren::models {
namespace {

using io::Json;

struct Family {
  const char* model_type;
  const char* architecture;
};
constexpr std::array<Family, 2> kFamilies = {{{"llama", "LlamaForCausalLM"}, {"qwen3", "Qwen3ForCausalLM"}}};

// Keys that have a meaning here: read, or checked to have the one value that is built.
constexpr const char* kKnownKeys[] = {
    "model_type",
    "architectures",
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "hidden_act",
    "max_position_embeddings",
    "rms_norm_eps",
    "rope_theta",
    "rope_parameters",
    "rope_scaling",
    "initializer_range",
    "tie_word_embeddings",
    "attention_bias",
    "mlp_bias",
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
    "attention_dropout",
    "sliding_window",
    "use_sliding_window",
    "layer_types",
    "partial_rotary_factor",
};
// Keys that change nothing that is computed here.
constexpr const char* kHarmlessKeys[] = {
    "_name_or_path",
    "chunk_size_feed_forward",
    "dtype",
    "finetuning_task",
    "gradient_checkpointing",
    "id2label",
    "is_encoder_decoder",
    "label2id",
    "max_window_layers",
    "output_attentions",
    "output_hidden_states",
    "pretraining_tp",
    "problem_type",
    "return_dict",
    "task_specific_params",
    "tokenizer_class",
    "torch_dtype",
    "transformers_version",
    "unsloth_version",
    "use_cache",
};

// The members of one object, with messages that begin with the file's name.
class Reader {
 public:
  Reader(const Json& json, const std::string& name) : json_(json), name_(name) {
    SR_CHECK(json.is_object(), "{}: expected a JSON object", name);
  }
  // The member, or null when it is missing or null.
  const Json* find(const char* key) const {
    const auto found = json_.find(key);
    return found == json_.end() || found->is_null() ? nullptr : &*found;
  }
  bool has(const char* key) const { return json_.contains(key); }
  const std::string& name() const { return name_; }
  void size(const char* key, int64_t& value, int64_t least = 1) const {
    if (!find(key)) return;
    value = io::json_int(json_, key, name_);
    constexpr int64_t kMost = int64_t{1} << 31;
    SR_CHECK(value >= least && value <= kMost, "{}: {} is {}, expected {} to {}", name_, key, value, least,
             kMost);
  }
  void number(const char* key, double& value) const {
    if (find(key)) value = io::json_number(json_, key, name_);
  }
  void flag(const char* key, bool& value) const {
    if (find(key)) value = io::json_bool(json_, key, name_);
  }
  std::string text(const char* key, const std::string& otherwise) const {
    return find(key) ? io::json_string(json_, key, name_) : otherwise;
  }
  void token(const char* key, std::optional<int64_t>& id) const {
    if (!has(key)) return;
    id.reset();
    if (find(key)) id = io::json_int(json_, key, name_);
  }

 private:
  const Json& json_;
  const std::string& name_;
};

template <size_t N>
bool contains(const char* const (&keys)[N], const std::string& key) {
  return std::find(std::begin(keys), std::end(keys), key) != std::end(keys);
}

void check_keys(const Json& json, const std::string& name) {
  for (const auto& [key, value] : json.items()) {
    if (contains(kKnownKeys, key) || contains(kHarmlessKeys, key)) continue;
    const std::string near = nearest(key, kKnownKeys);
    SR_CHECK(near.empty(), "{}: unknown key '{}'; did you mean '{}'?", name, key, near);
    fail(ErrorCode::kUnsupported, "{}: unknown key '{}' (value {}): it may change what the model computes",
         name, key, value.dump().substr(0, 60));
  }
}

std::string family_of(const Reader& r) {
  const Json* architectures = r.find("architectures");
  std::string type = r.text("model_type", "");
  if (architectures && architectures->is_array() && !architectures->empty()) {
    const auto family = std::find_if(kFamilies.begin(), kFamilies.end(), [&](const Family& f) {
      return std::find(architectures->begin(), architectures->end(), f.architecture) != architectures->end();
    });
    SR_CHECK_AS(kUnsupported, family != kFamilies.end(),
                "{}: architecture {} is not supported; there are LlamaForCausalLM and Qwen3ForCausalLM",
                r.name(), architectures->dump());
    if (type.empty()) type = family->model_type;
  }
  if (type.empty()) type = kFamilies[0].model_type;
  const bool known =
      std::any_of(kFamilies.begin(), kFamilies.end(), [&](const Family& f) { return type == f.model_type; });
  SR_CHECK_AS(kUnsupported, known, "{}: model_type '{}' is not supported; there are llama and qwen3",
              r.name(), type);
  return type;
}

// Rope settings stand in rope_parameters (transformers 5) or in rope_theta and rope_scaling.
void read_rope(const Reader& r, TransformerConfig& c) {
  r.number("rope_theta", c.rope_theta);
  for (const char* key : {"rope_parameters", "rope_scaling"}) {
    const Json* object = r.find(key);
    if (!object) continue;
    const std::string name = r.name() + ": " + key;
    const Reader rope(*object, name);
    const std::string type = rope.text("rope_type", rope.text("type", "default"));
    SR_CHECK_AS(kUnsupported, type == "default", "{}: rope_type '{}' is not supported; there is only default",
                name, type);
    for (const auto& [member, value] : object->items())
      SR_CHECK_AS(kUnsupported,
                  member == "rope_type" || member == "type" || member == "rope_theta" ||
                      member == "original_max_position_embeddings" || value.is_null(),
                  "{}: unknown key '{}' (value {}): it may change what the model computes", name, member,
                  value.dump().substr(0, 60));
    double theta = c.rope_theta;
    rope.number("rope_theta", theta);
    SR_CHECK(!r.find("rope_theta") || theta == c.rope_theta,
             "{}: rope_theta is {}, but {} says {}; make them equal", r.name(), c.rope_theta, key, theta);
    c.rope_theta = theta;
  }
}

// Settings that exist elsewhere and have one supported value here.
void check_fixed(const Reader& r, const TransformerConfig& c) {
  const std::string act = r.text("hidden_act", "silu");
  SR_CHECK_AS(kUnsupported, act == "silu", "{}: hidden_act '{}' is not supported; there is only silu",
              r.name(), act);
  double dropout = 0, rotary = 1;
  r.number("attention_dropout", dropout);
  SR_CHECK_AS(kUnsupported, dropout == 0, "{}: attention_dropout is {}; only 0 is supported", r.name(),
              dropout);
  r.number("partial_rotary_factor", rotary);
  SR_CHECK_AS(kUnsupported, rotary == 1, "{}: partial_rotary_factor is {}; only 1 is supported", r.name(),
              rotary);
  bool sliding = !c.qk_norm() && r.find("sliding_window");  // qwen3 has a switch beside it, off by default
  r.flag("use_sliding_window", sliding);
  SR_CHECK_AS(kUnsupported, !sliding, "{}: sliding_window is not supported; set use_sliding_window to false",
              r.name());
  if (const Json* types = r.find("layer_types"))
    for (const Json& type : *types)
      SR_CHECK_AS(kUnsupported, type == "full_attention",
                  "{}: layer_types holds {}; only full_attention is supported", r.name(), type.dump());
}

void read_end_tokens(const Reader& r, const Json& json, TransformerConfig& c) {
  if (!r.has("eos_token_id")) return;
  c.eos_token_ids.clear();
  const Json* value = r.find("eos_token_id");
  if (!value) return;
  if (value->is_array())
    c.eos_token_ids = io::json_sizes(json, "eos_token_id", r.name());
  else
    c.eos_token_ids = {io::json_int(json, "eos_token_id", r.name())};
}

// What transformers' configuration class of the family says where config.json is silent.
TransformerConfig defaults(const std::string& model_type) {
  TransformerConfig c;
  c.model_type = model_type;
  if (model_type == "qwen3") {
    c.vocab_size = 151936;
    c.intermediate_size = 22016;
    c.max_position_embeddings = 32768;
    c.bos_token_id.reset();
    c.eos_token_ids.clear();
  }
  return c;
}

}  // namespace

TransformerConfig TransformerConfig::from_json(const Json& json, const std::string& name) {
  const Reader r(json, name);
  TransformerConfig c = defaults(family_of(r));
  check_keys(json, name);
  r.size("vocab_size", c.vocab_size);
  r.size("hidden_size", c.hidden_size);
  r.size("intermediate_size", c.intermediate_size);
  r.size("num_hidden_layers", c.num_hidden_layers);
  r.size("num_attention_heads", c.num_attention_heads);
  if (!c.qk_norm() || (r.has("num_key_value_heads") && !r.find("num_key_value_heads")))
    c.num_key_value_heads = c.num_attention_heads;
  r.size("num_key_value_heads", c.num_key_value_heads);
  if (!c.qk_norm()) c.head_dim = c.hidden_size / c.num_attention_heads;
  r.size("head_dim", c.head_dim);
  r.size("max_position_embeddings", c.max_position_embeddings);
  r.number("rms_norm_eps", c.rms_norm_eps);
  r.number("initializer_range", c.initializer_range);
  r.flag("tie_word_embeddings", c.tie_word_embeddings);
  r.flag("attention_bias", c.attention_bias);
  r.flag("mlp_bias", c.mlp_bias);
  r.token("bos_token_id", c.bos_token_id);
  r.token("pad_token_id", c.pad_token_id);
  read_end_tokens(r, json, c);
  read_rope(r, c);
  check_fixed(r, c);
  SR_CHECK_AS(kUnsupported, !(c.qk_norm() && c.mlp_bias),
              "{}: mlp_bias is not supported with model_type qwen3", name);
  c.validate(name);
  return c;
}

TransformerConfig TransformerConfig::load(const std::string& folder) {
  const std::string path = folder + "/config.json";
  return from_json(io::read_json(path), path);
}

Json TransformerConfig::to_json() const {
  const auto* family = std::find_if(kFamilies.begin(), kFamilies.end(),
                                    [&](const Family& f) { return model_type == f.model_type; });
  Json j = {
      {"architectures", Json::array({family->architecture})},
      {"model_type", model_type},
      {"vocab_size", vocab_size},
      {"hidden_size", hidden_size},
      {"intermediate_size", intermediate_size},
      {"num_hidden_layers", num_hidden_layers},
      {"num_attention_heads", num_attention_heads},
      {"num_key_value_heads", num_key_value_heads},
      {"head_dim", head_dim},
      {"hidden_act", "silu"},
      {"max_position_embeddings", max_position_embeddings},
      {"rms_norm_eps", rms_norm_eps},
      {"rope_theta", rope_theta},
      {"rope_parameters", {{"rope_type", "default"}, {"rope_theta", rope_theta}}},
      {"initializer_range", initializer_range},
      {"tie_word_embeddings", tie_word_embeddings},
      {"attention_bias", attention_bias},
      {"attention_dropout", 0.0},
      {"use_cache", true},
      {"dtype", "float32"},
      {"torch_dtype", "float32"},
      {"bos_token_id", bos_token_id ? Json(*bos_token_id) : Json()},
      {"pad_token_id", pad_token_id ? Json(*pad_token_id) : Json()},
      {"eos_token_id", eos_token_ids.empty()       ? Json()
                       : eos_token_ids.size() == 1 ? Json(eos_token_ids[0])
                                                   : Json(eos_token_ids)},
  };
  if (!qk_norm()) j["mlp_bias"] = mlp_bias;
  return j;
}

void TransformerConfig::save(const std::string& folder) const {
  io::write_json(folder + "/config.json", to_json());
}

void TransformerConfig::validate(const std::string& name) const {
  const std::pair<const char*, int64_t> sizes[] = {{"vocab_size", vocab_size},
                                                   {"hidden_size", hidden_size},
                                                   {"intermediate_size", intermediate_size},
                                                   {"num_hidden_layers", num_hidden_layers},
                                                   {"num_attention_heads", num_attention_heads},
                                                   {"num_key_value_heads", num_key_value_heads},
                                                   {"head_dim", head_dim},
                                                   {"max_position_embeddings", max_position_embeddings}};
  for (const auto& [field, value] : sizes)
    SR_CHECK(value >= 1, "{}: {} is {}, expected at least 1", name, field, value);
  SR_CHECK(qk_norm() || hidden_size % num_attention_heads == 0,
           "{}: hidden_size {} is not a multiple of num_attention_heads {}", name, hidden_size,
           num_attention_heads);
  SR_CHECK(num_attention_heads % num_key_value_heads == 0,
           "{}: num_attention_heads {} is not a multiple of num_key_value_heads {}", name,
           num_attention_heads, num_key_value_heads);
  SR_CHECK(head_dim % 2 == 0, "{}: head_dim is {}, expected an even number: rotary positions turn pairs",
           name, head_dim);
  SR_CHECK(rms_norm_eps > 0, "{}: rms_norm_eps is {}, expected a number above 0", name, rms_norm_eps);
  SR_CHECK(rope_theta > 0 && std::isfinite(rope_theta), "{}: rope_theta is {}, expected a number above 0",
           name, rope_theta);
  SR_CHECK(initializer_range >= 0 && initializer_range <= 1, "{}: initializer_range is {}, expected 0 to 1",
           name, initializer_range);
}

// In double: exact below 2^53, and sizes from a hostile file cannot overflow.
int64_t TransformerConfig::parameter_count() const {
  const auto hidden = static_cast<double>(hidden_size), ffn = static_cast<double>(intermediate_size);
  const double q = static_cast<double>(num_attention_heads) * static_cast<double>(head_dim);
  const double kv = static_cast<double>(num_key_value_heads) * static_cast<double>(head_dim);
  double layer = hidden * (2 * q + 2 * kv) + 3 * hidden * ffn + 2 * hidden;
  if (qk_norm()) layer += 2 * static_cast<double>(head_dim);
  if (attention_bias) layer += q + 2 * kv + hidden;
  if (mlp_bias) layer += 2 * ffn + hidden;
  const double embedding = static_cast<double>(vocab_size) * hidden * (tie_word_embeddings ? 1 : 2);
  return static_cast<int64_t>(
      std::min(embedding + static_cast<double>(num_hidden_layers) * layer + hidden, 0x1p62));
}

}  // namespace suiren::models
