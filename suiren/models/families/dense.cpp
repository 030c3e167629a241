// Dense families that are Llama with another norm, window, bias or multiplier.
#include "suiren/base/error.h"
#include "suiren/models/families/families.h"

namespace suiren::models {

namespace {

void gated_fields(Fields& f, TransformerConfig& c, bool alpha = false) {
  common_fields(f, c);
  f.choice("hidden_act", c.activation,
           {{"silu", Activation::kSilu}, {"gelu_pytorch_tanh", Activation::kGeluTanh}});
  rope_fields(f, c.rope, alpha);
}

void llama_shape(Fields& f, TransformerConfig& c, bool alpha = false) {
  gated_fields(f, c, alpha);
  f.fixed("attention_dropout", 0.0);
  SR_CHECK_AS(kUnsupported, c.rope.partial_rotary_factor == 1,
              "{}: partial_rotary_factor is {}; only 1 is supported in this family", f.name(),
              c.rope.partial_rotary_factor);
}

}  // namespace

void llama_fields(Fields& f, TransformerConfig& c) {
  if (f.reading()) set_heads(c, 32, 0, 0);
  llama_shape(f, c);
  attention_bias(f, c);
  f.flag("mlp_bias", c.mlp_bias);
  f.only("sliding_window", nullptr);
  f.only("use_sliding_window", false);
  f.only("rope_interleaved", false);
  if (f.reading() && read_layer_types(f, c)) settle_window(c, f.name());
}

void mistral_fields(Fields& f, TransformerConfig& c) {
  if (f.reading()) {
    set_heads(c, 32, 8, 0);
    c.intermediate_size = 14336, c.max_position_embeddings = 131072, c.sliding_window = 4096;
  }
  llama_shape(f, c);
  f.size_or_none("sliding_window", c.sliding_window);
}

namespace {

// Qwen 2 and 3: a window from some layer on, where it is switched on.
void qwen_shape(Fields& f, TransformerConfig& c) {
  if (f.reading()) {
    c.vocab_size = 151936, c.intermediate_size = 22016, c.max_position_embeddings = 32768;
    set_tokens(c, {}, {}, {});
  }
  llama_shape(f, c);
  f.only("use_mrope", false);
  qwen_window(f, c, [](int64_t layer, int64_t limit) { return layer >= limit; });
}

}  // namespace

void qwen2_fields(Fields& f, TransformerConfig& c) {
  if (f.reading()) {
    set_heads(c, 32, 32, 0);
    c.attention_bias = true;
  }
  qwen_shape(f, c);
}

void qwen3_fields(Fields& f, TransformerConfig& c) {
  c.qk_norm = QkNorm::kHead;
  qwen_shape(f, c);
  attention_bias(f, c);
}

void smollm3_fields(Fields& f, TransformerConfig& c) {
  if (f.reading()) {
    c.vocab_size = 128256, c.hidden_size = 2048, c.num_hidden_layers = 36, c.max_position_embeddings = 32768;
    c.rope.theta = 2e6, c.tie_word_embeddings = true;
    set_heads(c, 16, 4, 0);
    set_tokens(c, 128000, {128001}, 128004);
  }
  llama_shape(f, c);
  attention_bias(f, c);
  f.flag("mlp_bias", c.mlp_bias);
  int64_t interval = 4;
  std::vector<int64_t> rotary;
  if (f.reading()) f.size("no_rope_layer_interval", interval);
  for (int64_t i = 0; i < c.num_hidden_layers; ++i)
    rotary.push_back(f.reading() ? (i + 1) % interval != 0 : c.rotary(i));
  f.sizes("no_rope_layers", rotary);
  SR_CHECK(static_cast<int64_t>(rotary.size()) == c.num_hidden_layers,
           "{}: no_rope_layers has {} members, expected num_hidden_layers = {}", f.name(), rotary.size(),
           c.num_hidden_layers);
  c.rotary_layers.assign(rotary.begin(), rotary.end());
  bool use = c.sliding_window > 0;
  if (!f.reading() && !use) return;
  f.flag("use_sliding_window", use);
  f.size_or_none("sliding_window", c.sliding_window);
  if (!use) c.sliding_window = 0;
  layer_types(f, c, [&](int64_t i) { return c.sliding_window > 0 && !c.rotary(i); });
}

void granite_fields(Fields& f, TransformerConfig& c) {
  if (f.reading()) {
    set_heads(c, 32, 0, 0);
    c.attention_multiplier = 1;
  }
  llama_shape(f, c);
  attention_bias(f, c);
  f.flag("mlp_bias", c.mlp_bias);
  f.number("embedding_multiplier", c.embedding_multiplier);
  f.number("logits_scaling", c.logits_scaling);
  f.number("residual_multiplier", c.residual_multiplier);
  double multiplier = c.attention_scale();
  f.number("attention_multiplier", multiplier);
  c.attention_multiplier = multiplier;
}

// Its files speak of dropout in training, which is none of a loaded model's business.
void seed_oss_fields(Fields& f, TransformerConfig& c) {
  if (f.reading()) {
    c.vocab_size = 155136, c.intermediate_size = 27648, c.num_hidden_layers = 64;
    c.max_position_embeddings = 524288, c.attention_bias = true;
    set_heads(c, 80, 8, 128);
    set_tokens(c, 0, {2}, 1);
  }
  gated_fields(f, c);
  f.derived("attention_dropout", 0.0);
  f.derived("residual_dropout", 0.0);
  f.flag("attention_bias", c.attention_bias);
  f.flag("attention_out_bias", c.attention_out_bias);
  f.flag("mlp_bias", c.mlp_bias);
}

void ernie4_5_fields(Fields& f, TransformerConfig& c) {
  c.rope_interleaved = true;
  if (f.reading()) {
    c.vocab_size = 103424, c.hidden_size = 1024, c.intermediate_size = 3072, c.num_hidden_layers = 18;
    c.max_position_embeddings = 131072, c.rms_norm_eps = 1e-5, c.rope.theta = 5e5;
    c.tie_word_embeddings = true;
    set_heads(c, 16, 2, 128);
    set_tokens(c, 1, {2}, 0);
  }
  llama_shape(f, c);
  attention_bias(f, c, "use_bias");
  c.mlp_bias = c.attention_bias;
}

void hunyuan_fields(Fields& f, TransformerConfig& c) {
  c.qk_norm = QkNorm::kHeadAfterRope;
  if (f.reading()) {
    c.vocab_size = 290943, c.rms_norm_eps = 1e-5;
    set_heads(c, 32, 0, 0);
    set_tokens(c, 1, {2}, 0);
  }
  llama_shape(f, c, true);
  attention_bias(f, c);
  if (f.reading()) f.find("eod_token_id");  // the end of a document: an id among others
  for (const char* off : {"use_cla", "mlp_bias", "add_classification_head", "position_embedding_xdrope"})
    f.only(off, false);
  for (const char* on : {"use_qk_norm", "use_rotary_pos_emb"}) f.only(on, true);
  f.only("norm_type", "rms");
}

nn::Stored hunyuan_stored(const TransformerConfig&, const std::string& name, const Shape& shape) {
  return {renamed(renamed(name, ".q_norm.", ".query_layernorm."), ".k_norm.", ".key_layernorm."), shape};
}

void olmo2_fields(Fields& f, TransformerConfig& c) {
  c.qk_norm = QkNorm::kWhole;
  c.norm_placement = NormPlacement::kAfter;
  if (f.reading()) {
    c.vocab_size = 50304, c.rms_norm_eps = 1e-5;
    set_heads(c, 32, 0, 0);
    set_tokens(c, {}, {50279}, 1);
  }
  llama_shape(f, c);
  attention_bias(f, c);
}

void glm4_fields(Fields& f, TransformerConfig& c) {
  c.norm_placement = NormPlacement::kAround;
  c.rope_interleaved = true;
  if (f.reading()) {
    c.vocab_size = 151552, c.intermediate_size = 13696, c.num_hidden_layers = 40;
    c.max_position_embeddings = 131072, c.rms_norm_eps = 1.5625e-07, c.attention_bias = true;
    c.rope.partial_rotary_factor = 0.5;
    set_heads(c, 32, 2, 128);
    set_tokens(c, {}, {151329, 151336, 151338}, 151329);
  }
  gated_fields(f, c);
  f.fixed("attention_dropout", 0.0);
  f.flag("attention_bias", c.attention_bias);
  if (!f.reading()) f.number("partial_rotary_factor", c.rope.partial_rotary_factor);  // 0.5 where silent
}

void phi3_fields(Fields& f, TransformerConfig& c) {
  if (f.reading()) {
    c.vocab_size = 32064, c.hidden_size = 3072, c.intermediate_size = 8192, c.max_position_embeddings = 4096;
    c.rms_norm_eps = 1e-5;
    set_heads(c, 32, 0, 0);
    set_tokens(c, 1, {32000}, 32000);
  }
  gated_fields(f, c);
  f.fixed("attention_dropout", 0.0);
  for (const char* off : {"attention_bias", "mlp_bias", "lm_head_bias"}) f.only(off, false);
  for (const char* one : {"interpolate_factor", "full_attn_mod"}) f.only(one, 1);
  f.size_or_none("sliding_window", c.sliding_window);
  SR_CHECK_AS(kUnsupported, c.rope.type == "default" || c.rope.type == "longrope",
              "{}: rope_type '{}' is not supported in this family; there are default and longrope", f.name(),
              c.rope.type);
  if (c.rope.type == "default")
    return f.reading() ? void(f.find("original_max_position_embeddings")) : void();
  if (f.reading()) c.rope.original_max_position_embeddings = 4096;  // the field outside has priority
  f.size_or_none("original_max_position_embeddings", c.rope.original_max_position_embeddings);
}

namespace {

// The tensor that several parameters share by rows: `parts` are their heights, `part` is this one's place.
nn::Stored rows_of(const std::string& name, const Shape& shape, const std::vector<int64_t>& parts,
                   size_t part) {
  int64_t rows = 0, first = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i < part) first += parts[i];
    rows += parts[i];
  }
  const int64_t width = shape.rank() == 2 ? shape[1] : 1;
  Shape whole = shape;
  whole[0] = rows;
  return {name, whole, first * width, shape.rank() == 2 ? Dims{width, 1} : Dims{1}};
}

nn::Stored gate_up_stored(const TransformerConfig& c, const std::string& name, const Shape& shape) {
  const std::vector<int64_t> parts{c.intermediate_size, c.intermediate_size};
  if (name.find(".gate_proj.") != std::string::npos)
    return rows_of(renamed(name, ".gate_proj.", ".gate_up_proj."), shape, parts, 0);
  if (name.find(".up_proj.") != std::string::npos)
    return rows_of(renamed(name, ".up_proj.", ".gate_up_proj."), shape, parts, 1);
  return {name, shape};
}

}  // namespace

nn::Stored phi3_stored(const TransformerConfig& c, const std::string& name, const Shape& shape) {
  const int64_t kv = c.num_key_value_heads * c.head_dim;
  const std::vector<int64_t> parts{c.num_attention_heads * c.head_dim, kv, kv};
  const char* const names[] = {".q_proj.", ".k_proj.", ".v_proj."};
  for (size_t i = 0; i < 3; ++i)
    if (name.find(names[i]) != std::string::npos)
      return rows_of(renamed(name, names[i], ".qkv_proj."), shape, parts, i);
  return gate_up_stored(c, name, shape);
}

nn::Stored glm4_stored(const TransformerConfig& c, const std::string& name, const Shape& shape) {
  std::string stored = renamed(name, ".post_attention_layernorm.", ".post_self_attn_layernorm.");
  stored = renamed(stored, ".pre_feedforward_layernorm.", ".post_attention_layernorm.");
  stored = renamed(stored, ".post_feedforward_layernorm.", ".post_mlp_layernorm.");
  return gate_up_stored(c, stored, shape);
}

}  // namespace suiren::models
