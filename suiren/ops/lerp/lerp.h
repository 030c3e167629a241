#pragma once
// Interpolation on a line.

#include "suiren/core/tensor.h"

namespace suiren {

/// a + weight (b - a): three tensors of one floating dtype, broadcast together. Throws Error{kShape}
/// otherwise.
Tensor lerp(const Tensor& a, const Tensor& b, const Tensor& weight);
Tensor lerp(const Tensor& a, const Tensor& b, double weight);

}  // namespace suiren
