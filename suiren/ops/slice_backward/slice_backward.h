#pragma once
// The gradient of slice, itself differentiable.

#include "suiren/core/tensor.h"

namespace suiren {

/// Zeros of `shape` in which elements begin, begin + step, ... of dimension `axis` are those of g.
/// g has `shape` but for dimension `axis`. Throws Error{kShape} when g does not fit.
Tensor slice_backward(const Tensor& g, const Shape& shape, int64_t axis, int64_t begin, int64_t step);

}  // namespace suiren
