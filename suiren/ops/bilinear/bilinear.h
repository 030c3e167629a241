#pragma once
// Bilinear forms of two inputs.

#include "suiren/core/tensor.h"

namespace suiren {

/// y[..., o] = sum over i, j of a[..., i] weight[o, i, j] b[..., j] (+ bias[o]): a [..., I], b [..., J],
/// weight [O, I, J], bias [O] or undefined -> [..., O]. One floating dtype. Throws Error{kShape} otherwise.
Tensor bilinear(const Tensor& a, const Tensor& b, const Tensor& weight, const Tensor& bias = {});

}  // namespace suiren
