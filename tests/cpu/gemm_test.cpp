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

std::vector<Isa> levels() {
  std::vector<Isa> all;
  for (Isa level : {Isa::kPortable, Isa::kAvx2, Isa::kAvx512})
    if (level <= isa()) all.push_back(level);
  return all;
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

// One element by the letter of the contract.
template <class T>
Sum<T> contract(const Matrix<T>& a, const Matrix<T>& b, int64_t i, int64_t j, T c, bool accumulate,
                Isa level) {
  using S = Sum<T>;
  S sum = static_cast<S>(c);
  for (int64_t k = 0; k < a.view.cols; k += kGemmKBlock) {
    S s = 0;
    for (int64_t p = k; p < std::min(k + kGemmKBlock, a.view.cols); ++p) {
      const S x = static_cast<S>(a.at(i, p)), y = static_cast<S>(b.at(p, j));
      s = level == Isa::kPortable ? s + x * y : std::fma(x, y, s);
    }
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

template <class T>
void check(Shape s, Layout la, Layout lb, bool accumulate, bool use_packed, Isa level) {
  const Matrix<T> a(s.m, s.k, la, 7), b(s.k, s.n, lb, 11);
  const int64_t ldc = s.n + 3;
  const T guard = T(123.0f);
  std::vector<T> c(s.m * ldc, guard);
  Random random{5};
  for (int64_t i = 0; i < s.m; ++i)
    for (int64_t j = 0; j < s.n; ++j) c[i * ldc + j] = T(random.next());
  const std::vector<T> before = c;
  PackedB packed;
  if constexpr (!std::is_same_v<T, double>)
    if (use_packed) packed = PackedB(b.view, level);
  gemm(a.view, b.view, c.data(), ldc, {accumulate, use_packed ? &packed : nullptr, level});
  for (int64_t i = 0; i < s.m; ++i) {
    for (int64_t j = 0; j < s.n; ++j) {
      const T expected = T(contract(a, b, i, j, before[i * ldc + j], accumulate, level));
      ASSERT_TRUE(same(c[i * ldc + j], expected))
          << isa_name(level) << " m " << s.m << " n " << s.n << " k " << s.k << " layouts " << int(la)
          << int(lb) << " accumulate " << accumulate << " packed " << use_packed << " at " << i << "," << j
          << ": " << double(c[i * ldc + j]) << " expected " << double(expected);
    }
    for (int64_t j = s.n; j < ldc; ++j) ASSERT_TRUE(same(c[i * ldc + j], guard)) << "wrote past row " << i;
  }
}

template <class T>
void check_lattice(const std::vector<int64_t>& ms, const std::vector<int64_t>& ns,
                   const std::vector<int64_t>& ks) {
  int turn = 0;
  for (Isa level : levels())
    for (int64_t m : ms)
      for (int64_t n : ns)
        for (int64_t k : ks)
          for (Layout la : {Layout::kRows, Layout::kColumns})
            for (Layout lb : {Layout::kRows, Layout::kColumns}) {
              ++turn;
              check<T>({m, n, k}, la, lb, turn % 2 == 0, !std::is_same_v<T, double> && turn % 3 == 0, level);
              if (testing::Test::HasFatalFailure()) return;
            }
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
  check_lattice<float16>({1, 3, 17, 300}, {1, 33, 70}, {17, 513});
}

TEST(Gemm, TakesAnyStrides) {
  for (Isa level : levels())
    for (Layout la : {Layout::kRows, Layout::kColumns, Layout::kRowsPadded, Layout::kScattered})
      for (Layout lb : {Layout::kRows, Layout::kColumns, Layout::kRowsPadded, Layout::kScattered})
        for (bool accumulate : {false, true})
          for (bool packed : {false, true}) {
            check<float>({37, 70, 300}, la, lb, accumulate, packed, level);
            check<double>({9, 35, 30}, la, lb, accumulate, false, level);
            check<bfloat16>({9, 35, 30}, la, lb, accumulate, packed, level);
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
  for (Isa level : levels()) {
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

TEST(Gemm, GivesARowTheSameBitsAloneAndInABatchWithAnyThreads) {
  const int64_t m = 300, n = 530, k = 700;
  const Matrix<float> a(m, k, Layout::kRows, 3), b(k, n, Layout::kColumns, 4);
  for (Isa level : levels()) {
    const PackedB packed(b.view, level);
    std::vector<float> whole(m * n), other(m * n);
    set_thread_count(1);
    gemm(a.view, b.view, whole.data(), n, {false, nullptr, level});
    for (int threads : {1, 2, 3, 4, 8}) {
      set_thread_count(threads);
      for (const PackedB* p : {static_cast<const PackedB*>(nullptr), &packed}) {
        gemm(a.view, b.view, other.data(), n, {false, p, level});
        ASSERT_EQ(std::memcmp(whole.data(), other.data(), whole.size() * 4), 0) << threads << " threads";
        for (int64_t rows : {1, 2, 7, 15}) {
          const int64_t first = 100;
          const MatrixView<float> part{a.view.data + first * k, rows, k, k, 1};
          gemm(part, b.view, other.data(), n, {false, p, level});
          ASSERT_EQ(std::memcmp(&whole[first * n], other.data(), rows * n * 4), 0)
              << rows << " rows, " << threads << " threads";
        }
      }
    }
  }
  set_thread_count(available_cpus());
}

TEST(Gemm, SumsVeryLongRowsInTheSameOrder) {  // B does not fit what is kept packed: narrow strips
  const int64_t m = 300, n = 70, k = 40000;
  const Matrix<float> a(m, k, Layout::kRows, 3), b(k, n, Layout::kRows, 4);
  for (Isa level : levels()) {
    std::vector<float> whole(m * n), part(2 * n);
    gemm(a.view, b.view, whole.data(), n, {false, nullptr, level});
    for (int64_t row : {0, 123, 298}) {
      gemm<float>({a.view.data + row * k, 2, k, k, 1}, b.view, part.data(), n, {false, nullptr, level});
      ASSERT_EQ(std::memcmp(&whole[row * n], part.data(), part.size() * 4), 0)
          << isa_name(level) << " row " << row;
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
  gemm<float>({&x, 0, 1, 1, 1}, {&x, 1, 1, 1, 1}, nullptr, 1);
  gemm<float>({&x, 1, 1, 1, 1}, {&x, 1, 0, 0, 1}, nullptr, 0);
  EXPECT_TRUE(PackedB(MatrixView<float>{&x, 1, 0, 0, 1}).bytes() == 0);
}

TEST(Gemm, CarriesNanAndInfinity) {
  for (Isa level : levels()) {
    Matrix<float> a(20, 300, Layout::kRows, 1), b(300, 40, Layout::kRows, 2);
    const_cast<float*>(a.view.data)[3 * 300 + 290] = std::nanf("");
    const_cast<float*>(b.view.data)[5 * 40 + 39] = INFINITY;
    std::vector<float> c(20 * 40);
    gemm(a.view, b.view, c.data(), 40, {false, nullptr, level});
    for (int i = 0; i < 20; ++i)
      for (int j = 0; j < 40; ++j)
        ASSERT_EQ(std::isfinite(c[i * 40 + j]), i != 3 && j != 39) << i << "," << j;
  }
}

TEST(Gemm, RefusesAPackedOperandThatDoesNotFit) {
  const std::vector<float> x(64, 1.0f);
  std::vector<float> c(64);
  const PackedB packed(MatrixView<float>{x.data(), 8, 8, 8, 1}, Isa::kPortable);
  EXPECT_THROW((gemm<float>({x.data(), 8, 4, 4, 1}, {x.data(), 4, 8, 8, 1}, c.data(), 8,
                            {false, &packed, Isa::kPortable})),
               Error);
  EXPECT_THROW((gemm<float>({x.data(), 8, 8, 8, 1}, {x.data(), 4, 8, 8, 1}, c.data(), 8)), Error);
}

}  // namespace
}  // namespace suiren::cpu
