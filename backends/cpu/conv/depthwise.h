#pragma once
// Convolutions of one channel in, one out (groups of one channel): plane by plane over a padded copy of the
// input, in f32.

#include <cstdint>
#include <vector>

#include "backends/cpu/conv/unfold.h"

namespace suiren::cpu {

/// Where the elements of a plane lie in a copy with zeros around it. A row of the copy holds its columns 0,
/// s, 2 s, ... side by side, then 1, s + 1, ... (s: the stride), so that the columns that a tap meets are
/// neighbours.
struct PaddedPlane {
  int64_t size;                                  ///< elements of the copy
  int64_t width, in_width;                       ///< of rows of the output and of the plane
  int64_t stride, padding, part;                 ///< of the last dimension; columns of a row in one run
  std::vector<int64_t> in_rows, out_rows, taps;  ///< offsets: out_rows[r] + taps[t] + column is what t meets

  explicit PaddedPlane(const ConvGeometry& g);
  int64_t column(int64_t padded) const { return padded % stride * part + padded / stride; }
};

/// y = x correlated with weight [taps], taps in ascending order; the zeros outside are multiplied too, which
/// shows with what is not finite.
void correlate_plane(const PaddedPlane& p, const float* x, const float* weight, float* y);
/// dx = its transpose applied to dy, taps in ascending order.
void spread_plane(const PaddedPlane& p, const float* dy, const float* weight, float* dx);
/// dweight += the products of x and dy at each tap.
void tap_sums_plane(const PaddedPlane& p, const float* x, const float* dy, float* dweight);

}  // namespace suiren::cpu
