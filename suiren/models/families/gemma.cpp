// Gemma 2 and 3 (text): norms around each branch that multiply by 1 + weight, windows in most layers, scaled
// embeddings, GELU; soft caps in 2, q/k norm and a rotation of their own for windowed layers in 3.
#include <cmath>

#include "suiren/base/error.h"
#include "suiren/models/families/families.h"

namespace suiren::models {
namespace {

void gemma_fields(Fields& f, TransformerConfig& c) {
  c.norm_placement = NormPlacement::kAround;
  c.norm_offset = true;
  if (f.reading()) {
    c.hidden_size = 2304, c.intermediate_size = 9216, c.num_hidden_layers = 26;
    c.activation = Activation::kGeluTanh, c.tie_word_embeddings = true;
    c.query_pre_attn_scalar = 256, c.sliding_window = 4096;
    set_heads(c, 8, 4, 256);
    set_tokens(c, 2, {1}, 0);
  }
  common_fields(f, c);
  c.embedding_multiplier = std::sqrt(static_cast<double>(c.hidden_size));
  f.choice("hidden_activation", c.activation,
           {{"gelu_pytorch_tanh", Activation::kGeluTanh}, {"silu", Activation::kSilu}});
  if (f.reading()) f.find("hidden_act");  // older files have both; hidden_activation counts
  f.fixed("attention_dropout", 0.0);
  attention_bias(f, c);
  double scalar = c.query_pre_attn_scalar.value_or(static_cast<double>(c.head_dim));
  if (f.reading())
    f.number("query_pre_attn_scalar", scalar);
  else  // transformers wants an integer
    f.derived("query_pre_attn_scalar",
              std::floor(scalar) == scalar ? io::Json(std::llround(scalar)) : io::Json(scalar));
  SR_CHECK(scalar > 0, "{}: query_pre_attn_scalar is {}, expected a number above 0", f.name(), scalar);
  c.query_pre_attn_scalar = scalar;
  f.size_or_none("sliding_window", c.sliding_window);
  f.number_or_none("attn_logit_softcapping", c.attention_softcap);
  f.number_or_none("final_logit_softcapping", c.logit_softcap);
  f.only("use_bidirectional_attention", false);
}

}  // namespace

void gemma2_fields(Fields& f, TransformerConfig& c) {
  if (f.reading()) {
    c.vocab_size = 256000, c.max_position_embeddings = 8192;
    c.attention_softcap = 50, c.logit_softcap = 30;
  }
  gemma_fields(f, c);
  rope_fields(f, c.rope);
  layer_types(f, c, [&](int64_t i) { return c.sliding_window > 0 && i % 2 == 0; });
}

void gemma3_fields(Fields& f, TransformerConfig& c) {
  c.qk_norm = QkNorm::kHead;
  if (f.reading()) {
    c.vocab_size = 262208, c.max_position_embeddings = 131072;
    c.rope.theta = 1e6;
  }
  if (!c.windowed_rope) c.windowed_rope.emplace();
  gemma_fields(f, c);
  f.number("rope_theta", c.rope.theta);
  f.number("rope_local_base_freq", c.windowed_rope->theta);
  f.object("rope_parameters", [&](Fields& both) {
    both.object("full_attention", [&](Fields& one) { rope_object(one, c.rope); });
    both.object("sliding_attention", [&](Fields& one) { rope_object(one, *c.windowed_rope); });
  });
  if (f.reading() || c.rope.type != "default")
    f.object("rope_scaling", [&](Fields& full) { rope_object(full, c.rope); });
  int64_t pattern = 6;
  if (f.reading()) f.size("_sliding_window_pattern", pattern);
  if (f.reading()) f.size("sliding_window_pattern", pattern);
  layer_types(f, c, [&](int64_t i) { return c.sliding_window > 0 && (i + 1) % pattern != 0; });
}

}  // namespace suiren::models
