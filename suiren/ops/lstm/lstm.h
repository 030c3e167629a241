#pragma once
// Long short-term memory (Hochreiter & Schmidhuber 1997), one layer over a whole sequence, PyTorch's order of
// the gates: i, f, g, o.

#include <vector>

#include "suiren/core/tensor.h"

namespace suiren {

/// {y [B, T, H], h_T [B, H], c_T [B, H]} for x [B, T, I]: with a = x_t w_ih^T + b_ih + h_{t-1} w_hh^T + b_hh,
///   i, f, o = sigmoid of their quarter of a, g = tanh of its, c_t = f c_{t-1} + i g, y_t = h_t = o
///   tanh(c_t).
/// h0 and c0 [B, H], w_ih [4 H, I], w_hh [4 H, H], b_ih and b_hh [4 H] or undefined. One floating dtype.
/// Without a batch: x [T, I], h0 and c0 [H] -> [T, H], [H], [H]. Throws Error{kShape} unless T >= 1.
std::vector<Tensor> lstm(const Tensor& x, const Tensor& h0, const Tensor& c0, const Tensor& w_ih,
                         const Tensor& w_hh, const Tensor& b_ih = {}, const Tensor& b_hh = {});

/// {y, c}, both [B, T, H]: the recurrence alone, for p [B, T, 4 H] = x w_ih^T + both biases.
std::vector<Tensor> lstm_recurrence(const Tensor& p, const Tensor& h0, const Tensor& c0, const Tensor& w_hh);

}  // namespace suiren
