#pragma once
// Reductions over dimensions. `axes` may be negative (from the end); no axes means all. `keep` leaves the
// reduced dimensions with extent 1. Floats are accumulated in accumulator(dtype) and rounded once.

#include "suiren/core/tensor.h"

namespace suiren {

/// Floats keep their dtype; integers and bool are summed as i64, modulo 2^64. The sum of nothing is 0.
Tensor sum(const Tensor& x, const Dims& axes = {}, bool keep = false);
/// Floats only. The mean of nothing is NaN.
Tensor mean(const Tensor& x, const Dims& axes = {}, bool keep = false);
/// Largest and smallest; any number. NaN wins. The gradient is shared evenly by equal extrema.
/// Throws Error{kShape} when there is nothing to choose from.
Tensor max(const Tensor& x, const Dims& axes = {}, bool keep = false);
Tensor min(const Tensor& x, const Dims& axes = {}, bool keep = false);
/// Index of the largest element along `axis`, the first of equals; NaN counts as the largest. x without that
/// dimension, i64. Throws Error{kShape} when there is nothing to choose from.
Tensor argmax(const Tensor& x, int64_t axis);
/// The same for the smallest; NaN counts as the smallest.
Tensor argmin(const Tensor& x, int64_t axis);
/// Floats keep their dtype; integers and bool are multiplied as i64, modulo 2^64. The product of nothing
/// is 1.
Tensor prod(const Tensor& x, const Dims& axes = {}, bool keep = false);
/// Sum of the squares of all elements: f64 [], for norms; floats only.
Tensor sum_squares(const Tensor& x);
/// y[k] = x[0] + ... + x[k] along `axis`, or x[k] + ... + x[n-1] when `reverse`. dtype as sum.
Tensor cumsum(const Tensor& x, int64_t axis, bool reverse = false);
/// Sums away what broadcasting `shape` to x.shape() would repeat: the gradient of a broadcast.
Tensor sum_to(const Tensor& x, const Shape& shape);

}  // namespace suiren
