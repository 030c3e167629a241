#include "suiren/models/attention.h"

#include "suiren/ops/attention/attention.h"
#include "suiren/ops/rope/rope.h"
#include "suiren/ops/view/view.h"

namespace suiren::models {

Attention::Attention(const TransformerConfig& c, int64_t layer, const nn::Placement& at)
    : layer_(layer),
      heads_(c.num_attention_heads),
      kv_heads_(c.num_key_value_heads),
      head_dim_(c.head_dim),
      window_(c.window(layer)),
      scale_(c.attention_scale()),
      softcap_(c.attention_softcap),
      interleaved_(c.rope_interleaved),
      qk_norm_(c.qk_norm),
      q_(c.hidden_size, heads_ * head_dim_, c.attention_bias, at),
      k_(c.hidden_size, kv_heads_ * head_dim_, c.attention_bias, at),
      v_(c.hidden_size, kv_heads_ * head_dim_, c.attention_bias, at),
      o_(heads_ * head_dim_, c.hidden_size, c.attention_out_bias, at) {
  add_child("q_proj", q_);
  add_child("k_proj", k_);
  add_child("v_proj", v_);
  add_child("o_proj", o_);
  if (qk_norm_ != QkNorm::kNone) {
    const bool whole = qk_norm_ == QkNorm::kWhole;
    add_child("q_norm", q_norm_.emplace(c, whole ? heads_ * head_dim_ : head_dim_, at));
    add_child("k_norm", k_norm_.emplace(c, whole ? kv_heads_ * head_dim_ : head_dim_, at));
  }
  if (c.sinks) add_parameter("sinks", sinks_, {heads_}, nn::Init::kNormal, at);
}

Tensor Attention::operator()(const Tensor& x, const RopeTables::Slice* tables, KvStore* store) const {
  const int64_t b = x.dim(0), t = x.dim(1);
  Tensor q = q_(x), k = k_(x);
  if (qk_norm_ == QkNorm::kWhole) q = (*q_norm_)(q), k = (*k_norm_)(k);
  q = reshape(q, {b, t, heads_, head_dim_});
  k = reshape(k, {b, t, kv_heads_, head_dim_});
  Tensor v = reshape(v_(x), {b, t, kv_heads_, head_dim_});
  if (qk_norm_ == QkNorm::kHead) q = (*q_norm_)(q), k = (*k_norm_)(k);
  if (tables) {
    q = rope(q, tables->cos, tables->sin, interleaved_);
    k = rope(k, tables->cos, tables->sin, interleaved_);
  }
  if (qk_norm_ == QkNorm::kHeadAfterRope) q = (*q_norm_)(q), k = (*k_norm_)(k);
  if (store) std::tie(k, v) = store->append(layer_, k, v);
  const Tensor out = scaled_dot_product_attention(  // [b, t, heads, head_dim]
      q, k, v, {.scale = scale_, .window = window_, .softcap = softcap_, .sinks = sinks_});
  return o_(reshape(out, {b, t, heads_ * head_dim_}));
}

}  // namespace suiren::models
