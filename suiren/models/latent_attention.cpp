#include "suiren/models/latent_attention.h"

#include "suiren/ops/attention/attention.h"
#include "suiren/ops/concat/concat.h"
#include "suiren/ops/matmul/matmul.h"
#include "suiren/ops/rope/rope.h"
#include "suiren/ops/view/view.h"

namespace suiren::models {
namespace {

constexpr double kLatentEps = 1e-6;  // of the norms of compressed vectors, whatever rms_norm_eps is

}  // namespace

LatentAttention::LatentAttention(const TransformerConfig& c, int64_t layer, const nn::Placement& at)
    : shape_(c.latent),
      layer_(layer),
      heads_(c.num_attention_heads),
      scale_(c.attention_scale()),
      interleaved_(c.rope_interleaved),
      kv_a_(c.hidden_size, c.latent.kv_rank + c.latent.rope_head_dim, c.attention_bias, at),
      kv_a_norm_(c.latent.kv_rank, kLatentEps, at),
      kv_b_(c.latent.kv_rank, heads_ * (c.latent.nope_head_dim + c.latent.v_head_dim), false, at),
      o_(heads_ * c.latent.v_head_dim, c.hidden_size, c.attention_out_bias, at) {
  const int64_t q = heads_ * c.head_dim;
  if (shape_.q_rank) {
    add_child("q_a_proj", q_a_.emplace(c.hidden_size, shape_.q_rank, c.attention_bias, at));
    add_child("q_a_layernorm", q_a_norm_.emplace(shape_.q_rank, kLatentEps, at));
    add_child("q_b_proj", q_b_.emplace(shape_.q_rank, q, false, at));
  } else {
    add_child("q_proj", q_.emplace(c.hidden_size, q, false, at));
  }
  add_child("kv_a_proj_with_mqa", kv_a_);
  add_child("kv_a_layernorm", kv_a_norm_);
  add_child("kv_b_proj", kv_b_);
  add_child("o_proj", o_);
}

Tensor LatentAttention::queries(const Tensor& x) const {
  const Tensor q = q_ ? (*q_)(x) : (*q_b_)((*q_a_norm_)((*q_a_)(x)));
  return reshape(q, {x.dim(0), x.dim(1), heads_, shape_.nope_head_dim + shape_.rope_head_dim});
}

Tensor LatentAttention::operator()(const Tensor& x, const RopeTables::Slice& tables, KvStore* store) const {
  const int64_t b = x.dim(0), t = x.dim(1), rank = shape_.kv_rank, nope = shape_.nope_head_dim;
  const Tensor compressed = kv_a_(x);  // [b, t, rank + rope]
  const Tensor latent = reshape(kv_a_norm_(slice(compressed, 2, 0, rank)), {b, t, 1, rank});
  const Tensor turned =
      reshape(slice(compressed, 2, rank, compressed.dim(2)), {b, t, 1, shape_.rope_head_dim});
  Tensor keys = concat({latent, rope(turned, tables.cos, tables.sin, interleaved_)}, 3);
  if (store) keys = store->append(layer_, keys, {}).first;  // [b, s, 1, rank + rope]

  // Rows of kv_b for each head: nope of Wk, then v of Wv.
  const Tensor weights = reshape(kv_b_.weight, {heads_, nope + shape_.v_head_dim, rank});
  const Tensor q = queries(x);  // [b, t, heads, nope + rope]
  const Tensor to_keys = slice(weights, 1, 0, nope), to_values = slice(weights, 1, nope, weights.dim(1));
  const Tensor by_latent =
      matmul(permute(slice(q, 3, 0, nope), {0, 2, 1, 3}), to_keys);  // [b, heads, t, rank]
  const Tensor by_position = rope(slice(q, 3, nope, q.dim(3)), tables.cos, tables.sin, interleaved_);
  const Tensor query = concat({permute(by_latent, {0, 2, 1, 3}), by_position}, 3);
  const Tensor mixed = scaled_dot_product_attention(query, keys, keys, {.scale = scale_});
  const Tensor values =  // [b, heads, t, v]
      matmul(permute(slice(mixed, 3, 0, rank), {0, 2, 1, 3}), transpose(to_values));
  return o_(reshape(permute(values, {0, 2, 1, 3}), {b, t, heads_ * shape_.v_head_dim}));
}

}  // namespace suiren::models
