// Families with latent attention: MiniCPM 3, DeepSeek-V2 and V3.
#include <cmath>

#include "suiren/base/error.h"
#include "suiren/models/families/families.h"

namespace suiren::models {

namespace {

void latent_fields(Fields& f, TransformerConfig& c) {
  LatentConfig& l = c.latent;
  f.size("kv_lora_rank", l.kv_rank);
  f.size_or_none("q_lora_rank", l.q_rank);
  f.size("qk_nope_head_dim", l.nope_head_dim);
  f.size("qk_rope_head_dim", l.rope_head_dim);
  common_fields(f, c);
  f.size("v_head_dim", l.v_head_dim);
  if (l.v_head_dim == 0) l.v_head_dim = c.hidden_size / c.num_attention_heads;
  SR_CHECK_AS(kUnsupported, c.num_key_value_heads == c.num_attention_heads,
              "{}: num_key_value_heads is {}; latent attention has as many as num_attention_heads, {}",
              f.name(), c.num_key_value_heads, c.num_attention_heads);
  f.derived("head_dim", l.rope_head_dim);
  c.head_dim = l.nope_head_dim + l.rope_head_dim;
  f.derived("qk_head_dim", c.head_dim);
  f.fixed("hidden_act", "silu");
  f.fixed("attention_dropout", 0.0);
  rope_fields(f, c.rope);
  SR_CHECK_AS(kUnsupported, c.rope.partial_rotary_factor == 1,
              "{}: partial_rotary_factor is {}; only 1 is supported with latent attention", f.name(),
              c.rope.partial_rotary_factor);
  attention_bias(f, c);
}

}  // namespace

void minicpm3_fields(Fields& f, TransformerConfig& c) {
  c.residual_by_depth = true;
  if (f.reading()) {
    c.vocab_size = 73448, c.hidden_size = 2560, c.intermediate_size = 6400, c.num_hidden_layers = 62;
    c.max_position_embeddings = 32768, c.rms_norm_eps = 1e-5, c.initializer_range = 0.1;
    c.tie_word_embeddings = true;
    c.latent = {.kv_rank = 256, .q_rank = 768, .nope_head_dim = 64, .rope_head_dim = 32};
    c.embedding_multiplier = 12, c.residual_multiplier = 1.4, c.logits_base_width = 256;
    set_heads(c, 40, 40, 0);
  }
  latent_fields(f, c);
  f.flag("mlp_bias", c.mlp_bias);
  f.number("scale_emb", c.embedding_multiplier);
  // Null stands for no scaling.
  const auto null = [&](const char* key) { return f.reading() && f.has(key) && !f.find(key); };
  if (null("scale_depth")) c.residual_multiplier = std::sqrt(static_cast<double>(c.num_hidden_layers));
  if (null("dim_model_base")) c.logits_base_width = c.hidden_size;
  f.number("scale_depth", c.residual_multiplier);
  f.size("dim_model_base", c.logits_base_width);
}

namespace {

// Routed experts from some layer on, and shared ones beside them.
void deepseek_moe(Fields& f, TransformerConfig& c) {
  MoeConfig& m = c.moe;
  f.size("n_routed_experts", m.experts);
  f.size("num_experts_per_tok", m.experts_per_token);
  f.size("moe_intermediate_size", m.intermediate_size);
  int64_t shared =
      f.reading() ? m.shared_intermediate_size : m.shared_intermediate_size / m.intermediate_size;
  f.size("n_shared_experts", shared);
  m.shared_intermediate_size = shared * m.intermediate_size;
  f.size("first_k_dense_replace", m.first_dense_layers, 0);
  f.only("moe_layer_freq", 1);
  f.number("routed_scaling_factor", m.scale);
  f.size("n_group", m.groups);
  f.size("topk_group", m.groups_kept);
}

}  // namespace

void deepseek_v2_fields(Fields& f, TransformerConfig& c) {
  c.rope_interleaved = true;
  if (f.reading()) {
    c.vocab_size = 102400;
    c.latent = {.kv_rank = 512, .q_rank = 1536, .nope_head_dim = 128, .rope_head_dim = 64, .v_head_dim = 128};
    c.moe.experts = 64, c.moe.experts_per_token = 0, c.moe.intermediate_size = 1407;
    c.moe.shared_intermediate_size = 2;
    set_heads(c, 32, 0, 0);
  }
  latent_fields(f, c);
  f.flag("mlp_bias", c.mlp_bias);
  SR_CHECK_AS(kUnsupported, !c.mlp_bias, "{}: mlp_bias is true; only false is supported in this family",
              f.name());
  deepseek_moe(f, c);
  bool grouped = !f.reading() && c.moe.groups > 1;
  f.choice("topk_method", grouped, {{"greedy", false}, {"group_limited_greedy", true}});
  if (!grouped) c.moe.groups = c.moe.groups_kept = 1;
  f.only("scoring_func", "softmax");
  f.fixed("norm_topk_prob", false);
}

void deepseek_v3_fields(Fields& f, TransformerConfig& c) {
  c.moe.routing = Routing::kSigmoid;
  c.moe.choice_bias = true;
  c.moe.group_score = GroupScore::kTwoBest;
  if (f.reading()) {
    c.vocab_size = 129280, c.hidden_size = 7168, c.intermediate_size = 18432, c.num_hidden_layers = 61;
    c.max_position_embeddings = 4096, c.rope_interleaved = true, c.skipped_predict_layers = 1;
    c.latent = {.kv_rank = 512, .q_rank = 1536, .nope_head_dim = 128, .rope_head_dim = 64, .v_head_dim = 128};
    c.moe.experts = 256, c.moe.experts_per_token = 8, c.moe.intermediate_size = 2048;
    c.moe.shared_intermediate_size = 1, c.moe.first_dense_layers = 3;
    c.moe.groups = 8, c.moe.groups_kept = 4, c.moe.scale = 2.5, c.moe.normalize = true;
    set_heads(c, 128, 128, 0);
    set_tokens(c, 0, {1}, {});
  }
  latent_fields(f, c);
  deepseek_moe(f, c);
  f.flag("rope_interleave", c.rope_interleaved);
  f.flag("norm_topk_prob", c.moe.normalize);
  f.only("topk_method", "noaux_tc");
  f.only("scoring_func", "sigmoid");
  f.size("num_nextn_predict_layers", c.skipped_predict_layers, 0);
}

}  // namespace suiren::models
