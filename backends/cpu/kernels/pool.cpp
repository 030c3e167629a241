// Pooling over planes. Means are linear maps (resample.h); maxima and their gradients go plane by plane.

#include <algorithm>
#include <cmath>
#include <vector>

#include "backends/cpu/resample.h"
#include "backends/cpu/simd/targets.h"
#include "backends/cpu/stage.h"
#include "backends/cpu/walk.h"
#include "suiren/base/error.h"
#include "suiren/base/threads.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/pool.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// After foreach_target.h, so that it is compiled for each target.
#include "backends/cpu/simd/vector-inl.h"

#ifndef SUIREN_POOL_COLUMNS
#define SUIREN_POOL_COLUMNS
namespace suiren::cpu {
namespace {
// The windows along the last dimension: window p holds begin[p], begin[p] + step, ... below end[p], at most
// `taps` of them. Both lists are padded with their last entry to whole vectors.
struct Columns {
  std::vector<int32_t> begin, end;
  int32_t step = 1, taps = 0;
  int64_t count = 0;
};
}  // namespace
}  // namespace suiren::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace suiren::cpu::HWY_NAMESPACE {
namespace {

// One output row: the first of the largest elements of each window over `rows` (offsets in the plane x); NaN
// is larger than any number. `at` has room for whole vectors.
void max_columns(const float* x, const int64_t* rows, int64_t row_count, const Columns& c, float* y,
                 int32_t* at, int64_t* index) {
  for (int64_t p = 0; p < c.count; p += width()) {
    const auto begin = hn::LoadU(I32(), c.begin.data() + p), end = hn::LoadU(I32(), c.end.data() + p);
    V best = hn::GatherIndex(F32(), x + rows[0], begin);
    auto where = hn::Add(begin, hn::Set(I32(), static_cast<int32_t>(rows[0])));
    for (int64_t r = 0; r < row_count; ++r)
      for (int32_t tap = 0; tap < c.taps; ++tap) {
        const auto column = hn::Add(begin, hn::Set(I32(), tap * c.step));
        const auto from =
            hn::IfThenElse(hn::Lt(column, end), column, begin);  // past the end: the first again
        const V v = hn::GatherIndex(F32(), x + rows[r], from);
        const M take = hn::Or(hn::Gt(v, best), hn::AndNot(hn::IsNaN(best), hn::IsNaN(v)));
        best = hn::IfThenElse(take, v, best);
        where = hn::IfThenElse(hn::RebindMask(I32(), take),
                               hn::Add(from, hn::Set(I32(), static_cast<int32_t>(rows[r]))), where);
      }
    hn::StoreU(where, I32(), at + p);
    if (p + width() <= c.count)
      store(best, y + p);
    else
      store_part(best, y + p, c.count - p);
  }
  for (int64_t p = 0; p < c.count; ++p) index[p] = at[p];
}

}  // namespace
}  // namespace suiren::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace suiren::cpu {
namespace {

// The elements begin, begin + Axis::step, ... below end of one dimension.
struct Window {
  int64_t begin, end, size;  // size: what a mean divides by
};
struct Axis {
  int64_t in, step = 1;
  std::vector<Window> windows;
};

// Attributes from `first` on: kernel, stride, padding.
Axis sliding(const Call& c, int first, int d, int64_t in, int64_t out, int64_t dilation, bool include_pad) {
  const int64_t kernel = c.attr_list(first)[d], stride = c.attr_list(first + 1)[d],
                padding = c.attr_list(first + 2)[d];
  Axis axis{in, dilation, {}};
  for (int64_t p = 0; p < out; ++p) {
    Window w{p * stride - padding, 0, 0};
    const int64_t end = w.begin + dilation * (kernel - 1) + 1;
    w.size = std::min(end, in + padding) - w.begin;
    if (w.begin < 0) w.begin += (-w.begin + dilation - 1) / dilation * dilation;
    w.end = std::min(end, in);
    if (!include_pad) w.size = w.end - w.begin;
    axis.windows.push_back(w);
  }
  return axis;
}

Axis adaptive(int64_t in, int64_t out) {
  Axis axis{in, 1, {}};
  for (int64_t p = 0; p < out; ++p) {
    const int64_t begin = p * in / out, end = ((p + 1) * in + out - 1) / out;
    axis.windows.push_back({begin, end, end - begin});
  }
  return axis;
}

AxisMap mean_map(const Axis& axis) {
  AxisMap m;
  m.in = axis.in;
  for (const Window& w : axis.windows) {
    for (int64_t i = w.begin; i < w.end; i += axis.step) m.add(i, 1.0 / static_cast<double>(w.size));
    m.end_output();
  }
  return m;
}

// Where the windows of one output row begin in a plane: offsets of the rows of x that they cover.
void covered_rows(const std::vector<Axis>& axes, int64_t row, std::vector<int64_t>& rows) {
  int64_t at[kMaxRank];
  const int outer = static_cast<int>(axes.size()) - 1;
  for (int d = outer - 1; d >= 0; --d) {
    const auto count = static_cast<int64_t>(axes[static_cast<size_t>(d)].windows.size());
    at[d] = row % count;
    row /= count;
  }
  rows.assign(1, 0);
  for (int d = 0; d < outer; ++d) {
    const Axis& axis = axes[static_cast<size_t>(d)];
    const Window& w = axis.windows[static_cast<size_t>(at[d])];
    std::vector<int64_t> next;
    for (int64_t base : rows)
      for (int64_t i = w.begin; i < w.end; i += axis.step) next.push_back(base * axis.in + i);
    rows.swap(next);
  }
  for (int64_t& r : rows) r *= axes.back().in;
}

// One output row: the first of the largest elements of each window; NaN is larger than any number.
template <class T, class R>
void max_row(const T* x, const std::vector<int64_t>& rows, const Axis& axis, T* y, int64_t* index) {
  for (const Window& w : axis.windows) {
    int64_t at = rows[0] + w.begin;
    R best = static_cast<R>(x[at]);
    for (const int64_t row : rows)
      for (int64_t i = row + w.begin; i < row + w.end; i += axis.step) {
        const R v = static_cast<R>(x[i]);
        const bool take = (v > best) | ((v != v) & (best == best));
        best = take ? v : best;
        at = take ? i : at;
      }
    *y++ = x[at];
    *index++ = at;
  }
}

Columns columns(const Axis& axis) {
  constexpr size_t kWidest = 16;  // lanes of f32
  Columns c;
  c.step = static_cast<int32_t>(axis.step), c.count = static_cast<int64_t>(axis.windows.size());
  for (const Window& w : axis.windows) {
    c.begin.push_back(static_cast<int32_t>(w.begin)), c.end.push_back(static_cast<int32_t>(w.end));
    c.taps = std::max(c.taps, static_cast<int32_t>((w.end - w.begin + axis.step - 1) / axis.step));
  }
  c.begin.resize(c.begin.size() + kWidest, c.begin.back());
  c.end.resize(c.end.size() + kWidest, c.end.back());
  return c;
}

void max_planes(const std::vector<Axis>& axes, const Operand& x, const Operand& y, const Operand& index) {
  if (y.numel() == 0) return;
  int64_t rows = 1, in = 1, window = 1;
  for (const Axis& a : axes) {
    rows *= static_cast<int64_t>(a.windows.size()), in *= a.in;
    window *= (a.windows[0].end - a.windows[0].begin + a.step - 1) / a.step;
  }
  const auto width = static_cast<int64_t>(axes.back().windows.size());
  rows /= width;
  const int64_t planes = y.numel() / (rows * width);
  std::vector<std::vector<int64_t>> covered(static_cast<size_t>(rows));
  for (int64_t r = 0; r < rows; ++r) covered_rows(axes, r, covered[static_cast<size_t>(r)]);
  const int64_t grain = std::max<int64_t>(1, kGrainMath / (width * window));
  if (x.dtype() == SR_F32 && in < INT32_MAX) {
    const Columns c = columns(axes.back());
    const auto row = SUIREN_PICK(max_columns);
    return parallel_for(planes * rows, grain, [&](int64_t begin, int64_t end) {
      std::vector<int32_t> at(c.begin.size());
      for (int64_t i = begin; i < end; ++i) {
        const std::vector<int64_t>& from = covered[static_cast<size_t>(i % rows)];
        row(x.data<float>() + i / rows * in, from.data(), static_cast<int64_t>(from.size()), c,
            y.data<float>() + i * width, at.data(), index.data<int64_t>() + i * width);
      }
    });
  }
  visit_dtype(dtype_of_operand(x.dtype()), [&]<class T>() {
    if constexpr (!std::is_integral_v<T>) {
      using R = std::conditional_t<std::is_same_v<T, double>, double, float>;
      const T* from = x.data<T>();
      T* to = y.data<T>();
      int64_t* at = index.data<int64_t>();
      parallel_for(planes * rows, grain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i)
          max_row<T, R>(from + i / rows * in, covered[static_cast<size_t>(i % rows)], axes.back(),
                        to + i * width, at + i * width);
      });
    }
  });
}

// Inputs g, index; attribute size. Each plane of dx belongs to one thread.
template <class T, class R>
void scatter_planes(const Operand& g, const Operand& index, const Operand& dx) {
  const int64_t planes = g.dim(0) * g.dim(1);
  if (dx.numel() == 0) return;
  const int64_t P = g.numel() / planes, L = dx.numel() / planes;
  const T* from = g.data<T>();
  const int64_t* at = index.data<int64_t>();
  parallel_for(planes, std::max<int64_t>(1, kGrainMath / (P + L)), [&](int64_t begin, int64_t end) {
    std::vector<R> sums;
    for (int64_t n = begin; n < end; ++n) {
      R* sum;
      if constexpr (std::is_same_v<T, R>) {
        sum = dx.data<T>() + n * L;
        std::fill_n(sum, L, R(0));
      } else {
        sums.assign(static_cast<size_t>(L), R(0));
        sum = sums.data();
      }
      for (int64_t p = n * P; p < (n + 1) * P; ++p) {
        SR_CHECK(at[p] >= 0 && at[p] < L,
                 "[max_pool_backward] index {} is out of range for planes of {} elements", at[p], L);
        sum[at[p]] += static_cast<R>(from[p]);
      }
      if constexpr (!std::is_same_v<T, R>)
        for (int64_t i = 0; i < L; ++i) dx.data<T>()[n * L + i] = T(sum[i]);
    }
  });
}

void max_pool_backward(const Call& c, void*) {
  visit_dtype(dtype_of_operand(c.in(0).dtype()), [&]<class T>() {
    if constexpr (!std::is_integral_v<T>) {
      using R = std::conditional_t<std::is_same_v<T, double>, double, float>;
      scatter_planes<T, R>(c.in(0), c.in(1), c.out(0));
    }
  });
}

// Attributes kernel, stride, padding, dilation, ceil_mode.
void max_pool(const Call& c, void*) {
  std::vector<Axis> axes;
  for (int d = 0; d + 2 < c.in(0).rank(); ++d)
    axes.push_back(sliding(c, 0, d, c.in(0).dim(d + 2), c.out(0).dim(d + 2), c.attr_list(3)[d], false));
  max_planes(axes, c.in(0), c.out(0), c.out(1));
}

void adaptive_max_pool(const Call& c, void*) {
  std::vector<Axis> axes;
  for (int d = 2; d < c.in(0).rank(); ++d) axes.push_back(adaptive(c.in(0).dim(d), c.out(0).dim(d)));
  max_planes(axes, c.in(0), c.out(0), c.out(1));
}

// Attributes kernel, stride, padding, ceil_mode, count_include_pad.
void avg_pool(const Call& c, void*) {
  std::vector<AxisMap> maps;
  for (int d = 0; d + 2 < c.in(0).rank(); ++d)
    maps.push_back(
        mean_map(sliding(c, 0, d, c.in(0).dim(d + 2), c.out(0).dim(d + 2), 1, c.attr_i64(4) != 0)));
  resample(maps, c.in(0), c.out(0));
}

// Attributes size, kernel, stride, padding, ceil_mode, count_include_pad.
void avg_pool_backward(const Call& c, void*) {
  std::vector<AxisMap> maps;
  for (int d = 0; d + 2 < c.in(0).rank(); ++d)
    maps.push_back(mean_map(sliding(c, 1, d, c.out(0).dim(d + 2), c.in(0).dim(d + 2), 1, c.attr_i64(5) != 0))
                       .transposed());
  resample(maps, c.in(0), c.out(0));
}

void adaptive_avg_pool(const Call& c, void*) {
  std::vector<AxisMap> maps;
  for (int d = 2; d < c.in(0).rank(); ++d)
    maps.push_back(mean_map(adaptive(c.in(0).dim(d), c.out(0).dim(d))));
  resample(maps, c.in(0), c.out(0));
}

void adaptive_avg_pool_backward(const Call& c, void*) {
  std::vector<AxisMap> maps;
  for (int d = 2; d < c.in(0).rank(); ++d)
    maps.push_back(mean_map(adaptive(c.out(0).dim(d), c.in(0).dim(d))).transposed());
  resample(maps, c.in(0), c.out(0));
}

constexpr Kernel kKernels[] = {
    {"max_pool", "rows", 10, row_major_inputs, nullptr, max_pool},
    {"adaptive_max_pool", "rows", 10, row_major_inputs, nullptr, adaptive_max_pool},
    {"max_pool_backward", "planes", 10, row_major_inputs, nullptr, max_pool_backward},
    {"avg_pool", "resample", 10, wide_row_major_inputs, nullptr, avg_pool},
    {"avg_pool_backward", "resample", 10, wide_row_major_inputs, nullptr, avg_pool_backward},
    {"adaptive_avg_pool", "resample", 10, wide_row_major_inputs, nullptr, adaptive_avg_pool},
    {"adaptive_avg_pool_backward", "resample", 10, wide_row_major_inputs, nullptr,
     adaptive_avg_pool_backward},
};

}  // namespace

KernelList kernels_pool() { return kKernels; }

}  // namespace suiren::cpu
#endif
