#pragma once
// Sliding windows.

#include "suiren/core/tensor.h"

namespace suiren {

/// A view: y[..., w, ..., k] = x[..., w * step + k, ...], the windows of `size` elements along `axis` at
/// every `step`-th place; their elements are a new last dimension. Windows that do not fit are left out.
/// Throws Error{kShape} unless 1 <= size <= extent and step >= 1.
Tensor unfold(const Tensor& x, int64_t axis, int64_t size, int64_t step = 1);

}  // namespace suiren
