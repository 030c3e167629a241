#include "backends/cpu/conv/depthwise.h"

#include <algorithm>

#include "backends/cpu/scratch.h"
#include "backends/cpu/simd/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/conv/depthwise.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// After foreach_target.h, so that it is compiled for each target.
#include "backends/cpu/simd/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace suiren::cpu::HWY_NAMESPACE {
namespace {

void correlate(const PaddedPlane& p, const float* padded, const float* weight, float* y) {
  const int64_t *tap = p.taps.data(), taps = static_cast<int64_t>(p.taps.size());
  for (const int64_t row : p.out_rows) {
    for_vectors(p.width, [=](auto in, auto out) SUIREN_STEP {
      V sum = hn::Zero(F32());
      for (int64_t t = 0; t < taps; ++t) sum = hn::MulAdd(in(padded + row + tap[t]), set(weight[t]), sum);
      out(sum, y);
    });
    y += p.width;
  }
}

void spread(const PaddedPlane& p, const float* dy, const float* weight, float* padded) {
  for (size_t t = 0; t < p.taps.size(); ++t) {
    const V w = set(weight[t]);
    const float* from = dy;
    for (const int64_t row : p.out_rows) {
      float* to = padded + row + p.taps[t];
      for_vectors(p.width, [=](auto in, auto out) SUIREN_STEP { out(hn::MulAdd(in(from), w, in(to)), to); });
      from += p.width;
    }
  }
}

// Taps t .. t + kTaps - 1.
template <int kTaps>
HWY_INLINE void sums_of(const PaddedPlane& p, const float* padded, const float* dy, size_t t,
                        float* dweight) {
  V sum[kTaps];
  SUIREN_UNROLL for (V& s : sum) s = hn::Zero(F32());
  for (const int64_t row : p.out_rows) {
    for_vectors(p.width, [&](auto in, auto) SUIREN_STEP {
      const V g = in(dy);
      SUIREN_UNROLL for (int k = 0; k < kTaps; ++k) sum[k] =
          hn::MulAdd(in(padded + row + p.taps[t + static_cast<size_t>(k)]), g, sum[k]);
    });
    dy += p.width;
  }
  SUIREN_UNROLL for (int k = 0; k < kTaps; ++k) dweight[t + static_cast<size_t>(k)] += lanes_sum(sum[k]);
}
void tap_sums(const PaddedPlane& p, const float* padded, const float* dy, float* dweight) {
  constexpr int kAtOnce = 3;
  size_t t = 0;
  for (; t + kAtOnce <= p.taps.size(); t += kAtOnce) sums_of<kAtOnce>(p, padded, dy, t, dweight);
  for (; t < p.taps.size(); ++t) sums_of<1>(p, padded, dy, t, dweight);
}

}  // namespace
}  // namespace suiren::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace suiren::cpu {
namespace {

float* zeros(const PaddedPlane& p) {
  static thread_local Scratch<float> scratch;
  float* to = scratch.get(p.size);
  std::fill_n(to, p.size, 0.0f);
  return to;
}

// move(element of the copy, element of the plane) for all of the plane; whole rows where both are runs.
template <class Run, class Move>
void for_plane(const PaddedPlane& p, float* padded, Run run, Move move) {
  for (size_t r = 0; r < p.in_rows.size(); ++r) {
    float* row = padded + p.in_rows[r];
    const auto at = static_cast<int64_t>(r) * p.in_width;
    if (p.stride == 1)
      run(row + p.padding, at);
    else
      for (int64_t j = 0; j < p.in_width; ++j) move(row[p.column(j + p.padding)], at + j);
  }
}
float* padded_copy(const PaddedPlane& p, const float* x) {
  float* to = zeros(p);
  for_plane(
      p, to, [&](float* row, int64_t at) { std::copy_n(x + at, p.in_width, row); },
      [&](float& element, int64_t at) { element = x[at]; });
  return to;
}

}  // namespace

PaddedPlane::PaddedPlane(const ConvGeometry& g) {
  const int last = g.in.rank() - 1;
  width = g.out[last], in_width = g.in[last], stride = g.stride[last], padding = g.padding[last];
  const auto extent = [&](int d) {
    return std::max(g.in[d] + g.padding[d],
                    (g.out[d] - 1) * g.stride[d] + (g.kernel[d] - 1) * g.dilation[d] + 1);
  };
  part = (extent(last) + stride - 1) / stride;
  size = part * stride;
  int64_t steps[kMaxRank] = {};  // from one row to the next along each dimension
  for (int d = last - 1; d >= 0; --d) steps[d] = size, size *= extent(d);
  // Offsets of the rows of `shape`, or of its taps: `scale` apart, from `first` on, along each dimension.
  const auto offsets = [&](const Shape& shape, auto scale, auto first) {
    std::vector<int64_t> list{0};
    for (int d = 0; d < last; ++d) {
      std::vector<int64_t> longer;
      for (const int64_t at : list)
        for (int64_t i = 0; i < shape[d]; ++i) longer.push_back(at + (i * scale(d) + first(d)) * steps[d]);
      list.swap(longer);
    }
    return list;
  };
  const auto one = [](int) { return int64_t{1}; };
  const auto none = [](int) { return int64_t{0}; };
  in_rows = offsets(g.in, one, [&](int d) { return g.padding[d]; });
  out_rows = offsets(
      g.out, [&](int d) { return g.stride[d]; }, none);
  for (const int64_t at : offsets(
           g.kernel, [&](int d) { return g.dilation[d]; }, none))
    for (int64_t t = 0; t < g.kernel[last]; ++t) taps.push_back(at + column(t * g.dilation[last]));
}

void correlate_plane(const PaddedPlane& p, const float* x, const float* weight, float* y) {
  SUIREN_PICK(correlate)(p, padded_copy(p, x), weight, y);
}
void spread_plane(const PaddedPlane& p, const float* dy, const float* weight, float* dx) {
  float* padded = zeros(p);
  SUIREN_PICK(spread)(p, dy, weight, padded);
  for_plane(
      p, padded, [&](const float* row, int64_t at) { std::copy_n(row, p.in_width, dx + at); },
      [&](float element, int64_t at) { dx[at] = element; });
}
void tap_sums_plane(const PaddedPlane& p, const float* x, const float* dy, float* dweight) {
  SUIREN_PICK(tap_sums)(p, padded_copy(p, x), dy, dweight);
}

}  // namespace suiren::cpu
#endif
