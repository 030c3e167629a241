// Matrix products against a scalar copy of the contract in gemm.h (bit by bit) and against f64 sums.

#include "backends/cpu/gemm/gemm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#include "suiren/base/error.h"
#include "suiren/base/threads.h"

namespace suiren::cpu {
namespace {

// Every level of this machine; for bf16 also each of its units.
std::vector<GemmLevel> levels(bool units = false) {
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
std::string name(GemmLevel level) {
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
template <class T>
struct Matrix {
  std::vector<T> buffer;
  MatrixView<T> view;
  Matrix(int64_t rows, int64_t cols, Layout layout, uint32_t seed) {
    int64_t rs = cols, cs = 1;
    if (layout == Layout::kColumns) rs = 1, cs = rows;
    if (layout == Layout::kRowsPadded) rs = cols + 5;
    if (layout == Layout::kScattered) rs = 2, cs = 2 * rows + 3;
    const int64_t margin = 64, size = (rows - 1) * rs + (cols - 1) * cs + 1;
    buffer.assign(size + 2 * margin, T(std::nanf("")));
    view = {buffer.data() + margin, rows, cols, rs, cs};
    Random random{seed};
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < cols; ++j) buffer[margin + i * rs + j * cs] = T(random.next());
  }
  T at(int64_t i, int64_t j) const { return view.data[i * view.row_stride + j * view.col_stride]; }
};

float flushed(float x) { return std::abs(x) < 0x1p-126f ? std::copysign(0.0f, x) : x; }
// x y + s as the bf16 units compute it: rounded once, denormals read and written as zero.
float unit_step(bfloat16 x, bfloat16 y, float s) {
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

struct Shape {
  int64_t m, n, k;
};

// `every`: how far apart the checked rows and columns lie; the last ones are always checked.
template <class T, class R = T>
void check(Shape s, Layout la, Layout lb, bool accumulate, bool use_packed, GemmLevel level,
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

TEST(Gemm, KeepsTheContractOnEverySmallShape) {
  for (GemmLevel level : levels()) check_every_small_shape<float>(level);
}
TEST(Gemm, KeepsTheContractOnEverySmallShapeInBf16) {
  for (GemmLevel level : levels(true)) check_every_small_shape<bfloat16>(level);
}

TEST(Gemm, KeepsTheContractOnSmallShapes) {
  check_lattice<float>({1, 2, 3, 5, 8, 13, 16, 17, 31, 33}, {1, 2, 3, 5, 8, 13, 16, 17, 31, 33, 64},
                       {1, 2, 5, 16, 33});
}

TEST(Gemm, KeepsTheContractAcrossBlocks) {
  check_lattice<float>({1, 14, 100}, {17, 64, 100}, {255, 256, 257, 300, 513});
  check_lattice<float>({255, 257, 300}, {31, 513}, {17, 256});
  check_lattice<float>({513}, {600}, {300});
}

TEST(Gemm, KeepsTheContractOnFewRowsOfAWideMatrix) {  // read in place, but for a last panel that is not full
  check_lattice<float>({1, 3}, {1045, 1077, 2100}, {1, 5});
  check_lattice<double>({1, 3}, {524, 1045, 1077}, {1, 5});
}

TEST(Gemm, KeepsTheContractInF64) { check_lattice<double>({1, 3, 17, 31}, {1, 5, 16, 33}, {1, 2, 17, 257}); }

TEST(Gemm, KeepsTheContractInNarrowTypes) {
  check_lattice<bfloat16>({1, 3, 17, 31}, {1, 5, 16, 33, 70}, {1, 2, 17, 257});
  check_lattice<bfloat16, float>({1, 17, 31}, {5, 33, 70}, {2, 17, 31, 257, 513});
  check_lattice<float16>({1, 3, 17, 300}, {1, 33, 70}, {17, 513});
  check_lattice<float16, float>({3, 17}, {33, 70}, {17, 513});
}

TEST(Gemm, KeepsTheContractAtPrimesAroundTheBlocks) {
  check_lattice<bfloat16>({13, 257, 521}, {37, 1031}, {251, 509}, 61);
  check_lattice<bfloat16, float>({521}, {1031}, {31, 769}, 61);
  check_lattice<float>({251, 521}, {37, 1031}, {509}, 61);
}

TEST(Gemm, RunsOnAmx) {
  if (bf16_units() != Bf16Units::kAmx) GTEST_SKIP() << "needs AMX";
  check<bfloat16>({67, 101, 301}, Layout::kRows, Layout::kColumns, false, true, {});
}

TEST(Gemm, ChoosesBf16UnitsByLevelAndCpu) {
  EXPECT_EQ(bf16_units(Isa::kPortable), Bf16Units::kNone);
  EXPECT_EQ(bf16_units(Isa::kAvx2), Bf16Units::kNone);
  EXPECT_EQ(bf16_units(Isa::kAvx512) != Bf16Units::kNone, cpu_info().has("avx512_bf16"));
  EXPECT_EQ(GemmLevel().bf16, bf16_units(isa()));
}

// Each rounding of a sum is within half a unit of the last place of what it has reached.
TEST(Gemm, IsCloseToF64SumsInBf16) {
  const int64_t m = 33, n = 70;
  for (int64_t k : {1, 64, 1000, 4096}) {
    const Matrix<bfloat16> a(m, k, Layout::kRows, 1), b(k, n, Layout::kColumns, 2);
    for (GemmLevel level : levels(true)) {
      std::vector<float> sums(m * n);
      std::vector<bfloat16> rounded(m * n);
      gemm(a.view, b.view, sums.data(), n, {.level = level});
      gemm(a.view, b.view, rounded.data(), n, {.level = level});
      for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < n; ++j) {
          double sum = 0, magnitude = 0;
          for (int64_t p = 0; p < k; ++p) {
            const double x = double(a.at(i, p)) * double(b.at(p, j));
            sum += x, magnitude += std::abs(x);
          }
          const int64_t roundings = std::min(k, kGemmKBlock) + k / kGemmKBlock + 1;
          ASSERT_NEAR(sums[i * n + j], sum, magnitude * double(roundings) * 0x1p-24)
              << name(level) << " k " << k << " at " << i << "," << j;
          ASSERT_TRUE(same(rounded[i * n + j], bfloat16(sums[i * n + j]))) << name(level) << " k " << k;
        }
    }
  }
}

TEST(Gemm, ReadsDenormalsAsZeroOnBf16UnitsAlone) {
  const bfloat16 tiny(0x1p-130f), two(2.0f), big(0x1p100f);
  for (GemmLevel level : levels(true)) {
    const bool flushes = level.bf16 != Bf16Units::kNone;
    float c = 7;
    gemm<bfloat16>({&tiny, 1, 1, 1, 1}, {&big, 1, 1, 1, 1}, &c, 1, {.level = level});
    EXPECT_EQ(c, flushes ? 0.0f : 0x1p-30f) << name(level);
    const bfloat16 small(0x1p-100f), smaller(0x1p-30f);  // a product below the normal numbers
    gemm<bfloat16>({&small, 1, 1, 1, 1}, {&smaller, 1, 1, 1, 1}, &c, 1, {.level = level});
    EXPECT_EQ(c, flushes ? 0.0f : 0x1p-130f) << name(level);
    gemm<bfloat16>({&two, 1, 1, 1, 1}, {&two, 1, 1, 1, 1}, &c, 1, {.level = level});
    EXPECT_EQ(c, 4.0f);
  }
}

TEST(Gemm, TakesAnyStrides) {
  for (GemmLevel level : levels(true))
    for (Layout la : {Layout::kRows, Layout::kColumns, Layout::kRowsPadded, Layout::kScattered})
      for (Layout lb : {Layout::kRows, Layout::kColumns, Layout::kRowsPadded, Layout::kScattered})
        for (bool accumulate : {false, true})
          for (bool packed : {false, true}) {
            check<float>({37, 70, 300}, la, lb, accumulate, packed, level);
            check<double>({9, 35, 30}, la, lb, accumulate, false, level);
            check<bfloat16>({9, 35, 30}, la, lb, accumulate, packed, level);
            check<bfloat16, float>({37, 35, 301}, la, lb, accumulate, packed, level);
            ASSERT_FALSE(HasFatalFailure());
          }
}

TEST(Gemm, RepeatsOperandsWithStrideZeroAndRunsBackwards) {
  const std::vector<float> row = {1, 2, 3, 4}, ones(8, 1.0f);
  std::vector<float> c(6);
  gemm<float>({row.data(), 3, 4, 0, 1}, {ones.data(), 4, 2, 2, 1}, c.data(), 2);
  EXPECT_EQ(c, std::vector<float>(6, 10.0f));
  const std::vector<float> unit = {1, 0, 0, 0};
  gemm<float>({row.data() + 3, 1, 4, 0, -1}, {unit.data(), 4, 1, 1, 1}, c.data(), 1);
  EXPECT_EQ(c[0], 4.0f);
}

TEST(Gemm, IsCloseToF64Sums) {
  const int64_t m = 65, n = 97, k = 1000;
  const Matrix<float> a(m, k, Layout::kRows, 1), b(k, n, Layout::kColumns, 2);
  for (GemmLevel level : levels()) {
    std::vector<float> c(m * n);
    gemm(a.view, b.view, c.data(), n, {false, nullptr, level});
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j) {
        double sum = 0, magnitude = 0;
        for (int64_t p = 0; p < k; ++p) {
          const double x = double(a.at(i, p)) * b.at(p, j);
          sum += x, magnitude += std::abs(x);
        }
        ASSERT_NEAR(c[i * n + j], sum, magnitude * (kGemmKBlock + 4) * 0x1p-24) << i << "," << j;
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

TEST(Gemm, GivesARowTheSameBitsAloneAndInABatchWithAnyThreads) {
  for (GemmLevel level : levels()) check_rows_alone<float, float>(level);
  for (GemmLevel level : levels(true)) check_rows_alone<bfloat16, bfloat16>(level);
  for (GemmLevel level : levels(true)) check_rows_alone<bfloat16, float>(level);
}

TEST(Gemm, SumsVeryLongRowsInTheSameOrder) {  // B does not fit what is kept packed: narrow strips
  const int64_t m = 300, n = 70, k = 40000;
  const Matrix<float> a(m, k, Layout::kRows, 3), b(k, n, Layout::kRows, 4);
  for (GemmLevel level : levels()) {
    std::vector<float> whole(m * n), part(2 * n);
    gemm(a.view, b.view, whole.data(), n, {false, nullptr, level});
    for (int64_t row : {0, 123, 298}) {
      gemm<float>({a.view.data + row * k, 2, k, k, 1}, b.view, part.data(), n, {false, nullptr, level});
      ASSERT_EQ(std::memcmp(&whole[row * n], part.data(), part.size() * 4), 0)
          << name(level) << " row " << row;
    }
  }
}

TEST(Gemm, RunsBatches) {
  const int64_t m = 20, n = 45, k = 33;
  for (int64_t batch : {1, 3, 5, 9}) {
    const Matrix<float> a(batch * m, k, Layout::kRows, 3), b(k, n * batch, Layout::kColumns, 4);
    const MatrixView<float> av{a.view.data, m, k, k, 1}, bv{b.view.data, k, n, 1, k};
    for (int threads : {1, 2, 3, 4}) {
      set_thread_count(threads);
      for (int64_t b_stride : {int64_t{0}, n * k}) {
        std::vector<float> c(batch * m * n), one(m * n);
        gemm_batched(batch, av, m * k, bv, b_stride, c.data(), m * n, n);
        for (int64_t i = 0; i < batch; ++i) {
          gemm<float>({av.data + i * m * k, m, k, k, 1}, {bv.data + i * b_stride, k, n, 1, k}, one.data(), n);
          ASSERT_EQ(std::memcmp(one.data(), &c[i * m * n], one.size() * 4), 0)
              << batch << " matrices, matrix " << i;
        }
      }
    }
  }
  set_thread_count(available_cpus());
}

TEST(Gemm, TakesEmptySizes) {
  std::vector<float> c(6, 7.0f);
  const float x = 1;
  gemm<float>({&x, 2, 0, 0, 1}, {&x, 0, 3, 3, 1}, c.data(), 3, {.accumulate = true});
  EXPECT_EQ(c, std::vector<float>(6, 7.0f));
  gemm<float>({&x, 2, 0, 0, 1}, {&x, 0, 3, 3, 1}, c.data(), 3);
  EXPECT_EQ(c, std::vector<float>(6, 0.0f));
  gemm<float>({&x, 0, 1, 1, 1}, {&x, 1, 1, 1, 1}, static_cast<float*>(nullptr), 1);
  gemm<float>({&x, 1, 1, 1, 1}, {&x, 1, 0, 0, 1}, static_cast<float*>(nullptr), 0);
  EXPECT_TRUE(PackedB(MatrixView<float>{&x, 1, 0, 0, 1}).bytes() == 0);
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

TEST(Gemm, CarriesNanAndInfinity) {
  for (GemmLevel level : levels()) check_special_values<float>(level);
  for (GemmLevel level : levels(true)) check_special_values<bfloat16>(level);
}

TEST(Gemm, RefusesAPackedOperandThatDoesNotFit) {
  const std::vector<float> x(64, 1.0f);
  std::vector<float> c(64);
  const PackedB packed(MatrixView<float>{x.data(), 8, 8, 8, 1}, Isa::kPortable);
  EXPECT_THROW((gemm<float>({x.data(), 8, 4, 4, 1}, {x.data(), 4, 8, 8, 1}, c.data(), 8,
                            {false, &packed, Isa::kPortable})),
               Error);
  EXPECT_THROW((gemm<float>({x.data(), 8, 8, 8, 1}, {x.data(), 4, 8, 8, 1}, c.data(), 8)), Error);
  if (bf16_units() == Bf16Units::kNone) return;
  const std::vector<bfloat16> narrow(64, bfloat16(1.0f));
  const PackedB pairs(MatrixView<bfloat16>{narrow.data(), 8, 8, 8, 1});
  EXPECT_EQ(pairs.bytes(), 8 * 32 * 2);
  EXPECT_THROW((gemm<float>({x.data(), 8, 8, 8, 1}, {x.data(), 8, 8, 8, 1}, c.data(), 8, {.packed = &pairs})),
               Error);
}

}  // namespace
}  // namespace suiren::cpu
