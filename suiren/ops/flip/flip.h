#pragma once
// Elements in another order along dimensions. Any dtype; both copy.

#include "suiren/core/tensor.h"

namespace suiren {

/// y[..., i, ...] = x[..., n - 1 - i, ...] along each of `axes`. Throws Error{kShape} when one is given
/// twice.
Tensor flip(const Tensor& x, const Dims& axes);
/// y[..., (i + shift) mod n, ...] = x[..., i, ...] along `axis`; any shift.
Tensor roll(const Tensor& x, int64_t shift, int64_t axis);

}  // namespace suiren
