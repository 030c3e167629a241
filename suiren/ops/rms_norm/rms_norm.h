#pragma once
// RMS normalization (Zhang & Sennrich 2019, eq. 4) and its gradient in one pass.

#include <vector>

#include "suiren/core/tensor.h"

namespace suiren {

/// y = x / sqrt(mean(x^2) + eps) * weight over the last dimension: x [..., D], weight [D] -> [..., D], dtype
/// of x. Computes in f32 (f64 for f64) and rounds once. Throws Error{kShape} unless weight is [D].
Tensor rms_norm(const Tensor& x, const Tensor& weight, double eps = 1e-6);

/// {dx [..., D], dweight [D]} for the gradient g [..., D] of y. Order of the sum in dweight: rows ascending
/// within a sequence (dimension -2), in fixed blocks; then sequences ascending, so that a batch at once has
/// the bits of its sequences accumulated one by one.
std::vector<Tensor> rms_norm_backward(const Tensor& g, const Tensor& x, const Tensor& weight, double eps);

}  // namespace suiren
