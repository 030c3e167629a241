#pragma once
// A scalar copy of the contract in gemm.h, and what compares products with it bit by bit.

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#include "backends/cpu/gemm/gemm.h"
#include "suiren/base/threads.h"

namespace suiren::cpu {

// Every level of this machine; for bf16 also each of its units.
inline std::vector<GemmLevel> levels(bool units = false) {
  std::vector<GemmLevel> all;
  for (Isa isa : {Isa::kPortable, Isa::kAvx2, Isa::kAvx512})
    if (isa <= suiren::isa()) all.push_back({isa, Bf16Units::kNone});
  for (Bf16Units unit : {Bf16Units::kAvx512, Bf16Units::kAmx})
    if (units && unit <= bf16_units()) all.push_back({isa(), unit});
  return all;
}
template <class T>
std::vector<GemmLevel> levels_of() {
  return levels(std::is_same_v<T, bfloat16>);
}
inline std::string name(GemmLevel level) {
  const char* units[] = {"", " with AVX512_BF16", " with AMX"};
  return isa_name(level.isa) + std::string(units[static_cast<int>(level.bf16)]);
}

template <class T>
using Sum = std::conditional_t<std::is_same_v<T, double>, double, float>;

struct Random {
  uint32_t state;
  float next() {
    return state = state * 1664525u + 1013904223u, static_cast<float>(state >> 8) * 0x1p-23f - 1.0f;
  }
};

// A matrix of one of four layouts inside a buffer with a margin of NaN: a read out of bounds spoils the
// result.
enum class Layout { kRows, kColumns, kRowsPadded, kScattered };
struct Strides {
  int64_t row, col, size;  // size: from the first to the last element
  Strides(int64_t rows, int64_t cols, Layout layout) : row(cols), col(1) {
    if (layout == Layout::kColumns) row = 1, col = rows;
    if (layout == Layout::kRowsPadded) row = cols + 5;
    if (layout == Layout::kScattered) row = 2, col = 2 * rows + 3;
    size = (rows - 1) * row + (cols - 1) * col + 1;
  }
};
inline constexpr int64_t kMargin = 64;

template <class T>
struct Matrix {
  std::vector<T> buffer;
  MatrixView<T> view;
  Matrix(int64_t rows, int64_t cols, Layout layout, uint32_t seed) {
    const Strides s(rows, cols, layout);
    buffer.assign(s.size + 2 * kMargin, T(std::nanf("")));
    view = {buffer.data() + kMargin, rows, cols, s.row, s.col};
    Random random{seed};
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < cols; ++j) buffer[kMargin + i * s.row + j * s.col] = T(random.next());
  }
  T at(int64_t i, int64_t j) const { return view.data[i * view.row_stride + j * view.col_stride]; }
};

inline float flushed(float x) { return std::abs(x) < 0x1p-126f ? std::copysign(0.0f, x) : x; }
// x y + s as the bf16 units compute it: rounded once, denormals read and written as zero.
inline float unit_step(bfloat16 x, bfloat16 y, float s) {
  return flushed(std::fma(flushed(float(x)), flushed(float(y)), flushed(s)));
}

// The sum of one block of k by the letter of the contract; x(p), y(p) for p < kc.
template <class T>
Sum<T> block_sum(int64_t kc, const auto& x, const auto& y, GemmLevel level) {
  Sum<T> s = 0;
  if constexpr (std::is_same_v<T, bfloat16>) {
    const auto a = [&](int64_t p) { return p < kc ? x(p) : T(0.0f); };
    const auto b = [&](int64_t p) { return p < kc ? y(p) : T(0.0f); };
    if (level.bf16 == Bf16Units::kAvx512) {
      for (int64_t p = 0; p < kc; p += 2) s = unit_step(a(p), b(p), unit_step(a(p + 1), b(p + 1), s));
      return s;
    }
    if (level.bf16 == Bf16Units::kAmx) {
      for (int64_t p = 0; p < kc; p += 32) {
        float even = 0, odd = 0;
        for (int64_t q = p; q < p + 32; q += 2) {
          even = unit_step(a(q), b(q), even);
          odd = unit_step(a(q + 1), b(q + 1), odd);
        }
        s = flushed(s + flushed(even + odd));
      }
      return s;
    }
  }
  for (int64_t p = 0; p < kc; ++p) {
    const Sum<T> u = static_cast<Sum<T>>(x(p)), v = static_cast<Sum<T>>(y(p));
    s = level.isa == Isa::kPortable ? s + u * v : std::fma(u, v, s);
  }
  return s;
}

// One element by the letter of the contract.
template <class T>
Sum<T> contract(const Matrix<T>& a, const Matrix<T>& b, int64_t i, int64_t j, Sum<T> c, bool accumulate,
                GemmLevel level) {
  Sum<T> sum = c;
  for (int64_t k = 0; k < a.view.cols; k += kGemmKBlock) {
    const Sum<T> s = block_sum<T>(
        std::min(kGemmKBlock, a.view.cols - k), [&](int64_t p) { return a.at(i, k + p); },
        [&](int64_t p) { return b.at(k + p, j); }, level);
    sum = k == 0 && !accumulate ? s : sum + s;
  }
  return sum;
}

template <class T>
bool same(T x, T y) {
  return std::memcmp(&x, &y, sizeof x) == 0;
}

struct ProductSize {
  int64_t m, n, k;
};

// `every`: how far apart the checked rows and columns lie; the last ones are always checked.
template <class T, class R = T>
void check(ProductSize s, Layout la, Layout lb, bool accumulate, bool use_packed, GemmLevel level,
           int64_t every = 1) {
  const Matrix<T> a(s.m, s.k, la, 7), b(s.k, s.n, lb, 11);
  const int64_t ldc = s.n + 3;
  const R guard = R(123.0f);
  std::vector<R> c(s.m * ldc, guard);
  Random random{5};
  for (int64_t i = 0; i < s.m; ++i)
    for (int64_t j = 0; j < s.n; ++j) c[i * ldc + j] = R(random.next());
  const std::vector<R> before = c;
  PackedB packed;
  if constexpr (!std::is_same_v<T, double>)
    if (use_packed) packed = PackedB(b.view, level);
  gemm(a.view, b.view, c.data(), ldc, {accumulate, use_packed ? &packed : nullptr, level});
  for (int64_t i = 0; i < s.m; ++i) {
    for (int64_t j = s.n; j < ldc; ++j) ASSERT_TRUE(same(c[i * ldc + j], guard)) << "wrote past row " << i;
    if (i % every != 0 && i != s.m - 1) continue;
    for (int64_t j = i % every; j < s.n; j = j < s.n - 1 && j + every >= s.n ? s.n - 1 : j + every) {
      const R expected = R(contract(a, b, i, j, Sum<T>(before[i * ldc + j]), accumulate, level));
      ASSERT_TRUE(same(c[i * ldc + j], expected))
          << name(level) << " m " << s.m << " n " << s.n << " k " << s.k << " layouts " << int(la) << int(lb)
          << " accumulate " << accumulate << " packed " << use_packed << " at " << i << "," << j << ": "
          << double(c[i * ldc + j]) << " expected " << double(expected);
    }
  }
}

template <class T, class R = T>
void check_lattice(const std::vector<int64_t>& ms, const std::vector<int64_t>& ns,
                   const std::vector<int64_t>& ks, int64_t every = 1) {
  int turn = 0;
  for (GemmLevel level : levels_of<T>())
    for (int64_t m : ms)
      for (int64_t n : ns)
        for (int64_t k : ks)
          for (Layout la : {Layout::kRows, Layout::kColumns})
            for (Layout lb : {Layout::kRows, Layout::kColumns}) {
              ++turn;
              check<T, R>({m, n, k}, la, lb, turn % 2 == 0, !std::is_same_v<T, double> && turn % 3 == 0,
                          level, every);
              if (testing::Test::HasFatalFailure()) return;
            }
}

// Every m, n, k in 1..40: the corner of two matrices, whose sums over the first k numbers are known.
template <class T>
void check_every_small_shape(GemmLevel level) {
  constexpr int64_t kMost = 40;
  const Matrix<T> rows_a(kMost, kMost, Layout::kRows, 7), columns_a(kMost, kMost, Layout::kColumns, 7);
  const Matrix<T> rows_b(kMost, kMost, Layout::kRows, 11), columns_b(kMost, kMost, Layout::kColumns, 11);
  std::vector<T> expected(kMost * kMost), c(kMost * (kMost + 1));
  const T guard = T(123.0f);
  for (int64_t k = 1; k <= kMost; ++k) {
    for (int64_t i = 0; i < kMost * kMost; ++i)
      expected[i] = T(block_sum<T>(
          k, [&](int64_t p) { return rows_a.at(i / kMost, p); },
          [&](int64_t p) { return rows_b.at(p, i % kMost); }, level));
    for (int64_t m = 1; m <= kMost; ++m)
      for (int64_t n = 1; n <= kMost; ++n) {
        MatrixView<T> a = (m + n) % 2 ? rows_a.view : columns_a.view;
        MatrixView<T> b = (m + n) / 2 % 2 ? rows_b.view : columns_b.view;
        a.rows = m, a.cols = b.rows = k, b.cols = n;
        std::fill(c.begin(), c.end(), guard);
        gemm(a, b, c.data(), kMost + 1, {.level = level});
        for (int64_t i = 0; i < m; ++i) {
          ASSERT_EQ(std::memcmp(&c[i * (kMost + 1)], &expected[i * kMost], n * sizeof(T)), 0)
              << name(level) << " m " << m << " n " << n << " k " << k << " row " << i;
          ASSERT_TRUE(same(c[i * (kMost + 1) + n], guard)) << "wrote past row " << i;
        }
      }
  }
}

template <class T, class R>
void check_rows_alone(GemmLevel level) {
  const int64_t m = 300, n = 530, k = 700;
  const Matrix<T> a(m, k, Layout::kRows, 3), b(k, n, Layout::kColumns, 4);
  const PackedB packed(b.view, level);
  std::vector<R> whole(m * n), other(m * n);
  set_thread_count(1);
  gemm(a.view, b.view, whole.data(), n, {false, nullptr, level});
  for (int threads : {1, 2, 3, 4, 8}) {
    set_thread_count(threads);
    for (const PackedB* p : {static_cast<const PackedB*>(nullptr), &packed}) {
      gemm(a.view, b.view, other.data(), n, {false, p, level});
      ASSERT_EQ(std::memcmp(whole.data(), other.data(), whole.size() * sizeof(R)), 0)
          << threads << " threads";
      for (int64_t rows : {1, 2, 7, 15}) {
        const int64_t first = 100;
        const MatrixView<T> part{a.view.data + first * k, rows, k, k, 1};
        gemm(part, b.view, other.data(), n, {false, p, level});
        ASSERT_EQ(std::memcmp(&whole[first * n], other.data(), rows * n * sizeof(R)), 0)
            << name(level) << " " << rows << " rows, " << threads << " threads";
      }
    }
  }
  set_thread_count(available_cpus());
}

template <class T>
void check_special_values(GemmLevel level) {
  Matrix<T> a(20, 301, Layout::kRows, 1), b(301, 40, Layout::kRows, 2);
  const_cast<T*>(a.view.data)[3 * 301 + 290] = T(std::nanf(""));
  const_cast<T*>(b.view.data)[5 * 40 + 39] = T(INFINITY);
  std::vector<T> c(20 * 40);
  gemm(a.view, b.view, c.data(), 40, {false, nullptr, level});
  for (int i = 0; i < 20; ++i)
    for (int j = 0; j < 40; ++j) {
      const float x = float(c[i * 40 + j]);
      ASSERT_EQ(std::isfinite(x), i != 3 && j != 39) << name(level) << " at " << i << "," << j;
      ASSERT_EQ(std::isnan(x), i == 3) << name(level) << " at " << i << "," << j;
    }
}

}  // namespace suiren::cpu
