#pragma once
// Order along a dimension. NaN counts as larger than every number, as in NumPy and PyTorch; -0 equals 0.
// Everything is stable: of equal elements the first comes first, so that each result is the only one
// possible.

#include <utility>

#include "suiren/core/tensor.h"

namespace suiren {

/// {values, indices}: x in ascending (or descending) order along `axis`, and where each element was, i64.
/// Gradients flow back to those places.
std::pair<Tensor, Tensor> sort(const Tensor& x, int64_t axis = -1, bool descending = false);
/// The indices alone.
Tensor argsort(const Tensor& x, int64_t axis = -1, bool descending = false);
/// {values, indices} of the k largest (or smallest) elements along `axis`, best first.
/// Throws Error{kShape} unless 0 <= k <= extent.
std::pair<Tensor, Tensor> topk(const Tensor& x, int64_t k, int64_t axis = -1, bool largest = true);
/// {values, indices} of the k-th smallest element along `axis`, k from 1; that dimension goes.
std::pair<Tensor, Tensor> kthvalue(const Tensor& x, int64_t k, int64_t axis = -1);
/// {values, indices} of the median along `axis`, the lower of two; that dimension goes.
std::pair<Tensor, Tensor> median(const Tensor& x, int64_t axis = -1);
/// For each element v of `values` how many elements of the ascending row are < v (`right`: <= v), i64: where
/// v would be put. sorted is [N], for all values, or [..., N] with values [..., M]. A row that is not
/// ascending gives the result of the binary search std::lower_bound (upper_bound).
Tensor searchsorted(const Tensor& sorted, const Tensor& values, bool right = false);
/// searchsorted with the boundaries last: the bucket of each element of x.
Tensor bucketize(const Tensor& x, const Tensor& boundaries, bool right = false);

}  // namespace suiren
