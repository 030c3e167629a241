#include "backends/cpu/conv/unfold.h"

#include <algorithm>

#include "backends/cpu/scratch.h"
#include "backends/cpu/simd/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/conv/unfold.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// After foreach_target.h, so that it is compiled for each target.
#include "backends/cpu/simd/vector-inl.h"

#ifndef SUIREN_UNFOLD_ROWS
#define SUIREN_UNFOLD_ROWS
namespace suiren::cpu {

// The rows (along the last dimension) of an unfolded matrix: which row of a plane each one reads.
struct UnfoldRows {
  int64_t width, in_width, in_rows;  // of output rows, of input rows, and how many of these a plane has
  int64_t first, last, outer_taps, taps;
  int64_t stride, padding, dilation;
  const int64_t* source;  // [outer tap][row - first]: row of the plane, or -1

  UnfoldRows(const ConvGeometry& g, int64_t begin, int64_t end, Scratch<int64_t>& table) {
    const int last_dim = g.in.rank() - 1;
    width = g.out[last_dim], in_width = g.in[last_dim], taps = g.kernel[last_dim];
    in_rows = outer_taps = 1;
    for (int d = 0; d < last_dim; ++d) in_rows *= g.in[d], outer_taps *= g.kernel[d];
    first = begin / width, last = (end - 1) / width;
    stride = g.stride[last_dim], padding = g.padding[last_dim], dilation = g.dilation[last_dim];
    int64_t* to = table.get(outer_taps * (last - first + 1));
    source = to;
    for (int64_t tap = 0; tap < outer_taps; ++tap)
      for (int64_t row = first; row <= last; ++row) *to++ = source_row(g, row, tap);
  }
  static int64_t source_row(const ConvGeometry& g, int64_t row, int64_t tap) {
    int64_t index = 0, step = 1;
    for (int d = g.in.rank() - 2; d >= 0; --d) {
      const int64_t at = row % g.out[d] * g.stride[d] - g.padding[d] + tap % g.kernel[d] * g.dilation[d];
      if (at < 0 || at >= g.in[d]) return -1;
      index += at * step;
      step *= g.in[d], row /= g.out[d], tap /= g.kernel[d];
    }
    return index;
  }
};

}  // namespace suiren::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace suiren::cpu::HWY_NAMESPACE {
namespace {

HWY_INLINE void copy_row(const float* from, float* to, int64_t n) {
  for_vectors(n, [=](auto in, auto out) SUIREN_STEP { out(in(from), to); });
}
HWY_INLINE void copy_row(const double* from, double* to, int64_t n) {
  for (int64_t i = 0; i < n; ++i) to[i] = from[i];
}
using HWY_NAMESPACE::add_row;
HWY_INLINE void add_row(const double* from, double* to, int64_t n) {
  for (int64_t i = 0; i < n; ++i) to[i] += from[i];
}

// inside(offset in the matrix, offset in the planes, elements) for every piece that lies inside the planes,
// and outside(offset in the matrix, elements) for the rest.
template <class Inside, class Outside>
HWY_INLINE void for_pieces(const UnfoldRows& u, int64_t channels, int64_t begin, int64_t end, Inside inside,
                           Outside outside) {
  int64_t at = 0;
  const int64_t rows = u.last - u.first + 1;
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t outer = 0; outer < u.outer_taps; ++outer)
      for (int64_t tap = 0; tap < u.taps; ++tap) {
        const int64_t shift = tap * u.dilation - u.padding;  // column p reads p stride + shift
        const int64_t low = shift >= 0 ? 0 : (-shift + u.stride - 1) / u.stride;
        const int64_t high = u.in_width <= shift ? 0 : (u.in_width - shift + u.stride - 1) / u.stride;
        for (int64_t r = 0; r < rows; ++r) {
          const int64_t a = r == 0 ? begin - u.first * u.width : 0;
          const int64_t b = r == rows - 1 ? end - u.last * u.width : u.width;
          const int64_t row = u.source[outer * rows + r];
          const int64_t from = std::clamp(row < 0 ? b : low, a, b), to = std::clamp(high, from, b);
          if (from > a) outside(at, from - a);
          if (to > from)
            inside(at + from - a, (c * u.in_rows + row) * u.in_width + from * u.stride + shift, to - from);
          if (b > to) outside(at + to - a, b - to);
          at += b - a;
        }
      }
}

template <class T>
void unfold_rows(const UnfoldRows& rows, const T* planes, int64_t channels, int64_t begin, int64_t end,
                 T* to) {
  const int64_t s = rows.stride;
  for_pieces(
      rows, channels, begin, end,
      [=](int64_t at, int64_t from, int64_t n) SUIREN_STEP {
        if (s == 1) return copy_row(planes + from, to + at, n);
        for (int64_t i = 0; i < n; ++i) to[at + i] = planes[from + i * s];
      },
      [=](int64_t at, int64_t n) SUIREN_STEP {
        for (int64_t i = 0; i < n; ++i) to[at + i] = 0;
      });
}

template <class T>
void fold_rows(const UnfoldRows& rows, const T* from, int64_t channels, int64_t begin, int64_t end,
               T* planes) {
  const int64_t s = rows.stride;
  for_pieces(
      rows, channels, begin, end,
      [=](int64_t at, int64_t to, int64_t n) SUIREN_STEP {
        if (s == 1) return add_row(from + at, planes + to, n);
        for (int64_t i = 0; i < n; ++i) planes[to + i * s] += from[at + i];
      },
      [](int64_t, int64_t) SUIREN_STEP {});
}

}  // namespace
}  // namespace suiren::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace suiren::cpu {
namespace {

Scratch<int64_t>& source_table() {
  static thread_local Scratch<int64_t> table;
  return table;
}

}  // namespace

bool ConvGeometry::pointwise() const {
  for (int d = 0; d < in.rank(); ++d)
    if (kernel[d] != 1 || stride[d] != 1 || padding[d] != 0 || in[d] != out[d]) return false;
  return true;
}

template <class T>
void unfold(const ConvGeometry& g, const T* planes, int64_t channels, int64_t begin, int64_t end, T* to) {
  if (begin >= end) return;
  const UnfoldRows rows(g, begin, end, source_table());
  if constexpr (std::is_same_v<T, float>)
    SUIREN_PICK(unfold_rows<float>)(rows, planes, channels, begin, end, to);
  else
    SUIREN_PICK(unfold_rows<double>)(rows, planes, channels, begin, end, to);
}

template <class T>
void fold(const ConvGeometry& g, const T* from, int64_t channels, int64_t begin, int64_t end, T* planes) {
  if (begin >= end) return;
  const UnfoldRows rows(g, begin, end, source_table());
  if constexpr (std::is_same_v<T, float>)
    SUIREN_PICK(fold_rows<float>)(rows, from, channels, begin, end, planes);
  else
    SUIREN_PICK(fold_rows<double>)(rows, from, channels, begin, end, planes);
}

template void unfold(const ConvGeometry&, const float*, int64_t, int64_t, int64_t, float*);
template void unfold(const ConvGeometry&, const double*, int64_t, int64_t, int64_t, double*);
template void fold(const ConvGeometry&, const float*, int64_t, int64_t, int64_t, float*);
template void fold(const ConvGeometry&, const double*, int64_t, int64_t, int64_t, double*);

}  // namespace suiren::cpu
#endif
