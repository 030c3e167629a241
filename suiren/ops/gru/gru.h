#pragma once
// Gated recurrent unit (Cho et al. 2014), one layer over a whole sequence, PyTorch's order of the gates: r,
// z, n, and its form: the reset gate acts on the product with w_hh.

#include <vector>

#include "suiren/core/tensor.h"

namespace suiren {

/// {y [B, T, H], h_T [B, H]} for x [B, T, I]: with p = x_t w_ih^T + b_ih and q = h_{t-1} w_hh^T + b_hh,
///   r = sigmoid(p_r + q_r), z = sigmoid(p_z + q_z), n = tanh(p_n + r q_n), y_t = h_t = (1 - z) n + z
///   h_{t-1}.
/// h0 [B, H], w_ih [3 H, I], w_hh [3 H, H], b_ih and b_hh [3 H] or undefined. One floating dtype.
/// Without a batch: x [T, I], h0 [H] -> [T, H], [H]. Throws Error{kShape} unless T >= 1.
std::vector<Tensor> gru(const Tensor& x, const Tensor& h0, const Tensor& w_ih, const Tensor& w_hh,
                        const Tensor& b_ih = {}, const Tensor& b_hh = {});

/// y [B, T, H]: the recurrence alone, for p [B, T, 3 H] = x w_ih^T + b_ih.
Tensor gru_recurrence(const Tensor& p, const Tensor& h0, const Tensor& w_hh, const Tensor& b_hh);

}  // namespace suiren
