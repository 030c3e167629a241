#pragma once
// Numbers of classes: one-hot rows, and how often each occurs. ids are i32 or i64; Error{kInvalid} names one
// that is out of range.

#include "suiren/core/tensor.h"

namespace suiren {

/// y[..., c] = (ids[...] = c): ids [...] -> [..., classes] of `dtype`.
Tensor one_hot(const Tensor& ids, int64_t classes, DType dtype = kI64);
/// y[b] = how many of the ids are b: [bins], i64. Weighted counts are scatter_add onto zeros.
Tensor bincount(const Tensor& ids, int64_t bins);

}  // namespace suiren
