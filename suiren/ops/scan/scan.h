#pragma once
// Running products, and the linear recurrence behind them, along one dimension. A negative axis counts from
// the end. Throw Error{kShape} for an axis out of range.

#include "suiren/core/tensor.h"

namespace suiren {

/// s[0] = b[0], s[k] = a[k] s[k-1] + b[k] along `axis`; with `reverse` from the last element to the first. a
/// and b have one shape and one floating dtype; a[0] is not used. Computed in accumulator(dtype), rounded
/// once.
Tensor scan(const Tensor& a, const Tensor& b, int64_t axis, bool reverse = false);
/// y[k] = x[0] ... x[k] along `axis`, or x[k] ... x[n-1] when `reverse`. Integers and bool as i64, modulo
/// 2^64.
Tensor cumprod(const Tensor& x, int64_t axis, bool reverse = false);

}  // namespace suiren
