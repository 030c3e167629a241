// Writing by index: scatter and its kin, index_add and index_copy, segments. Elements that meet are taken in
// ascending order by one thread, so the number of threads changes nothing.

#include <algorithm>
#include <limits>
#include <type_traits>
#include <vector>

#include "backends/cpu/convert.h"
#include "backends/cpu/indexed.h"
#include "backends/cpu/move.h"
#include "backends/cpu/stage.h"
#include "backends/cpu/word.h"

namespace suiren::cpu {
namespace {

struct Add {
  template <class T>
  static T meet(T y, T x) {
    if constexpr (std::is_integral_v<T>)
      return static_cast<T>(static_cast<uint64_t>(y) + static_cast<uint64_t>(x));
    else
      return y + x;
  }
};
struct Max {
  template <class T>
  static T meet(T y, T x) {
    return y != y || x <= y ? y : x;
  }
};
struct Min {
  template <class T>
  static T meet(T y, T x) {
    return y != y || x >= y ? y : x;
  }
};

// y = meet(y, x) in f32 for a sum of halves, else in their own type; in runs that fill vectors.
template <class F, class Y, class T>
void meet_row(Y* __restrict y, const T* __restrict x, int64_t n) {
  constexpr int kRun = 8;
  const auto meet = [](Y a, T b) {
    if constexpr (is_half<Y>)
      return Y(F::meet(static_cast<float>(a), static_cast<float>(b)));
    else
      return F::meet(a, static_cast<Y>(b));
  };
  int64_t i = 0;
  for (; i + kRun <= n; i += kRun)
    for (int j = 0; j < kRun; ++j) y[i + j] = meet(y[i + j], x[i + j]);
  for (; i < n; ++i) y[i] = meet(y[i], x[i]);
}

template <class F, bool kList, class Y, class T>
void meet_entries(const Indexed& indexed, Y* y, const T* src) {
  if constexpr (kList)
    indexed.each_in_order([=](int64_t at, int64_t i, int64_t n) { meet_row<F>(y + at, src + i, n); });
  else
    indexed.each_in_order([=](int64_t at, int64_t i) { meet_row<F>(y + at, src + i, 1); });
}

// Each element of src meets its place in y. Sums of halves are kept in f32 and rounded once.
template <class F, bool kList, class T>
void meet_all(const Indexed& indexed, int64_t n, const T* src, T* y) {
  if constexpr (is_half<T> && std::is_same_v<F, Add>) {
    std::vector<float> sum(static_cast<size_t>(n));
    float* s = sum.data();
    parallel_for(n, kGrainCheap, [&](int64_t b, int64_t e) { convert_row(y + b, s + b, e - b); });
    meet_entries<F, kList>(indexed, s, src);
    parallel_for(n, kGrainCheap, [&](int64_t b, int64_t e) { convert_row(s + b, y + b, e - b); });
  } else {
    meet_entries<F, kList>(indexed, y, src);
  }
}

// x may be spread from one element, as gradients spread a zero.
Reason accepts_any_x(const Call& c) {
  return c.in(1).contiguous() && c.in(2).contiguous() ? nullptr : kNeedsContiguous;
}

// Inputs x, index, src; attribute: axis.
template <class F, bool kList>
void scatter_with(const Call& c, void*) {
  const Operand x = c.in(0), index = c.in(1), y = c.out(0);
  const Indexed indexed(x, index, static_cast<int>(c.attr_i64(0)), kList);
  move(y, x);
  visit_dtype(dtype_of_operand(x.dtype()), [&]<class T>() {
    if constexpr (!std::is_same_v<T, bool>)
      meet_all<F, kList>(indexed, y.numel(), c.in(2).data<T>(), y.data<T>());
  });
}

template <bool kList>
void scatter(const Call& c, void*) {
  const Operand x = c.in(0), index = c.in(1), y = c.out(0);
  const Indexed indexed(x, index, static_cast<int>(c.attr_i64(0)), kList);
  move(y, x);
  with_word(dtype_of_operand(x.dtype()).size(), [&]<class W>() {
    const W* src = c.in(2).data<W>();
    W* to = y.data<W>();
    if constexpr (kList)
      indexed.each_in_order(
          [=](int64_t at, int64_t i, int64_t n) { std::copy(src + i, src + i + n, to + at); });
    else
      indexed.each_in_order([=](int64_t at, int64_t i) { to[at] = src[i]; });
  });
}

void check_ids(const Operand& ids, int64_t segments) {
  const Indices id(ids);
  for (int64_t i = 0; i < ids.numel(); ++i)
    SR_CHECK(id[i] >= 0 && id[i] < segments, "id {} at position {} is out of range for {} segments", id[i], i,
             segments);
}

// Inputs x [N, ...], ids [N]; attribute: segments.
template <class F>
void segment(const Call& c, void*) {
  const Operand x = c.in(0), ids = c.in(1), y = c.out(0);
  check_ids(ids, y.dim(0));
  if (y.numel() == 0) return;
  const Indexed indexed(y, ids, 0, true);
  visit_dtype(dtype_of_operand(x.dtype()), [&]<class T>() {
    if constexpr (!std::is_same_v<T, bool>) {
      T* to = y.data<T>();
      T first = T();
      if constexpr (std::is_same_v<F, Max> && std::is_integral_v<T>)
        first = std::numeric_limits<T>::min();
      else if constexpr (std::is_same_v<F, Max>)
        first = convert<T>(-std::numeric_limits<double>::infinity());
      parallel_for(y.numel(), kGrainCheap, [&](int64_t b, int64_t e) { std::fill(to + b, to + e, first); });
      meet_all<F, true>(indexed, y.numel(), x.data<T>(), to);
    }
  });
}

// Likewise; sums are divided before they are rounded.
void segment_mean(const Call& c, void*) {
  const Operand x = c.in(0), ids = c.in(1), y = c.out(0);
  check_ids(ids, y.dim(0));
  if (y.numel() == 0) return;
  const Indexed indexed(y, ids, 0, true);
  const int64_t n = y.numel(), row = n / y.dim(0);
  std::vector<int64_t> counts(static_cast<size_t>(y.dim(0)));
  const Indices id(ids);
  for (int64_t i = 0; i < ids.numel(); ++i) ++counts[static_cast<size_t>(id[i])];
  visit_dtype(dtype_of_operand(x.dtype()), [&]<class T>() {
    if constexpr (!std::is_integral_v<T>) {
      using Sum = std::conditional_t<std::is_same_v<T, double>, double, float>;
      std::vector<Sum> wide(is_half<T> ? static_cast<size_t>(n) : 0);
      T* to = y.data<T>();
      const T* from = x.data<T>();
      Sum* sum = wide.data();
      if constexpr (!is_half<T>) {
        sum = to;
        clear(y.data<char>(), n * static_cast<int64_t>(sizeof(T)));
      }
      meet_entries<Add, true>(indexed, sum, from);
      parallel_for(y.dim(0), std::max<int64_t>(1, kGrainCheap / row), [&](int64_t b, int64_t e) {
        for (int64_t s = b; s < e; ++s) {
          const auto count = static_cast<Sum>(std::max<int64_t>(1, counts[static_cast<size_t>(s)]));
          for (int64_t i = s * row; i < (s + 1) * row; ++i) to[i] = convert<T>(sum[i] / count);
        }
      });
    }
  });
}

constexpr Kernel kKernels[] = {
    {"scatter", "elements", 10, accepts_any_x, nullptr, scatter<false>},
    {"scatter_add", "elements", 10, accepts_any_x, nullptr, scatter_with<Add, false>},
    {"scatter_max", "elements", 10, accepts_any_x, nullptr, scatter_with<Max, false>},
    {"scatter_min", "elements", 10, accepts_any_x, nullptr, scatter_with<Min, false>},
    {"index_add", "slices", 10, accepts_any_x, nullptr, scatter_with<Add, true>},
    {"index_copy", "slices", 10, accepts_any_x, nullptr, scatter<true>},
    {"segment_sum", "rows", 10, row_major_inputs, nullptr, segment<Add>},
    {"segment_mean", "rows", 10, row_major_inputs, nullptr, segment_mean},
    {"segment_max", "rows", 10, row_major_inputs, nullptr, segment<Max>},
};

}  // namespace

KernelList kernels_scatter() { return kKernels; }

}  // namespace suiren::cpu
