#pragma once
// Tensors joined along a dimension.

#include <vector>

#include "suiren/core/tensor.h"

namespace suiren {

/// The tensors one after another along `axis` (negative: from the end): one dtype, the same shape but for
/// that dimension. Throws Error{kShape} otherwise, or when there are none.
Tensor concat(const std::vector<Tensor>& tensors, int64_t axis);
/// Tensors of one shape and dtype side by side along a new dimension `axis`.
Tensor stack(const std::vector<Tensor>& tensors, int64_t axis);

}  // namespace suiren
