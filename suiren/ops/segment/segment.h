#pragma once
// Rows brought together by a number for each: graph aggregation, pooling over ragged sequences. Numbers need
// not be sorted. ids [N] are i32 or i64 in [0, segments); Error{kInvalid} names one that is not.

#include "suiren/core/tensor.h"

namespace suiren {

/// y[s] = sum of the x[i] with ids[i] = s, in ascending i; x [N, ...] -> [segments, ...], dtype of x. Sums of
/// narrow floats are kept in f32. An empty segment gives 0.
Tensor segment_sum(const Tensor& x, const Tensor& ids, int64_t segments);
/// Their mean, floats only. An empty segment gives 0.
Tensor segment_mean(const Tensor& x, const Tensor& ids, int64_t segments);
/// Their largest element, NaN first; equal ones share the gradient. An empty segment gives the least value of
/// the dtype (-infinity for floats).
Tensor segment_max(const Tensor& x, const Tensor& ids, int64_t segments);

}  // namespace suiren
