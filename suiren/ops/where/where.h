#pragma once
// Choice by a condition.

#include "suiren/core/tensor.h"

namespace suiren {

/// a where cond, else b. cond is bool, a and b have one dtype; all three broadcast (NumPy rules).
Tensor where(const Tensor& cond, const Tensor& a, const Tensor& b);

}  // namespace suiren
