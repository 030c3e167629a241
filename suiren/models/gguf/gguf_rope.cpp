#include "suiren/models/gguf/gguf_rope.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "suiren/base/error.h"
#include "suiren/models/gguf/gguf_config.h"
#include "suiren/models/rope_tables.h"

namespace suiren::models {

using io::Json;

namespace {

/// DeepSeek's mscale_all_dim stands in GGUF times this.
constexpr double kLogMultiplier = 0.1;

double relative_difference(double a, double b) {
  return std::abs(a - b) / std::max(std::abs(a), std::abs(b));
}

/// What Yarn multiplies cos and sin by where no file says otherwise.
double yarn_amplitude(double factor) { return factor <= 1 ? 1 : 0.1 * std::log(factor) + 1; }
double longrope_amplitude(double positions, double original) {
  return positions <= original ? 1 : std::sqrt(1 + std::log(positions / original) / std::log(original));
}

std::vector<double> factors(const io::Gguf& file, const std::string& name) {
  const io::BlockEntry& e = file.entry(name);
  SR_CHECK(e.format == quant::BlockFormat::kF32 && e.shape.size() == 1, "{}: {} is no list of f32",
           file.path(), name);
  std::vector<double> out;
  for (size_t at = 0; at < e.bytes.size(); at += sizeof(float)) {
    float x;
    std::memcpy(&x, e.bytes.data() + at, sizeof x);
    SR_CHECK(std::isfinite(x) && x > 0, "{}: {} holds {}, expected numbers above 0", file.path(), name, x);
    out.push_back(shortest(x));
  }
  return out;
}

/// What each frequency of a head is divided by.
std::vector<double> llama3_divisors(const RopeConfig& rope, int64_t dim, int64_t positions) {
  RopeConfig plain;
  plain.theta = rope.theta;
  std::vector<double> base = rope_frequencies(plain, dim, positions, positions).values;
  const std::vector<double> scaled = rope_frequencies(rope, dim, positions, positions).values;
  for (size_t i = 0; i < base.size(); ++i) base[i] /= scaled[i];
  return base;
}

/// Llama 3's published settings, if they make these factors.
Json llama3_object(const std::vector<double>& list, double theta) {
  constexpr int64_t kOriginal = 8192;
  constexpr double kTolerance = 1e-5;
  RopeConfig rope;
  rope.type = "llama3";
  rope.theta = theta;
  rope.factor = *std::ranges::max_element(list);
  rope.original_max_position_embeddings = kOriginal;
  const auto dim = static_cast<int64_t>(2 * list.size());
  const std::vector<double> expected = llama3_divisors(rope, dim, kOriginal);
  for (size_t i = 0; i < list.size(); ++i)
    if (relative_difference(list[i], expected[i]) > kTolerance) return nullptr;
  return {{"rope_type", "llama3"},
          {"factor", *rope.factor},
          {"low_freq_factor", rope.low_freq_factor},
          {"high_freq_factor", rope.high_freq_factor},
          {"original_max_position_embeddings", kOriginal}};
}

Json freqs_object(const GgufKeys& keys, const io::Gguf& file, int64_t dim, const Json& j) {
  const std::vector<double> list = factors(file, "rope_freqs.weight");
  SR_CHECK(!list.empty() && 2 * std::ssize(list) == dim,
           "{}: rope_freqs.weight has {} factors for heads of {}", file.path(), list.size(), dim);
  const double theta = j["rope_theta"].get<double>();
  if (theta > 0)
    if (Json object = llama3_object(list, theta); !object.is_null()) return object;
  return {{"rope_type", "longrope"}, {"factor", 1.0},
          {"attention_factor", 1.0}, {"short_factor", list},
          {"long_factor", list},     {"original_max_position_embeddings", keys.size("context_length")}};
}

Json longrope_object(const GgufKeys& keys, const io::Gguf& file, const std::string& type, Json& j) {
  const int64_t positions = keys.size("context_length");
  const int64_t original = keys.size_or("rope.scaling.original_context_length", positions);
  Json object = {{"rope_type", "longrope"},
                 {"short_factor", factors(file, "rope_factors_short.weight")},
                 {"long_factor", factors(file, "rope_factors_long.weight")},
                 {"original_max_position_embeddings", original}};
  constexpr double kTolerance = 1e-5;
  const double usual = longrope_amplitude(static_cast<double>(positions), static_cast<double>(original));
  const double amplitude = keys.number_or("rope.scaling.attn_factor", usual);
  if (relative_difference(amplitude, usual) > kTolerance) object["attention_factor"] = amplitude;
  if (type == "phi3") j["original_max_position_embeddings"] = original;
  keys.ignore({"rope.scaling.factor"});
  return object;
}

Json yarn_object(const GgufKeys& keys, const std::string& type) {
  const double factor = keys.number("rope.scaling.factor");
  Json object = {{"rope_type", "yarn"}, {"factor", factor}};
  if (keys.has("rope.scaling.original_context_length"))
    object["original_max_position_embeddings"] = keys.size("rope.scaling.original_context_length");
  if (keys.has("rope.scaling.yarn_beta_fast"))
    object["beta_fast"] = keys.number("rope.scaling.yarn_beta_fast");
  if (keys.has("rope.scaling.yarn_beta_slow"))
    object["beta_slow"] = keys.number("rope.scaling.yarn_beta_slow");
  for (const char* key : {"rope.scaling.attn_factor", "rope.scaling.yarn_attn_factor"})
    if (const double part = keys.number_or(key, 1); part != 1)
      object["attention_factor"] = shortest(static_cast<float>(part * yarn_amplitude(factor)));
  if (const double log = keys.number_or("rope.scaling.yarn_log_multiplier", 0); log != 0)
    object["mscale"] = object["mscale_all_dim"] = shortest(static_cast<float>(log / kLogMultiplier));
  if (type == "gpt_oss") object["truncate"] = false;
  return object;
}

}  // namespace

void read_gguf_rope(const GgufKeys& keys, const io::Gguf& file, const std::string& type, Json& j) {
  if (type == "gpt2") return;
  const bool latent = j.contains("kv_lora_rank");
  const int64_t heads = std::max<int64_t>(keys.size("attention.head_count"), 1);
  const int64_t dim = latent ? keys.size("rope.dimension_count")
                             : keys.size_or("attention.key_length", keys.size("embedding_length") / heads);
  if (!latent && keys.has("rope.dimension_count")) {
    const int64_t turns = keys.size("rope.dimension_count");
    if (dim > 0 && (turns != dim || type == "glm4"))
      j["partial_rotary_factor"] = static_cast<double>(turns) / static_cast<double>(dim);
  }
  const bool has_factor = keys.number_or("rope.scaling.factor", 0) > 0;
  std::string scaling = keys.has("rope.scaling.type") ? keys.text("rope.scaling.type")
                        : has_factor                  ? "linear"
                                                      : "none";
  if (file.contains("rope_factors_long.weight")) scaling = "longrope";
  SR_CHECK_AS(kUnsupported,
              scaling == "none" || scaling == "linear" || scaling == "yarn" || scaling == "longrope",
              "{}: rope.scaling.type '{}' is not supported; there are none, linear, yarn and longrope",
              file.path(), scaling);
  if (scaling == "longrope")
    j["rope_scaling"] = longrope_object(keys, file, type, j);
  else if (scaling == "yarn")
    j["rope_scaling"] = yarn_object(keys, type);
  else if (scaling == "linear")
    j["rope_scaling"] = {{"rope_type", "linear"}, {"factor", keys.number("rope.scaling.factor")}};
  if (scaling == "none" || scaling == "linear")
    keys.ignore({"rope.scaling.original_context_length", "rope.scaling.alpha"});
  if (!file.contains("rope_freqs.weight")) return;
  SR_CHECK_AS(kUnsupported, scaling == "none",
              "{}: rope_freqs.weight beside rope.scaling.type '{}' is not supported", file.path(), scaling);
  j["rope_scaling"] = freqs_object(keys, file, dim, j);
}

void write_gguf_rope(const TransformerConfig& c, const std::string& prefix, io::GgufMetadata& m) {
  const RopeConfig& r = c.rope;
  if (c.learned_positions || r.type == "default" || r.type == "llama3" || r.type == "dynamic") return;
  const auto number = [&](const char* key, double x) { m.set(prefix + key, static_cast<float>(x)); };
  const auto positions = static_cast<double>(c.max_position_embeddings);
  const int64_t original = r.original_max_position_embeddings.value_or(c.max_position_embeddings);
  if (r.type == "ntk_alpha") {  // nothing but another base
    const auto d = static_cast<double>(c.head_dim);
    return number("rope.freq_base", r.theta * std::pow(*r.alpha, d / (d - 2)));
  }
  m.set(prefix + "rope.scaling.type", r.type);
  if (r.type == "linear") return number("rope.scaling.factor", *r.factor);
  m.set(prefix + "rope.scaling.original_context_length", static_cast<uint32_t>(original));
  const double stretch = positions / static_cast<double>(original);
  if (r.type == "longrope") {
    const double usual = longrope_amplitude(r.factor.value_or(stretch) * static_cast<double>(original),
                                            static_cast<double>(original));
    return number("rope.scaling.attn_factor", r.attention_factor.value_or(usual));
  }
  const double factor = r.factor.value_or(stretch);
  number("rope.scaling.factor", factor);
  const RopeConfig fresh;
  if (r.beta_fast != fresh.beta_fast) number("rope.scaling.yarn_beta_fast", r.beta_fast);
  if (r.beta_slow != fresh.beta_slow) number("rope.scaling.yarn_beta_slow", r.beta_slow);
  if (r.attention_factor) number("rope.scaling.attn_factor", *r.attention_factor / yarn_amplitude(factor));
  if (r.mscale_all_dim != 0) number("rope.scaling.yarn_log_multiplier", kLogMultiplier * r.mscale_all_dim);
}

bool is_gguf_rope_tensor(std::string_view name) {
  return name == "rope_freqs.weight" || name == "rope_factors_long.weight" ||
         name == "rope_factors_short.weight";
}

std::vector<std::pair<std::string, std::vector<float>>> gguf_rope_tensors(const TransformerConfig& c) {
  const RopeConfig& r = c.rope;
  if (c.learned_positions) return {};
  if (r.type == "longrope")
    return {{"rope_factors_long.weight", {r.long_factor.begin(), r.long_factor.end()}},
            {"rope_factors_short.weight", {r.short_factor.begin(), r.short_factor.end()}}};
  if (r.type != "llama3") return {};
  const std::vector<double> list =
      llama3_divisors(r, c.latent.kv_rank ? c.latent.rope_head_dim : c.head_dim, c.max_position_embeddings);
  return {{"rope_freqs.weight", {list.begin(), list.end()}}};
}

}  // namespace suiren::models
