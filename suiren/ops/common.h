#pragma once
// What many rooms share: where an element lies (for references) and checks (for infer). Pure functions.

#include "suiren/core/op.h"

namespace suiren {

/// The row-major index in `from` of the element that stands under element `i` of `to`, when `from` is
/// broadcast to `to`.
inline int64_t broadcast_index(int64_t i, const Shape& to, const Shape& from) {
  int64_t index = 0, step = 1;
  for (int d = 1; d <= from.rank(); ++d) {
    const int64_t extent = from.dim(-d);
    if (extent != 1) index += (i % to.dim(-d)) * step;
    step *= extent;
    i /= to.dim(-d);
  }
  return index;
}

/// A shape seen from one axis: element (outer, k, inner) lies at (outer * extent + k) * inner_extent + inner.
struct AxisView {
  int64_t outers = 1, extent = 1, inners = 1;
  AxisView(const Shape& shape, int64_t axis) {
    for (int d = 0; d < shape.rank(); ++d) (d < axis ? outers : d == axis ? extent : inners) *= shape[d];
  }
  int64_t at(int64_t outer, int64_t k, int64_t inner) const { return (outer * extent + k) * inners + inner; }
};

/// "a floating type", "a number", "bool", "any type": what an error says was expected.
constexpr const char* describe(DTypes types) {
  const uint32_t plain = types.mask & kAnyType.mask;
  return plain == kFloating.mask   ? "a floating type"
         : plain == kBoolOnly.mask ? "bool"
         : plain == kAnyType.mask  ? "any type"
         : plain == kNumbers.mask  ? "a number"
                                   : "an integer";
}

inline void check_dtype(DTypes types, const char* name, const TensorSpec& x) {
  SR_CHECK_AS(kShape, types.has(x.dtype), "{} is {}, expected {}; cast it first", name, x.dtype,
              describe(types));
}
inline void check_same_dtype(const char* a_name, const TensorSpec& a, const char* b_name,
                             const TensorSpec& b) {
  SR_CHECK_AS(kShape, a.dtype == b.dtype, "{} is {}, {} is {}; cast one to the dtype of the other", a_name,
              a.dtype, b_name, b.dtype);
}
inline void check_same_shape(const char* a_name, const TensorSpec& a, const char* b_name,
                             const TensorSpec& b) {
  SR_CHECK_AS(kShape, a.shape == b.shape, "{} has shape {}, {} has shape {}; expected the same", a_name,
              a.shape, b_name, b.shape);
}
inline void check_axis(int64_t axis, const TensorSpec& x) {
  SR_CHECK_AS(kShape, axis >= 0 && axis < x.rank(), "dimension {} is out of range for x with shape {}", axis,
              x.shape);
}
inline void check_extents(const Shape& shape) {
  for (int64_t d : shape) SR_CHECK_AS(kShape, d >= 0, "shape {} has a negative extent", shape);
}

/// Sums of integers wrap modulo 2^64; sums of floats are formed in Wide.
inline Wide add_wide(DType d, Wide a, Wide b) {
  if (d.is_floating()) return a + b;
  return static_cast<Wide>(static_cast<int64_t>(static_cast<uint64_t>(static_cast<int64_t>(a)) +
                                                static_cast<uint64_t>(static_cast<int64_t>(b))));
}

}  // namespace suiren
