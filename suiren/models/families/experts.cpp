// Families with experts in place of the MLP: Mixtral, Qwen 2 and 3 MoE, gpt-oss.
#include <algorithm>

#include "suiren/models/families/families.h"

namespace suiren::models {

namespace {

void qwen_moe_fields(Fields& f, TransformerConfig& c) {
  f.size("moe_intermediate_size", c.moe.intermediate_size);
  f.size("num_experts_per_tok", c.moe.experts_per_token);
  f.flag("norm_topk_prob", c.moe.normalize);
  f.size("decoder_sparse_step", c.moe.sparse_step);
  f.sizes("mlp_only_layers", c.moe.dense_layers);
  std::ranges::sort(c.moe.dense_layers);
  f.fixed("attention_dropout", 0.0);
}

}  // namespace

void mixtral_fields(Fields& f, TransformerConfig& c) {
  if (f.reading()) {
    c.intermediate_size = 14336, c.max_position_embeddings = 131072, c.rms_norm_eps = 1e-5,
    c.rope.theta = 1e6;
    c.moe.experts = 8, c.moe.normalize = true;
    set_heads(c, 32, 8, 0);
  }
  common_fields(f, c);
  f.fixed("hidden_act", "silu");
  rope_fields(f, c.rope);
  f.fixed("attention_dropout", 0.0);
  f.size_or_none("sliding_window", c.sliding_window);
  f.size("num_local_experts", c.moe.experts);
  f.size("num_experts_per_tok", c.moe.experts_per_token);
  c.moe.intermediate_size = c.intermediate_size;
}

nn::Stored mixtral_stored(const TransformerConfig&, const std::string& name, const Shape& shape) {
  std::string stored = renamed(name, ".mlp.", ".block_sparse_moe.");
  stored = renamed(stored, ".gate_proj.", ".w1.");
  stored = renamed(stored, ".down_proj.", ".w2.");
  return {renamed(stored, ".up_proj.", ".w3."), shape};
}

void qwen2_moe_fields(Fields& f, TransformerConfig& c) {
  c.moe.shared_gate = true;
  if (f.reading()) {
    c.vocab_size = 151936, c.hidden_size = 2048, c.intermediate_size = 5632, c.num_hidden_layers = 24;
    c.max_position_embeddings = 32768, c.attention_bias = true;
    c.moe.experts = 60, c.moe.experts_per_token = 4;
    c.moe.intermediate_size = 1408, c.moe.shared_intermediate_size = 5632;
    set_heads(c, 16, 16, 0);
    set_tokens(c, {}, {}, {});
  }
  common_fields(f, c);
  f.fixed("hidden_act", "silu");
  rope_fields(f, c.rope);
  f.flag("qkv_bias", c.attention_bias);
  f.size("num_experts", c.moe.experts);
  f.size("shared_expert_intermediate_size", c.moe.shared_intermediate_size);
  qwen_moe_fields(f, c);
  qwen_window(f, c, [](int64_t layer, int64_t limit) { return layer % 2 == 0 && layer < limit; });
}

nn::Stored qwen2_moe_stored(const TransformerConfig&, const std::string& name, const Shape& shape) {
  return {renamed(name, ".shared_experts.", ".shared_expert."), shape};
}

void qwen3_moe_fields(Fields& f, TransformerConfig& c) {
  c.qk_norm = QkNorm::kHead;
  if (f.reading()) {
    c.vocab_size = 151936, c.hidden_size = 2048, c.intermediate_size = 6144, c.num_hidden_layers = 24;
    c.max_position_embeddings = 32768;
    c.moe.experts = 128, c.moe.experts_per_token = 8, c.moe.intermediate_size = 768;
    set_heads(c, 32, 4, 0);
    set_tokens(c, {}, {}, {});
  }
  common_fields(f, c);
  f.fixed("hidden_act", "silu");
  rope_fields(f, c.rope);
  attention_bias(f, c);
  f.size("num_experts", c.moe.experts);        // the older name,
  f.size("num_local_experts", c.moe.experts);  // and the newer one
  qwen_moe_fields(f, c);
  bool use = c.sliding_window > 0;
  if (f.reading()) c.sliding_window = 4096;
  f.flag("use_sliding_window", use);
  f.size_or_none("sliding_window", c.sliding_window);
  if (!use) c.sliding_window = 0;
  if (f.reading()) f.find("max_window_layers");  // every layer is windowed, or none
}

void gpt_oss_fields(Fields& f, TransformerConfig& c) {
  c.sinks = c.moe.bias = true;
  c.activation = Activation::kClampedSwiglu;
  c.moe.routing = Routing::kSoftmaxOfChosen;
  if (f.reading()) {
    c.vocab_size = 201088, c.hidden_size = c.intermediate_size = 2880, c.num_hidden_layers = 36;
    c.max_position_embeddings = 131072, c.rms_norm_eps = 1e-5;
    c.attention_bias = true, c.sliding_window = 128, c.swiglu_alpha = 1.702, c.swiglu_limit = 7;
    c.moe.experts = 128, c.moe.experts_per_token = 4;
    c.rope.theta = 150000;
    set_heads(c, 64, 8, 64);
    set_tokens(c, {}, {}, {});
    if (!f.find("rope_parameters") && !f.find("rope_scaling")) {
      c.rope.type = "yarn", c.rope.factor = 32, c.rope.original_max_position_embeddings = 4096;
      c.rope.truncate = false;
    }
  }
  common_fields(f, c);
  c.moe.intermediate_size = c.intermediate_size;
  f.fixed("hidden_act", "silu");
  rope_fields(f, c.rope);
  f.fixed("attention_dropout", 0.0);
  attention_bias(f, c);
  f.size("num_experts", c.moe.experts);
  f.size("num_local_experts", c.moe.experts);
  if (f.reading()) f.size("experts_per_token", c.moe.experts_per_token);
  f.size("num_experts_per_tok", c.moe.experts_per_token);
  f.number("swiglu_alpha", c.swiglu_alpha);
  f.number("swiglu_limit", c.swiglu_limit);
  if (f.reading()) f.find("initial_context_length");  // repeats original_max_position_embeddings
  f.size_or_none("sliding_window", c.sliding_window);
  layer_types(f, c, [&](int64_t i) { return c.sliding_window > 0 && i % 2 == 0; });
}

// Experts lie in one tensor, [experts, in, out]; gate and up take turns in its columns.
nn::Stored gpt_oss_stored(const TransformerConfig& c, const std::string& name, const Shape& shape) {
  const size_t at = name.find(".experts.");
  if (at == std::string::npos) return {renamed(name, ".mlp.gate.", ".mlp.router."), shape};
  const size_t number = at + 9, end = name.find('.', number);
  const int64_t expert = std::stoll(name.substr(number, end - number)), experts = c.moe.experts;
  const bool down = name.find(".down_proj.") != std::string::npos;
  const bool up = name.find(".up_proj.") != std::string::npos;
  const int64_t step = down ? 1 : 2, columns = step * shape[0];
  std::string stored = name.substr(0, number) + (down ? "down_proj" : "gate_up_proj");
  if (shape.rank() == 1) return {stored + "_bias", {experts, columns}, expert * columns + up, {step}};
  return {stored, {experts, shape[1], columns}, expert * shape[1] * columns + up, {step, columns}};
}

}  // namespace suiren::models
