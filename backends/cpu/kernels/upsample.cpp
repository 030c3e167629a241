// Interpolation of planes: linear maps along each dimension (resample.h).

#include <algorithm>
#include <vector>

#include "backends/cpu/resample.h"

namespace suiren::cpu {
namespace {

AxisMap nearest_map(int64_t in, int64_t out) {
  AxisMap m;
  m.in = in;
  for (int64_t p = 0; p < out; ++p) {
    m.add(p * in / out, 1);
    m.end_output();
  }
  return m;
}

// Output p reads at s: (1 - t) x[floor(s)] + t x[floor(s) + 1], t = s - floor(s).
AxisMap linear_map(int64_t in, int64_t out, bool align_corners) {
  const auto from = static_cast<double>(in), to = static_cast<double>(out);
  AxisMap m;
  m.in = in;
  for (int64_t p = 0; p < out; ++p) {
    double s = 0;
    if (!align_corners)
      s = std::max(0.0, (static_cast<double>(p) + 0.5) * from / to - 0.5);
    else if (out > 1)
      s = static_cast<double>(p) * (from - 1) / (to - 1);
    const int64_t first = std::min(static_cast<int64_t>(s), in - 1);
    const double t = first + 1 < in ? s - static_cast<double>(first) : 0;
    m.add(first, 1 - t);
    if (t != 0) m.add(first + 1, t);
    m.end_output();
  }
  return m;
}

// The maps from `small` to `large` extents, which an op and its gradient share.
template <class Map>
std::vector<AxisMap> maps(const Operand& small, const Operand& large, Map map) {
  std::vector<AxisMap> all;
  for (int d = 2; d < small.rank(); ++d) all.push_back(map(small.dim(d), large.dim(d)));
  return all;
}
std::vector<AxisMap> transposed(std::vector<AxisMap> all) {
  for (AxisMap& m : all) m = m.transposed();
  return all;
}

void nearest(const Call& c, void*) { resample(maps(c.in(0), c.out(0), nearest_map), c.in(0), c.out(0)); }
void nearest_backward(const Call& c, void*) {
  resample(transposed(maps(c.out(0), c.in(0), nearest_map)), c.in(0), c.out(0));
}

// Attributes size, align_corners.
auto linear_of(const Call& c) {
  return [corners = c.attr_i64(1) != 0](int64_t in, int64_t out) { return linear_map(in, out, corners); };
}
void linear(const Call& c, void*) { resample(maps(c.in(0), c.out(0), linear_of(c)), c.in(0), c.out(0)); }
void linear_backward(const Call& c, void*) {
  resample(transposed(maps(c.out(0), c.in(0), linear_of(c))), c.in(0), c.out(0));
}

constexpr Kernel kKernels[] = {
    {"upsample_nearest", "resample", 10, wide_row_major_inputs, nullptr, nearest},
    {"upsample_nearest_backward", "resample", 10, wide_row_major_inputs, nullptr, nearest_backward},
    {"upsample_linear", "resample", 10, wide_row_major_inputs, nullptr, linear},
    {"upsample_linear_backward", "resample", 10, wide_row_major_inputs, nullptr, linear_backward},
};

}  // namespace

KernelList kernels_upsample() { return kKernels; }

}  // namespace suiren::cpu
