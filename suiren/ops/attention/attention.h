#pragma once
// Attention with grouped key and value heads (Vaswani et al. 2017; Ainslie et al. 2023), a sliding window
// (Beltagy et al. 2020), a soft cap on the scores (Gemma 2), an additive mask and sinks (gpt-oss).

#include <vector>

#include "suiren/core/tensor.h"

namespace suiren {

struct AttentionOptions {
  double scale;
  bool causal = true;  ///< query i of T stands at position p = S - T + i and sees key j iff j <= p
  int64_t window = 0;  ///< with `causal`: only keys j > p - window; 0: all
  double softcap = 0;  ///< cap(x) = softcap tanh(x / softcap); 0: cap(x) = x
  Tensor mask = {};    ///< added to the scores, broadcast to [B, H, T, S]; dtype of q; -inf hides a key
  Tensor sinks = {};   ///< [H], dtype of q: one more term exp(sink) in each softmax's denominator
};

/// {out [B, T, H, D], lse [B, H, T]} for q [B, T, H, D], k and v [B, S, Hkv, D]:
///   score[b, h, i, j] = cap(scale * q[b, i, h] . k[b, j, h / (H / Hkv)]) + mask[b, h, i, j],
///   lse = log(exp(sinks[h]) + sum over j of exp(score)), in f32 (f64 for f64) for the backward pass,
///   out = sum over j of exp(score - lse) v.
/// The queries are the last T of S positions. A query that sees no key gives NaN. Beside q in f32, k and v
/// may be f16, bf16 or q8_0, as a cache stores them: the result is that of k and v widened. Throws
/// Error{kShape} unless Hkv divides H, S >= 1, and S >= T when causal.
std::vector<Tensor> attention(const Tensor& q, const Tensor& k, const Tensor& v,
                              const AttentionOptions& options);
std::vector<Tensor> attention(const Tensor& q, const Tensor& k, const Tensor& v, double scale,
                              bool causal = true);
/// Only `out`.
Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                    const AttentionOptions& options);
Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v, double scale,
                                    bool causal = true);

/// {dq, dk, dv, then dmask and dsinks where there are such} for the gradients g of out and g_lse of lse:
///   p = exp(score - lse), dv = p^T g, dmask = p (g v^T - rowsum(g out) + g_lse), ds = dmask cap' scale,
///   dq = ds k, dk = ds^T q, dsinks = sum of exp(sink - lse) (g_lse - rowsum(g out)).
std::vector<Tensor> attention_backward(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& out,
                                       const Tensor& lse, const Tensor& g, const Tensor& g_lse,
                                       const AttentionOptions& options);
std::vector<Tensor> attention_backward(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& out,
                                       const Tensor& lse, const Tensor& g, const Tensor& g_lse, double scale,
                                       bool causal);

}  // namespace suiren
