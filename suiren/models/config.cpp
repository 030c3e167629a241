#include "suiren/models/config.h"

#include <algorithm>
#include <cmath>

#include "suiren/base/error.h"

namespace suiren::models {
namespace {

// Rotary settings whose tables can be computed; `dim` elements of a head are offered to them.
void validate_rope(const RopeConfig& r, int64_t dim, int64_t positions, const std::string& name) {
  SR_CHECK(r.theta > 0 && std::isfinite(r.theta), "{}: rope_theta is {}, expected a number above 0", name,
           r.theta);
  const double rotary = std::floor(static_cast<double>(dim) * r.partial_rotary_factor);
  SR_CHECK(
      r.partial_rotary_factor > 0 && r.partial_rotary_factor <= 1 && rotary >= 2 && std::fmod(rotary, 2) == 0,
      "{}: partial_rotary_factor is {}: of {} elements an even number must turn", name,
      r.partial_rotary_factor, dim);
  const auto positive = [&](const char* key, const std::optional<double>& x, bool needed) {
    SR_CHECK(x ? *x > 0 && std::isfinite(*x) : !needed, "{}: rope_type '{}' needs a {} above 0", name, r.type,
             key);
  };
  const bool by_factor = r.type == "linear" || r.type == "dynamic" || r.type == "llama3";
  positive("factor", r.factor, by_factor);
  positive("attention_factor", r.attention_factor, false);
  positive("alpha", r.alpha, r.type == "ntk_alpha");
  const int64_t original = r.original_max_position_embeddings.value_or(positions);
  SR_CHECK(original > 1, "{}: original_max_position_embeddings is {}, expected at least 2", name, original);
  SR_CHECK(r.type != "llama3" || (r.low_freq_factor > 0 && r.high_freq_factor > r.low_freq_factor),
           "{}: low_freq_factor is {} and high_freq_factor {}: expected 0 < low < high", name,
           r.low_freq_factor, r.high_freq_factor);
  SR_CHECK(r.type != "yarn" || (r.beta_fast > 0 && r.beta_slow > 0 && r.theta > 1),
           "{}: yarn needs beta_fast and beta_slow above 0 and a rope_theta above 1", name);
  SR_CHECK((r.type != "dynamic" && r.type != "ntk_alpha") || rotary > 2,
           "{}: rope_type '{}' needs more than 2 rotary elements in a head", name, r.type);
  if (r.type != "longrope") return;
  for (const auto* factors : {&r.short_factor, &r.long_factor}) {
    SR_CHECK(static_cast<double>(factors->size()) == rotary / 2,
             "{}: longrope has {} factors, expected {}: one for each pair", name, factors->size(),
             rotary / 2);
    for (const double f : *factors)
      SR_CHECK(f > 0 && std::isfinite(f), "{}: a factor of longrope is {}, expected a number above 0", name,
               f);
  }
}

void validate_experts(const TransformerConfig& c, const std::string& name) {
  const MoeConfig& m = c.moe;
  if (m.experts == 0) return;
  SR_CHECK(m.experts_per_token >= 1 && m.experts_per_token <= m.experts,
           "{}: {} experts a token of {}: expected 1 to all of them", name, m.experts_per_token, m.experts);
  SR_CHECK(m.groups >= 1 && m.experts % m.groups == 0, "{}: {} experts do not make {} equal groups", name,
           m.experts, m.groups);
  SR_CHECK(m.groups_kept >= 1 && m.groups_kept <= m.groups &&
               m.experts_per_token <= m.groups_kept * (m.experts / m.groups),
           "{}: {} of {} groups are kept, too few for {} experts a token", name, m.groups_kept, m.groups,
           m.experts_per_token);
  SR_CHECK(m.groups == 1 || m.group_score != GroupScore::kTwoBest || m.experts / m.groups >= 2,
           "{}: a group has {} experts, expected at least 2", name, m.experts / m.groups);
}

// In double: exact below 2^53, and sizes from a hostile file cannot overflow.
double number(int64_t x) { return static_cast<double>(x); }

double norm_parameters(const TransformerConfig& c, int64_t width) {
  return number(width) * (c.norm == NormKind::kLayer ? 2 : 1);
}

double attention_parameters(const TransformerConfig& c) {
  const double hidden = number(c.hidden_size), heads = number(c.num_attention_heads);
  const double q = heads * number(c.head_dim), kv = number(c.num_key_value_heads) * number(c.head_dim);
  if (const LatentConfig& l = c.latent; l.kv_rank) {
    const double rank = number(l.kv_rank), compressed = rank + number(l.rope_head_dim);
    const double values = heads * number(l.v_head_dim), q_rank = number(l.q_rank);
    double n =
        hidden * compressed + rank + rank * (heads * number(l.nope_head_dim) + values) + values * hidden;
    n += l.q_rank ? hidden * q_rank + q_rank + q_rank * q : hidden * q;
    if (c.attention_bias) n += compressed + q_rank;
    return n + (c.attention_out_bias ? hidden : 0);
  }
  double n = hidden * (2 * q + 2 * kv);
  if (c.attention_bias) n += q + 2 * kv;
  if (c.attention_out_bias) n += hidden;
  if (c.qk_norm == QkNorm::kWhole)
    n += q + kv;
  else if (c.qk_norm != QkNorm::kNone)
    n += 2 * number(c.head_dim);
  return n + (c.sinks ? heads : 0);
}

double mlp_parameters(const TransformerConfig& c, int64_t width, bool bias) {
  const double up = c.mlp_gated ? 2 : 1, hidden = number(c.hidden_size), ffn = number(width);
  return (up + 1) * hidden * ffn + (bias ? up * ffn + hidden : 0);
}

// With `experts` of them counted.
double moe_parameters(const TransformerConfig& c, int64_t experts) {
  const MoeConfig& m = c.moe;
  double n = number(m.experts) * (number(c.hidden_size) + (m.bias ? 1 : 0));
  n += number(experts) * mlp_parameters(c, m.intermediate_size, m.bias);
  if (m.shared_intermediate_size) n += mlp_parameters(c, m.shared_intermediate_size, c.mlp_bias);
  return n + (m.shared_gate ? number(c.hidden_size) : 0);
}

int64_t count(const TransformerConfig& c, int64_t experts) {
  const double layers = number(c.num_hidden_layers);
  double sparse = 0;
  if (c.moe.experts)
    for (int64_t i = 0; i < c.num_hidden_layers; ++i) sparse += c.sparse(i);
  double n = number(c.vocab_size) * number(c.hidden_size) * (c.tie_word_embeddings ? 1 : 2);
  if (c.learned_positions) n += number(c.max_position_embeddings) * number(c.hidden_size);
  const double norms = c.norm_placement == NormPlacement::kAround ? 4 : 2;
  n += (norms * layers + 1) * norm_parameters(c, c.hidden_size) + layers * attention_parameters(c);
  n += (layers - sparse) * mlp_parameters(c, c.intermediate_size, c.mlp_bias);
  n += sparse * moe_parameters(c, experts);
  return static_cast<int64_t>(std::min(n, 0x1p62));
}

}  // namespace

int64_t TransformerConfig::window(int64_t layer) const {
  return windowed_layers.empty() || windowed_layers[static_cast<size_t>(layer)] ? sliding_window : 0;
}

bool TransformerConfig::rotary(int64_t layer) const {
  return !learned_positions && (rotary_layers.empty() || rotary_layers[static_cast<size_t>(layer)]);
}

bool TransformerConfig::sparse(int64_t layer) const {
  return moe.experts > 0 && layer >= moe.first_dense_layers && (layer + 1) % moe.sparse_step == 0 &&
         !std::ranges::binary_search(moe.dense_layers, layer);
}

double TransformerConfig::attention_scale() const {
  if (attention_multiplier) return *attention_multiplier;
  const double scale = 1 / std::sqrt(query_pre_attn_scalar.value_or(static_cast<double>(head_dim)));
  // Latent attention takes yarn's temperature here (DeepSeek-V2), not in the tables.
  if (!latent.kv_rank || rope.type == "default" || rope.mscale_all_dim == 0 || rope.factor.value_or(1) <= 1)
    return scale;
  const double m = 0.1 * rope.mscale_all_dim * std::log(*rope.factor) + 1;
  return scale * m * m;
}

double TransformerConfig::branch_multiplier() const {
  return residual_by_depth ? residual_multiplier / std::sqrt(static_cast<double>(num_hidden_layers))
                           : residual_multiplier;
}

double TransformerConfig::logit_divisor() const {
  return logits_base_width ? static_cast<double>(hidden_size) / static_cast<double>(logits_base_width)
                           : logits_scaling;
}

int64_t TransformerConfig::parameter_count() const { return count(*this, moe.experts); }
int64_t TransformerConfig::active_parameter_count() const { return count(*this, moe.experts_per_token); }

int64_t TransformerConfig::active_intermediate_size() const {
  const int64_t sparse = moe.experts_per_token * moe.intermediate_size + moe.shared_intermediate_size;
  return moe.experts ? std::max(sparse, intermediate_size) : intermediate_size;
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
  SR_CHECK(num_attention_heads % num_key_value_heads == 0,
           "{}: num_attention_heads {} is not a multiple of num_key_value_heads {}", name,
           num_attention_heads, num_key_value_heads);
  SR_CHECK(rms_norm_eps > 0, "{}: rms_norm_eps is {}, expected a number above 0", name, rms_norm_eps);
  SR_CHECK(initializer_range >= 0 && initializer_range <= 1, "{}: initializer_range is {}, expected 0 to 1",
           name, initializer_range);
  for (const auto* layers : {&windowed_layers, &rotary_layers})
    SR_CHECK(layers->empty() || static_cast<int64_t>(layers->size()) == num_hidden_layers,
             "{}: a list of layers has {} members, expected num_hidden_layers = {}", name, layers->size(),
             num_hidden_layers);
  if (!learned_positions) {
    SR_CHECK(head_dim % 2 == 0, "{}: head_dim is {}, expected an even number: rotary positions turn pairs",
             name, head_dim);
    const int64_t rotary_dim = latent.kv_rank ? latent.rope_head_dim : head_dim;
    validate_rope(rope, rotary_dim, max_position_embeddings, name);
    if (windowed_rope) validate_rope(*windowed_rope, rotary_dim, max_position_embeddings, name);
  }
  const double multipliers[] = {embedding_multiplier, residual_multiplier, logits_scaling, attention_softcap,
                                logit_softcap,        attention_scale(),   moe.scale};
  for (const double m : multipliers)
    SR_CHECK(std::isfinite(m), "{}: a multiplier is {}, expected a finite number", name, m);
  SR_CHECK(logits_scaling != 0 && attention_softcap >= 0 && logit_softcap >= 0,
           "{}: logits_scaling is {} and the soft caps {} and {}: expected other than 0, and at least 0",
           name, logits_scaling, attention_softcap, logit_softcap);
  validate_experts(*this, name);
}

}  // namespace suiren::models
