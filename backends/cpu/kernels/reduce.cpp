// Sums and extrema over dimensions, argmax, argmin, running sums.
//
// A sum has one shape whatever the threads: along contiguous rows of f32, blocks that are added in f64 in
// ascending order (fold_runs); down columns of f32, blocks of kBlockRows rows that restart with each run of
// the innermost reduced dimension, runs added to an entry of the first reduced dimension, entries added in
// ascending order; all else in f64 (integers modulo 2^64).

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#include "backends/cpu/loops.h"
#include "backends/cpu/simd/targets.h"
#include "backends/cpu/stage.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/reduce.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// After foreach_target.h, so that it is compiled for each target.
#include "backends/cpu/simd/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace suiren::cpu::HWY_NAMESPACE {
namespace {

float sum_row(const float* x, int64_t n) {
  return row_sum(n, [x](auto in) SUIREN_STEP { return in(x); });
}
float max_row(const float* x, int64_t n) { return row_extremum<true>(x, n); }
float min_row(const float* x, int64_t n) { return row_extremum<false>(x, n); }

// Where the first number equal to `value` (or the first NaN, if it is that) stands.
int64_t first_place(const float* x, int64_t n, float value) {
  const V v = set(value);
  const bool odd = value != value;
  int64_t i = 0;
  for (; i + width() <= n; i += width()) {
    const V in = load(x + i);
    const auto hit = hn::FindFirstTrue(F32(), odd ? hn::IsNaN(in) : hn::Eq(in, v));
    if (hit >= 0) return i + hit;
  }
  while (i < n - 1 && x[i] != value && !(odd && x[i] != x[i])) ++i;
  return i;
}

// y[j] = the largest (smallest) of x[0][j], x[1][j], ...; NaN wins.
template <bool kLargest>
HWY_INLINE void extremum_columns(const float* x, int64_t step, int64_t rows, float* y, int64_t n) {
  constexpr int kVectors = 8;
  const int64_t w = width();
  const auto meet = [](V a, V b) SUIREN_STEP { return kLargest ? max_nan(a, b) : min_nan(a, b); };
  int64_t j = 0;
  for (; j + kVectors * w <= n; j += kVectors * w) {
    V m[kVectors];
    SUIREN_UNROLL for (int v = 0; v < kVectors; ++v) m[v] = load(x + j + v * w);
    for (int64_t i = 1; i < rows; ++i)
      SUIREN_UNROLL for (int v = 0; v < kVectors; ++v) m[v] = meet(m[v], load(x + i * step + j + v * w));
    SUIREN_UNROLL for (int v = 0; v < kVectors; ++v) store(m[v], y + j + v * w);
  }
  for_vectors(n - j, [=](auto in, auto out) SUIREN_STEP {
    V m = in(x + j);
    for (int64_t i = 1; i < rows; ++i) m = meet(m, in(x + i * step + j));
    out(m, y + j);
  });
}
void max_columns(const float* x, int64_t step, int64_t rows, float* y, int64_t n) {
  extremum_columns<true>(x, step, rows, y, n);
}
void min_columns(const float* x, int64_t step, int64_t rows, float* y, int64_t n) {
  extremum_columns<false>(x, step, rows, y, n);
}
// sum[j] = x[0][j] + x[1][j] + ...: rows `step` elements apart, read in runs of several cache lines.
void sum_columns(const float* x, int64_t step, int64_t rows, float* sum, int64_t n) {
  constexpr int kVectors = 8;
  const int64_t w = width();
  int64_t j = 0;
  for (; j + kVectors * w <= n; j += kVectors * w) {
    V s[kVectors];
    SUIREN_UNROLL for (int v = 0; v < kVectors; ++v) s[v] = load(x + j + v * w);
    for (int64_t i = 1; i < rows; ++i)
      SUIREN_UNROLL for (int v = 0; v < kVectors; ++v) s[v] = hn::Add(s[v], load(x + i * step + j + v * w));
    SUIREN_UNROLL for (int v = 0; v < kVectors; ++v) store(s[v], sum + j + v * w);
  }
  for_vectors(n - j, [=](auto in, auto out) SUIREN_STEP {
    V s = in(x + j);
    for (int64_t i = 1; i < rows; ++i) s = hn::Add(s, in(x + i * step + j));
    out(s, sum + j);
  });
}

}  // namespace
}  // namespace suiren::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace suiren::cpu {
namespace {

constexpr int64_t kBlockRows = 64, kColumns = 256;

// Results side by side: columns of `width`, for the outer kept dimensions `outer`.
class ColumnSums {
 public:
  ColumnSums(const float* x, const Loops& kept, const Loops& reduced, float* y)
      : x_(x), y_(y), outer_(kept), width_(kept.dims[kept.rank - 1]), rest_(reduced) {
    outer_.count /= width_;
    --outer_.rank;
    if (reduced.rank > 1) {
      sequences_ = reduced.dims[0], sequence_step_ = reduced.strides[0];
      rest_ = Loops{};
      for (int d = 1; d < reduced.rank; ++d) rest_.add(reduced.dims[d], reduced.strides[d]);
    }
    run_ = rest_.dims[rest_.rank - 1], run_step_ = rest_.strides[rest_.rank - 1];
    runs_ = rest_;
    runs_.count /= run_;
    --runs_.rank;
  }
  void run() const {
    const int64_t chunks = (width_ + kColumns - 1) / kColumns;
    const int64_t work = std::min(width_, kColumns) * sequences_ * rest_.count;
    parallel_for(outer_.count * chunks, std::max<int64_t>(1, kGrainCheap / work),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t i = begin; i < end; ++i) {
                     const int64_t o = i / chunks, j = i % chunks * kColumns;
                     columns(x_ + outer_.offset(o) + j, y_ + o * width_ + j, std::min(kColumns, width_ - j));
                   }
                 });
  }

 private:
  void columns(const float* x, float* y, int64_t n) const {
    float sequence[kColumns];
    for (int64_t s = 0; s < sequences_; ++s) {
      one_sequence(x + s * sequence_step_, s == 0 ? y : sequence, n);
      if (s > 0) add_(sequence, y, n);
    }
  }
  void one_sequence(const float* x, float* sum, int64_t n) const {
    float block[kColumns];
    for (int64_t r = 0; r < runs_.count; ++r) {
      const float* from = x + runs_.offset(r);
      for (int64_t i = 0; i < run_; i += kBlockRows) {
        const bool first = r == 0 && i == 0;
        sum_columns_(from + i * run_step_, run_step_, std::min(kBlockRows, run_ - i), first ? sum : block, n);
        if (!first) add_(block, sum, n);
      }
    }
  }

  const float* x_;
  float* y_;
  Loops outer_;
  int64_t width_;
  Loops rest_, runs_;
  int64_t sequences_ = 1, sequence_step_ = 0, run_ = 1, run_step_ = 0;
  void (*sum_columns_)(const float*, int64_t, int64_t, float*, int64_t) = SUIREN_PICK(sum_columns);
  void (*add_)(const float*, float*, int64_t) = SUIREN_PICK(add_row);
};

// In the type itself; bf16 and f16 in f32. NaN wins.
template <class T, bool kLargest>
struct Extremum {
  using C = std::conditional_t<is_half<T>, float, T>;
  C value{};
  bool started = false;
  void take(auto raw) {
    const C x = static_cast<C>(raw);
    bool wins = !started || (kLargest ? x > value : x < value);
    if constexpr (std::is_floating_point_v<C>)
      wins = (wins && !(started && std::isnan(value))) || std::isnan(x);
    if (wins) value = x;
    started = true;
  }
  void join(Extremum o) {
    if (o.started) take(o.value);
  }
  C result() const { return value; }
};

void sum(const Call& c, void*) {
  const Reduction r(c);
  const DType dtype = dtype_of_operand(c.in(0).dtype());
  if (r.kept.count == 0) return;
  if (over_rows(c, r)) return fold_rows<FloatSum>(c, r, SUIREN_PICK(sum_row));
  if (dtype == kF32 && r.reduced.count > 0 && r.kept.rank > 0 && r.kept.strides[r.kept.rank - 1] == 1)
    return ColumnSums(c.in(0).data<float>(), r.kept.merged(), r.reduced, c.out(0).data<float>()).run();
  visit_dtype(dtype, [&]<class T>() {
    if constexpr (std::is_integral_v<T>)
      fold_each<T, int64_t, WholeSum>(c, r);
    else
      fold_each<T, T, FloatSum>(c, r);
  });
}

// bf16 and f16 run as the parts that the op is composed of: their sums must not be rounded first.
void mean(const Call& c, void*) {
  sum(c, nullptr);
  const auto scale = [&](auto* y) {
    const int64_t outputs = c.out(0).numel();
    if (outputs == 0) return;
    const auto count = static_cast<std::remove_pointer_t<decltype(y)>>(Reduction(c).reduced.count);
    for (int64_t o = 0; o < outputs; ++o) y[o] /= count;
  };
  if (c.in(0).dtype() == SR_F64)
    scale(c.out(0).data<double>());
  else
    scale(c.out(0).data<float>());
}
Reason accepts_mean(const Call& c) {
  return c.in(0).dtype() == SR_F32 || c.in(0).dtype() == SR_F64 ? nullptr : "dtype";
}

template <bool kLargest>
void extremum(const Call& c, void*) {
  const Reduction r(c);
  const DType dtype = dtype_of_operand(c.in(0).dtype());
  if (r.kept.count == 0) return;
  const Loops merged = r.reduced.merged(), kept = r.kept.merged();
  if (over_rows(c, r))
    return fold_rows<Extremum<float, kLargest>>(c, r, kLargest ? SUIREN_PICK(max_row) : SUIREN_PICK(min_row));
  if (dtype == kF32 && merged.rank == 1 && side_by_side(r)) {
    const auto columns = kLargest ? SUIREN_PICK(max_columns) : SUIREN_PICK(min_columns);
    const float* x = c.in(0).data<float>();
    float* y = c.out(0).data<float>();
    return for_column_runs(kept, merged.count, [&](int64_t at, int64_t o, int64_t n) {
      columns(x + at, merged.strides[0], merged.count, y + o, n);
    });
  }
  visit_dtype(dtype, [&]<class T>() {
    if constexpr (!std::is_same_v<T, bool>) fold_each<T, T, Extremum<T, kLargest>>(c, r);
  });
}

template <bool kLargest, class C>
bool displaces(C candidate, C top) {
  return (kLargest ? candidate > top : candidate < top) || (candidate != candidate && top == top);
}
template <bool kLargest>
void extremum_index(const Call& c, void*) {
  const auto axis = static_cast<int>(c.attr_i64(0));
  const Operand x = c.in(0);
  const int64_t n = x.dim(axis), step = x.stride(axis);
  int64_t* y = c.out(0).data<int64_t>();
  visit_dtype(dtype_of_operand(x.dtype()), [&]<class T>() {
    using C = std::conditional_t<is_half<T>, float, T>;
    if (lines_side_by_side(x, axis))
      return for_line_runs(x, axis, [&](int64_t at, int64_t o, int64_t count) {
        const T* row = x.data<T>() + at;
        C top[kLineRun];
        for (int64_t j = 0; j < count; ++j) top[j] = convert<C>(row[j]), y[o + j] = 0;
        for (int64_t k = 1; k < n; ++k) {
          row += step;
          for (int64_t j = 0; j < count; ++j) {
            const C candidate = convert<C>(row[j]);
            const bool wins = displaces<kLargest>(candidate, top[j]);
            y[o + j] = wins ? k : y[o + j];
            top[j] = wins ? candidate : top[j];
          }
        }
      });
    if constexpr (std::is_same_v<T, float>)
      if (step == 1) {
        const auto extremum = kLargest ? SUIREN_PICK(max_row) : SUIREN_PICK(min_row);
        const auto place = SUIREN_PICK(first_place);
        return for_lines<T>(c, axis,
                            [=](const T* line, int64_t o) { y[o] = place(line, n, extremum(line, n)); });
      }
    for_lines<T>(c, axis, [&](const T* line, int64_t o) {
      int64_t best = 0;
      C top = convert<C>(line[0]);
      for (int64_t k = 1; k < n; ++k)
        if (const C candidate = line[k * step]; displaces<kLargest>(candidate, top))
          best = k, top = candidate;
      y[o] = best;
    });
  });
}

// Attributes: axis, reverse.
void cumsum(const Call& c, void*) {
  const auto axis = static_cast<int>(c.attr_i64(0));
  const bool reverse = c.attr_i64(1) != 0;
  const Operand x = c.in(0), y = c.out(0);
  if (x.numel() == 0) return;
  const int64_t n = x.dim(axis), step = x.stride(axis), inner = line_step(x, axis);
  const auto place = [=](int64_t i) { return reverse ? n - 1 - i : i; };
  visit_dtype(dtype_of_operand(x.dtype()), [&]<class T>() {
    using Sum = std::conditional_t<std::is_integral_v<T>, WholeSum, FloatSum>;
    using Y = std::conditional_t<std::is_integral_v<T>, int64_t, T>;
    Y* to = y.data<Y>();
    if (lines_side_by_side(x, axis))
      return for_line_runs(x, axis, [&](int64_t at, int64_t, int64_t count) {
        Sum total[kLineRun];
        for (int64_t i = 0; i < n; ++i) {
          const T* row = x.data<T>() + at + place(i) * inner;
          Y* result = to + at + place(i) * inner;
          for (int64_t j = 0; j < count; ++j) {
            total[j].take(row[j]);
            result[j] = convert<Y>(total[j].value);
          }
        }
      });
    for_lines<T>(c, axis, [&](const T* from, int64_t o) {
      Y* line = to + o / inner * n * inner + o % inner;
      Sum total;
      for (int64_t i = 0; i < n; ++i) {
        const int64_t k = place(i);
        total.take(from[k * step]);
        line[k * inner] = convert<Y>(total.value);
      }
    });
  });
}

Reason accepts_numbers(const Call& c) { return c.in(0).dtype() == SR_BOOL ? "dtype" : nullptr; }

constexpr Kernel kKernels[] = {
    {"sum", "strided", 10, nullptr, nullptr, sum},
    {"mean", "strided", 10, accepts_mean, nullptr, mean},
    {"max", "strided", 10, accepts_numbers, nullptr, extremum<true>},
    {"min", "strided", 10, accepts_numbers, nullptr, extremum<false>},
    {"argmax", "lines", 10, accepts_numbers, nullptr, extremum_index<true>},
    {"argmin", "lines", 10, accepts_numbers, nullptr, extremum_index<false>},
    {"cumsum", "lines", 10, nullptr, nullptr, cumsum},
};

}  // namespace

KernelList kernels_reduce() { return kKernels; }

}  // namespace suiren::cpu
#endif
