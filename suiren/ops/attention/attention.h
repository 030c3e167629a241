#pragma once
// Attention with grouped key and value heads (Vaswani et al. 2017; Ainslie et al. 2023).

#include <vector>

#include "suiren/core/tensor.h"

namespace suiren {

/// {out [B, T, H, D], lse [B, H, T]} for q [B, T, H, D], k and v [B, S, Hkv, D]:
///   score[b, h, i, j] = scale * q[b, i, h] . k[b, j, h / (H / Hkv)], out = softmax over j of score times v,
///   lse = log(sum over j of exp(score)), in f32 (f64 for f64) for the backward pass.
/// The queries are the last T of S positions: with `causal`, query i sees key j iff j <= S - T + i.
/// Throws Error{kShape} unless Hkv divides H, S >= 1, and S >= T when causal.
std::vector<Tensor> attention(const Tensor& q, const Tensor& k, const Tensor& v, double scale,
                              bool causal = true);
/// Only `out`.
Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v, double scale,
                                    bool causal = true);

/// {dq, dk, dv} for the gradients g of out and g_lse of lse:
///   p = exp(score - lse), dv = p^T g, ds = p (g v^T - rowsum(g out) + g_lse) scale, dq = ds k, dk = ds^T q.
std::vector<Tensor> attention_backward(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& out,
                                       const Tensor& lse, const Tensor& g, const Tensor& g_lse, double scale,
                                       bool causal);

}  // namespace suiren
