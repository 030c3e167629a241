#pragma once
// What the ops that take an index share: checks for infer, and a walk for references. Pure functions.

#include "suiren/ops/common.h"

namespace suiren {

inline void check_index(const TensorSpec& index, const char* name = "index") {
  SR_CHECK_AS(kShape, index.dtype == kI64 || index.dtype == kI32,
              "{} is {}, expected i64 or i32; cast it first", name, index.dtype);
}

/// The rank and extents that gather and scatter ask of an index.
inline void check_index_shape(int64_t axis, const TensorSpec& x, const TensorSpec& index) {
  check_axis(axis, x);
  check_index(index);
  bool fits = index.rank() == x.rank();
  for (int d = 0; fits && d < x.rank(); ++d) fits = d == axis || index.shape[d] <= x.shape[d];
  SR_CHECK_AS(kShape, fits, "index has shape {}, which exceeds x with shape {} beside dimension {}",
              index.shape, x.shape, axis);
}

/// Calls f(element of x, element of index) for every element of the index, in row-major order.
template <class F>
void for_each_indexed(int64_t axis, const Shape& x, const HostArray& index, F f) {
  const Strides strides = contiguous_strides(x);
  for (int64_t i = 0; i < index.numel(); ++i) {
    const auto chosen = static_cast<int64_t>(index[i]);
    SR_CHECK(chosen >= 0 && chosen < x[static_cast<int>(axis)],
             "index {} is out of range for dimension {} of x with shape {}", chosen, axis, x);
    int64_t at = 0, rest = i;
    for (int d = x.rank() - 1; d >= 0; --d) {
      at += (d == axis ? chosen : rest % index.shape[d]) * strides[d];
      rest /= index.shape[d];
    }
    f(at, i);
  }
}

}  // namespace suiren
