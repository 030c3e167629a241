// GPT-2 (Radford et al. 2019): layer norms, learned positions, a plain MLP; matrices are stored [in, out].
#include "suiren/models/families/families.h"

namespace suiren::models {

void gpt2_fields(Fields& f, TransformerConfig& c) {
  c.norm = NormKind::kLayer;
  c.learned_positions = c.attention_bias = c.attention_out_bias = c.mlp_bias = true;
  c.mlp_gated = false;
  c.activation = Activation::kGeluTanh;
  if (f.reading()) {
    c.vocab_size = 50257, c.hidden_size = 768, c.num_hidden_layers = 12, c.num_attention_heads = 12;
    c.max_position_embeddings = 1024, c.rms_norm_eps = 1e-5, c.tie_word_embeddings = true;
    set_tokens(c, 50256, {50256}, {});
  }
  f.size("vocab_size", c.vocab_size);
  f.size("n_positions", c.max_position_embeddings);
  f.size("n_embd", c.hidden_size);
  f.size("n_layer", c.num_hidden_layers);
  f.size("n_head", c.num_attention_heads);
  SR_CHECK(c.hidden_size % c.num_attention_heads == 0, "{}: n_embd {} is not a multiple of n_head {}",
           f.name(), c.hidden_size, c.num_attention_heads);
  c.num_key_value_heads = c.num_attention_heads;
  c.head_dim = c.hidden_size / c.num_attention_heads;
  if (f.reading()) c.intermediate_size = 4 * c.hidden_size;
  f.size("n_inner", c.intermediate_size);
  f.choice("activation_function", c.activation,
           {{"gelu_new", Activation::kGeluTanh}, {"gelu_pytorch_tanh", Activation::kGeluTanh}});
  f.number("layer_norm_epsilon", c.rms_norm_eps);
  f.number("initializer_range", c.initializer_range);
  f.flag("tie_word_embeddings", c.tie_word_embeddings);
  f.token("bos_token_id", c.bos_token_id);
  f.token("pad_token_id", c.pad_token_id);
  f.tokens("eos_token_id", c.eos_token_ids);
  bool scaled = !c.attention_multiplier;
  f.flag("scale_attn_weights", scaled);
  if (!scaled) c.attention_multiplier = 1;
  f.fixed("scale_attn_by_inverse_layer_idx", false);
  f.only("n_ctx", c.max_position_embeddings);
  f.derived("attn_pdrop", 0.0);  // dropouts act in training only
  f.derived("embd_pdrop", 0.0);
  f.derived("resid_pdrop", 0.0);
  if (!f.reading()) return;
  for (const char* summary : {"summary_type", "summary_use_proj", "summary_activation",
                              "summary_proj_to_labels", "summary_first_dropout"})
    f.find(summary);  // a head for classification
}

nn::Stored gpt2_stored(const TransformerConfig& c, const std::string& name, const Shape& shape) {
  static const std::pair<const char*, const char*> kNames[] = {
      {"model.embed_tokens.", "transformer.wte."},
      {"model.embed_positions.", "transformer.wpe."},
      {"model.norm.", "transformer.ln_f."},
      {"model.layers.", "transformer.h."},
      {".input_layernorm.", ".ln_1."},
      {".post_attention_layernorm.", ".ln_2."},
      {".self_attn.o_proj.", ".attn.c_proj."},
      {".mlp.up_proj.", ".mlp.c_fc."},
      {".mlp.down_proj.", ".mlp.c_proj."},
  };
  nn::Stored s{name, shape};
  for (const auto& [from, to] : kNames) s.name = renamed(s.name, from, to);
  const bool matrix = shape.rank() == 2 && name.find("_proj.") != std::string::npos;
  int64_t columns = shape[0], first = 0;
  const char* const parts[] = {".q_proj.", ".k_proj.", ".v_proj."};
  for (int64_t i = 0; i < 3; ++i)
    if (name.find(parts[i]) != std::string::npos) {
      s.name = renamed(s.name, std::string(".self_attn") + parts[i], ".attn.c_attn.");
      columns = 3 * c.hidden_size;
      first = i * c.hidden_size;
    }
  if (matrix) return {s.name, {shape[1], columns}, first, {1, columns}};
  if (columns != shape[0]) return {s.name, {columns}, first, {1}};
  return s;
}

// OpenAI's own files leave the first part of the names out.
std::string gpt2_published(const std::string& name) {
  const bool whole = name.starts_with("transformer.") || name == "lm_head.weight";
  return whole ? name : "transformer." + name;
}

}  // namespace suiren::models
