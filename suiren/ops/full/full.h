#pragma once
// Tensors made from nothing.

#include "suiren/core/tensor.h"

namespace suiren {

/// Every element is `value`, rounded to `dtype`.
Tensor full(const Shape& shape, double value, DType dtype = kF32, const Device& device = {});
Tensor zeros(const Shape& shape, DType dtype = kF32, const Device& device = {});
Tensor ones(const Shape& shape, DType dtype = kF32, const Device& device = {});
/// begin, begin + step, ... before end: [n] with n = max(0, ceil((end - begin) / step)). Element i is
/// begin + i * step in f64, rounded to `dtype`. Throws Error{kInvalid} when step is 0.
Tensor arange(double begin, double end, double step = 1, DType dtype = kI64, const Device& device = {});

}  // namespace suiren
