#pragma once
// Vector norms over dimensions as in suiren/ops/reduce.

#include "suiren/core/tensor.h"

namespace suiren {

/// (sum of |x|^p over axes)^(1/p); p = infinity: the largest |x|, p = -infinity: the smallest. Floats only.
/// The gradient is 0 where the norm is. Throws Error{kInvalid} for p = 0 or NaN (see count_nonzero).
Tensor norm(const Tensor& x, double p = 2, const Dims& axes = {}, bool keep = false);

}  // namespace suiren
