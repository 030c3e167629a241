#pragma once
// Choice by a condition.

#include "suiren/core/tensor.h"

namespace suiren {

/// a where cond, else b. cond is bool, a and b have one dtype; all three broadcast (NumPy rules).
Tensor where(const Tensor& cond, const Tensor& a, const Tensor& b);
/// x, but `value` where the bool `mask` (broadcast with x) is true.
Tensor masked_fill(const Tensor& x, const Tensor& mask, double value);

}  // namespace suiren
