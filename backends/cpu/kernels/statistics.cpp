// Products, norms, variances, counts and recurrences over dimensions.
//
// Sums over contiguous rows of f32 are formed in blocks of kBlock elements, which are added in f64 in
// ascending order. Products are formed in f64 (integers modulo 2^64).

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "backends/cpu/loops.h"
#include "backends/cpu/simd/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/statistics.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// After foreach_target.h, so that it is compiled for each target.
#include "backends/cpu/simd/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace suiren::cpu::HWY_NAMESPACE {
namespace {

float plain_sum(const float* x, int64_t n, float) {
  return row_sum(n, [x](auto in) SUIREN_STEP { return in(x); });
}
float absolute_sum(const float* x, int64_t n, float) {
  return row_sum(n, [x](auto in) SUIREN_STEP { return hn::Abs(in(x)); });
}
// Sum of (x - shift)^2.
float square_sum(const float* x, int64_t n, float shift) {
  const V s = set(shift);
  const int64_t whole = n / width() * width();
  float total = row_sum(whole, [=](auto in) SUIREN_STEP {
    const V d = hn::Sub(in(x), s);
    return hn::Mul(d, d);
  });
  if (whole < n) {  // lanes past the end would count as shift^2
    const auto part = hn::FirstN(F32(), static_cast<size_t>(n - whole));
    const V d = hn::Sub(load_part(x + whole, n - whole), s);
    total += lanes_sum(hn::IfThenElseZero(part, hn::Mul(d, d)));
  }
  return total;
}

// Products in f64.
using F64 = hn::ScalableTag<double>;
using W = hn::Vec<F64>;
HWY_INLINE W load_wide(const float* x) {
  return hn::PromoteTo(F64(), hn::LoadU(hn::Rebind<float, F64>(), x));
}
double product_row(const float* x, int64_t n) {
  constexpr int kVectors = 4;
  const auto w = static_cast<int64_t>(hn::Lanes(F64()));
  W product[kVectors];
  for (W& p : product) p = hn::Set(F64(), 1);
  int64_t i = 0;
  for (; i + kVectors * w <= n; i += kVectors * w)
    SUIREN_UNROLL for (int v = 0; v < kVectors; ++v) product[v] =
        hn::Mul(product[v], load_wide(x + i + v * w));
  HWY_ALIGN double lanes[hn::MaxLanes(F64())];
  hn::Store(hn::Mul(hn::Mul(product[0], product[1]), hn::Mul(product[2], product[3])), F64(), lanes);
  double total = 1;
  for (; i < n; ++i) total *= static_cast<double>(x[i]);
  for (int64_t k = w / 2; k > 0; k /= 2)
    for (int64_t j = 0; j < k; ++j) lanes[j] *= lanes[j + k];
  return total * lanes[0];
}
// product[j] *= x[0][j] x[1][j] ..., rows `step` elements apart, four at a time.
void product_columns(const float* x, int64_t step, int64_t rows, double* product, int64_t n) {
  const auto w = static_cast<int64_t>(hn::Lanes(F64()));
  const auto some = [=]<int kRows>(const float* first, std::integral_constant<int, kRows>) HWY_ATTR {
    int64_t j = 0;
    for (; j + w <= n; j += w) {
      W p = hn::LoadU(F64(), product + j);
      SUIREN_UNROLL for (int r = 0; r < kRows; ++r) p = hn::Mul(p, load_wide(first + r * step + j));
      hn::StoreU(p, F64(), product + j);
    }
    for (; j < n; ++j)
      for (int r = 0; r < kRows; ++r) product[j] *= static_cast<double>(first[r * step + j]);
  };
  int64_t i = 0;
  for (; i + 4 <= rows; i += 4) some(x + i * step, std::integral_constant<int, 4>());
  for (; i < rows; ++i) some(x + i * step, std::integral_constant<int, 1>());
}

}  // namespace
}  // namespace suiren::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace suiren::cpu {
namespace {

constexpr int64_t kBlock = 4096;
using RowSum = float (*)(const float*, int64_t, float);

// The sum of a long row, its blocks shared by the threads.
double shared_sum(const float* x, int64_t n, float shift, RowSum row) {
  std::vector<double> blocks(static_cast<size_t>((n + kBlock - 1) / kBlock));
  parallel_for(static_cast<int64_t>(blocks.size()), 8, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      blocks[static_cast<size_t>(i)] = row(x + i * kBlock, std::min(kBlock, n - i * kBlock), shift);
  });
  double total = 0;
  for (double b : blocks) total += b;
  return total;
}

// body(row of x, sum(row function, shift), index of the result) for each row of n elements.
template <class Body>
void for_rows(const float* x, const Loops& kept, int64_t n, Body body) {
  if (kept.count == 1) return body([=](RowSum row, float shift) { return shared_sum(x, n, shift, row); }, 0);
  parallel_for(kept.count, std::max<int64_t>(1, kGrainCheap / n), [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) {
      const float* from = x + kept.offset(o);
      body(
          [=](RowSum row, float shift) {
            double total = 0;
            for (int64_t i = 0; i < n; i += kBlock) total += row(from + i, std::min(kBlock, n - i), shift);
            return total;
          },
          o);
    }
  });
}

Reason accepts_rows(const Call& c) {
  if (c.in(0).dtype() != SR_F32) return "dtype";
  const Reduction r(c);
  const Loops merged = r.reduced.merged();
  if (r.reduced.count == 0 || r.kept.count == 0) return "empty";
  return merged.rank == 1 && (merged.strides[0] == 1 || merged.dims[0] == 1) ? nullptr : "not over rows";
}

// Attributes: axes, keep, p.
Reason accepts_norm(const Call& c) {
  const double p = c.attr_f64(2);
  return p == 1 || p == 2 ? accepts_rows(c) : "p";
}
void norm(const Call& c, void*) {
  const Reduction r(c);
  const bool root = c.attr_f64(2) == 2;
  const RowSum row = root ? SUIREN_PICK(square_sum) : SUIREN_PICK(absolute_sum);
  float* y = c.out(0).data<float>();
  for_rows(c.in(0).data<float>(), r.kept, r.reduced.count, [=](auto sum, int64_t o) {
    const double total = sum(row, 0.0f);
    y[o] = static_cast<float>(root ? std::sqrt(total) : total);
  });
}

// Attributes: axes, keep, correction. The mean is rounded to f32 for the second pass, and put right after it:
// sum of (x - m)^2 = sum of (x - mean)^2 + n (mean - m)^2.
template <bool kRoot>
void variance(const Call& c, void*) {
  const Reduction r(c);
  const auto n = static_cast<double>(r.reduced.count);
  const double divisor = std::max(0.0, n - c.attr_f64(2));
  const RowSum plain = SUIREN_PICK(plain_sum), squares = SUIREN_PICK(square_sum);
  float* y = c.out(0).data<float>();
  for_rows(c.in(0).data<float>(), r.kept, r.reduced.count, [=](auto sum, int64_t o) {
    const double mean = sum(plain, 0.0f) / n;
    const auto near = static_cast<float>(mean);
    const double rest = mean - static_cast<double>(near), total = sum(squares, near) - n * rest * rest;
    const double v = (std::isnan(total) ? total : std::max(0.0, total)) / divisor;
    y[o] = static_cast<float>(kRoot ? std::sqrt(v) : v);
  });
}

template <class C>
struct Product {
  C value = 1;
  template <class T>
  void take(T x) {
    value *= static_cast<C>(convert<std::conditional_t<is_half<T>, float, T>>(x));
  }
  void join(Product o) { value *= o.value; }
  C result() const { return value; }
};
void prod(const Call& c, void*) {
  const Reduction r(c);
  if (r.kept.count == 0) return;
  if (over_rows(c, r)) return fold_rows<Product<double>>(c, r, SUIREN_PICK(product_row));
  const Loops reduced = r.reduced.merged();
  if (c.in(0).dtype() == SR_F32 && reduced.rank == 1 && side_by_side(r)) {
    const auto columns = SUIREN_PICK(product_columns);
    const float* x = c.in(0).data<float>();
    float* y = c.out(0).data<float>();
    return for_column_runs(r.kept.merged(), reduced.count, [=](int64_t at, int64_t o, int64_t n) {
      double product[kColumnRun];
      std::fill_n(product, n, 1.0);
      columns(x + at, reduced.strides[0], reduced.count, product, n);
      for (int64_t j = 0; j < n; ++j) y[o + j] = static_cast<float>(product[j]);
    });
  }
  visit_dtype(dtype_of_operand(c.in(0).dtype()), [&]<class T>() {
    if constexpr (std::is_integral_v<T>)
      fold_each<T, int64_t, Product<uint64_t>>(c, r);
    else
      fold_each<T, T, Product<double>>(c, r);
  });
}

template <class T>
bool nonzero(T x) {
  if constexpr (is_half<T>)
    return (std::bit_cast<uint16_t>(x) & 0x7fff) != 0;
  else
    return x != 0;
}
// How many elements are not zero (for All: are zero).
template <bool kZeros>
struct Count {
  int64_t value = 0;
  template <class T>
  void take(T x) {
    value += nonzero(x) != kZeros;
  }
  template <class T>
  void take_row(const T* x, int64_t n) {
    constexpr int64_t kRun = 64;  // a fixed number, which the compiler makes vectors of
    int64_t i = 0;
    for (; i + kRun <= n; i += kRun) {
      std::conditional_t<sizeof(T) == 1, uint8_t, uint32_t> part = 0;
      for (int64_t k = 0; k < kRun; ++k) part += nonzero(x[i + k]) != kZeros;
      value += part;
    }
    for (; i < n; ++i) take(x[i]);
  }
  void join(Count o) { value += o.value; }
  int64_t result() const { return value; }
};
struct Any : Count<false> {
  bool result() const { return value > 0; }
};
struct All : Count<true> {
  bool result() const { return value == 0; }
};
template <class Y, class Fold>
void count(const Call& c, void*) {
  const Reduction r(c);
  if (r.kept.count > 0)
    visit_dtype(dtype_of_operand(c.in(0).dtype()), [&]<class T>() { fold_each<T, Y, Fold>(c, r); });
}

// Attributes: axis, reverse. body(place of the first element, elements between neighbours, their number) for
// each line along the axis of the row-major shape of `x`, in the order of the recurrence.
template <class Body>
void for_recurrences(const Call& c, Body body) {
  const Operand x = c.in(0);
  const auto axis = static_cast<int>(c.attr_i64(0));
  const bool reverse = c.attr_i64(1) != 0;
  const int64_t n = x.dim(axis), numel = x.numel();
  if (numel == 0) return;
  int64_t inner = 1;
  for (int d = axis + 1; d < x.rank(); ++d) inner *= x.dim(d);
  parallel_for(numel / n, std::max<int64_t>(1, kGrainMath / n), [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) {
      const int64_t first = o / inner * n * inner + o % inner;
      if (reverse)
        body(first + (n - 1) * inner, -inner, n);
      else
        body(first, inner, n);
    }
  });
}

void cumprod(const Call& c, void*) {
  const Operand x = c.in(0);
  const int64_t axis = c.attr_i64(0);
  if (x.numel() == 0) return;
  visit_dtype(dtype_of_operand(x.dtype()), [&]<class T>() {
    using C = std::conditional_t<std::is_integral_v<T>, uint64_t, double>;
    using Y = std::conditional_t<std::is_integral_v<T>, int64_t, T>;
    const T* from = x.data<T>();
    Y* y = c.out(0).data<Y>();
    const auto multiply = [=](C& total, int64_t at) {
      total *= static_cast<C>(convert<std::conditional_t<is_half<T>, float, T>>(from[at]));
      if constexpr (std::is_integral_v<T>)
        y[at] = static_cast<int64_t>(total);
      else
        y[at] = convert<Y>(total);
    };
    if (lines_side_by_side(x, axis))
      return for_line_runs(x, axis, [&](int64_t first, int64_t, int64_t count) {
        const int64_t n = x.dim(static_cast<int>(axis)), step = line_step(x, axis);
        const bool reverse = c.attr_i64(1) != 0;
        C total[kLineRun];
        std::fill_n(total, count, C(1));
        for (int64_t i = 0; i < n; ++i) {
          const int64_t at = first + (reverse ? n - 1 - i : i) * step;
          for (int64_t j = 0; j < count; ++j) multiply(total[j], at + j);
        }
      });
    for_recurrences(c, [=](int64_t at, int64_t step, int64_t n) {
      C total = 1;
      for (int64_t k = 0; k < n; ++k, at += step) multiply(total, at);
    });
  });
}

void scan(const Call& c, void*) {
  visit_dtype(dtype_of_operand(c.in(0).dtype()), [&]<class T>() {
    if constexpr (!std::is_integral_v<T>) {
      using C = std::conditional_t<std::is_same_v<T, double>, double, float>;
      const T *a = c.in(0).data<T>(), *b = c.in(1).data<T>();
      T* y = c.out(0).data<T>();
      for_recurrences(c, [=](int64_t at, int64_t step, int64_t n) {
        C s = static_cast<C>(b[at]);
        y[at] = static_cast<T>(s);
        for (int64_t k = 1; k < n; ++k) {
          at += step;
          s = static_cast<C>(a[at]) * s + static_cast<C>(b[at]);
          y[at] = static_cast<T>(s);
        }
      });
    }
  });
}

constexpr Kernel kKernels[] = {
    {"prod", "strided", 10, nullptr, nullptr, prod},
    {"norm", "rows", 10, accepts_norm, nullptr, norm},
    {"var", "rows", 10, accepts_rows, nullptr, variance<false>},
    {"std", "rows", 10, accepts_rows, nullptr, variance<true>},
    {"any", "strided", 10, nullptr, nullptr, count<bool, Any>},
    {"all", "strided", 10, nullptr, nullptr, count<bool, All>},
    {"count_nonzero", "strided", 10, nullptr, nullptr, count<int64_t, Count<false>>},
    {"cumprod", "lines", 10, row_major_inputs, nullptr, cumprod},
    {"scan", "lines", 10, row_major_inputs, nullptr, scan},
};

}  // namespace

KernelList kernels_statistics() { return kKernels; }

}  // namespace suiren::cpu
#endif
