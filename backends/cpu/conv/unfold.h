#pragma once
// A convolution as a matrix product: the elements of x that each output position meets, as columns of a
// matrix, and the way back. Pure functions over row-major planes; T: float, double.

#include <cstdint>

#include "suiren/base/shape.h"

namespace suiren::cpu {

/// The sizes of conv(x, weight) = y; extents and lists of the spatial dimensions only.
struct ConvGeometry {
  int64_t batch, groups, channels, outputs;  ///< channels and outputs of one group
  Shape in, out, kernel;
  Dims stride, padding, dilation;

  int64_t taps() const { return kernel.numel(); }
  int64_t terms() const { return channels * taps(); }  ///< summed into one output: rows of the matrix
  bool depthwise() const { return channels == 1 && outputs == 1; }
  /// The matrix is x itself.
  bool pointwise() const;
};

/// to[(c, tap), p - begin] = what tap meets at output p in plane c, 0 outside: `channels` planes of x,
/// outputs begin <= p < end -> [channels * taps, end - begin].
template <class T>
void unfold(const ConvGeometry& g, const T* planes, int64_t channels, int64_t begin, int64_t end, T* to);

/// Adds every element of such a matrix to where unfold would have read it; what lies outside is dropped.
template <class T>
void fold(const ConvGeometry& g, const T* from, int64_t channels, int64_t begin, int64_t end, T* planes);

}  // namespace suiren::cpu
