// Matrix products against a scalar copy of the contract in gemm.h (bit by bit) and against f64 sums.

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "backends/cpu/gemm/gemm.h"
#include "suiren/base/error.h"
#include "suiren/base/threads.h"
#include "tests/cpu/gemm_contract.h"

namespace suiren::cpu {
namespace {

TEST(Gemm, KeepsTheContractOnEverySmallShape) {
  for (GemmLevel level : levels()) check_every_small_shape<float>(level);
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

template <class T, class R>
void check_whole(GemmLevel level) {
  const int64_t m = 300, n = 530, ldc = n + 3;
  for (int64_t k : {1, 256, 257, 700}) {
    const Matrix<T> a(m, k, Layout::kColumns, 3), b(k, n, Layout::kRows, 4);
    std::vector<R> product(m * ldc), c(m * ldc);
    Random random{5};
    for (R& x : c) x = R(random.next());
    const std::vector<R> before = c;
    gemm(a.view, b.view, product.data(), ldc, {.level = level});
    gemm(a.view, b.view, c.data(), ldc, {.accumulate = true, .level = level, .whole = true});
    for (int64_t i = 0; i < m * ldc; ++i) {
      const R expected = i % ldc < n ? before[i] + product[i] : before[i];
      ASSERT_EQ(std::memcmp(&c[i], &expected, sizeof(R)), 0) << name(level) << " k " << k << " at " << i;
    }
  }
}

TEST(Gemm, AddsAWholeProduct) {
  for (GemmLevel level : levels()) check_whole<float, float>(level);
  for (GemmLevel level : levels()) check_whole<double, double>(level);
  for (GemmLevel level : levels_of<bfloat16>()) check_whole<bfloat16, float>(level);
}

TEST(Gemm, KeepsTheContractAtPrimesAroundTheBlocks) {
  check_lattice<float>({251, 521}, {37, 1031}, {509}, 61);
}

TEST(Gemm, KeepsTheContractInF64) { check_lattice<double>({1, 3, 17, 31}, {1, 5, 16, 33}, {1, 2, 17, 257}); }

TEST(Gemm, TakesAnyStrides) {
  for (GemmLevel level : levels())
    for (Layout la : {Layout::kRows, Layout::kColumns, Layout::kRowsPadded, Layout::kScattered})
      for (Layout lb : {Layout::kRows, Layout::kColumns, Layout::kRowsPadded, Layout::kScattered})
        for (bool accumulate : {false, true})
          for (bool packed : {false, true}) {
            check<float>({37, 70, 300}, la, lb, accumulate, packed, level);
            check<double>({9, 35, 30}, la, lb, accumulate, false, level);
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

TEST(Gemm, GivesARowTheSameBitsAloneAndInABatchWithAnyThreads) {
  for (GemmLevel level : levels()) check_rows_alone<float, float>(level);
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

TEST(Gemm, CarriesNanAndInfinity) {
  for (GemmLevel level : levels()) check_special_values<float>(level);
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
