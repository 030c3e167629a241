#pragma once
// Values held between two bounds.

#include "suiren/core/tensor.h"

namespace suiren {

/// min(max(x, low), high); NaN stays NaN. The gradient passes where low <= x <= high.
/// Throws Error{kInvalid} when low > high or a bound is NaN.
Tensor clamp(const Tensor& x, double low, double high);

}  // namespace suiren
