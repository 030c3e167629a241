// Products of bf16 and f16 numbers, on each of the units for bf16 that this machine has.

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "backends/cpu/gemm/gemm.h"
#include "suiren/base/error.h"
#include "tests/cpu/gemm_contract.h"

namespace suiren::cpu {
namespace {

TEST(GemmBf16, KeepsTheContractOnEverySmallShape) {
  for (GemmLevel level : levels(true)) check_every_small_shape<bfloat16>(level);
}

TEST(GemmBf16, KeepsTheContractInNarrowTypes) {
  check_lattice<bfloat16>({1, 3, 17, 31}, {1, 5, 16, 33, 70}, {1, 2, 17, 257});
  check_lattice<bfloat16, float>({1, 17, 31}, {5, 33, 70}, {2, 17, 31, 257, 513});
  check_lattice<float16>({1, 3, 17, 300}, {1, 33, 70}, {17, 513});
  check_lattice<float16, float>({3, 17}, {33, 70}, {17, 513});
}

TEST(GemmBf16, KeepsTheContractAtPrimesAroundTheBlocks) {
  check_lattice<bfloat16>({13, 257, 521}, {37, 1031}, {251, 509}, 61);
  check_lattice<bfloat16, float>({521}, {1031}, {31, 769}, 61);
}

TEST(GemmBf16, RunsOnAmx) {
  if (bf16_units() != Bf16Units::kAmx) GTEST_SKIP() << "needs AMX";
  check<bfloat16>({67, 101, 301}, Layout::kRows, Layout::kColumns, false, true, {});
}

TEST(GemmBf16, ChoosesUnitsByLevelAndCpu) {
  EXPECT_EQ(bf16_units(Isa::kPortable), Bf16Units::kNone);
  EXPECT_EQ(bf16_units(Isa::kAvx2), Bf16Units::kNone);
  EXPECT_EQ(bf16_units(Isa::kAvx512) != Bf16Units::kNone, cpu_info().has("avx512_bf16"));
  EXPECT_EQ(GemmLevel().bf16, bf16_units(isa()));
}

// Each rounding of a sum is within half a unit of the last place of what it has reached.
TEST(GemmBf16, IsCloseToF64Sums) {
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

TEST(GemmBf16, ReadsDenormalsAsZeroOnItsUnitsAlone) {
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

TEST(GemmBf16, TakesAnyStrides) {
  for (GemmLevel level : levels(true))
    for (Layout la : {Layout::kRows, Layout::kColumns, Layout::kRowsPadded, Layout::kScattered})
      for (Layout lb : {Layout::kRows, Layout::kColumns, Layout::kRowsPadded, Layout::kScattered})
        for (bool accumulate : {false, true})
          for (bool packed : {false, true}) {
            check<bfloat16>({9, 35, 30}, la, lb, accumulate, packed, level);
            check<bfloat16, float>({37, 35, 301}, la, lb, accumulate, packed, level);
            ASSERT_FALSE(HasFatalFailure());
          }
}

TEST(GemmBf16, GivesARowTheSameBitsAloneAndInABatchWithAnyThreads) {
  for (GemmLevel level : levels(true)) {
    check_rows_alone<bfloat16, bfloat16>(level);
    check_rows_alone<bfloat16, float>(level);
  }
}

TEST(GemmBf16, CarriesNanAndInfinity) {
  for (GemmLevel level : levels(true)) check_special_values<bfloat16>(level);
}

TEST(GemmBf16, RefusesPanelsOfAnotherType) {
  if (bf16_units() == Bf16Units::kNone) GTEST_SKIP() << "needs AVX512_BF16";
  const std::vector<float> x(64, 1.0f);
  std::vector<float> c(64);
  const std::vector<bfloat16> narrow(64, bfloat16(1.0f));
  const PackedB pairs(MatrixView<bfloat16>{narrow.data(), 8, 8, 8, 1});
  EXPECT_EQ(pairs.bytes(), 8 * 32 * 2);
  EXPECT_THROW((gemm<float>({x.data(), 8, 8, 8, 1}, {x.data(), 8, 8, 8, 1}, c.data(), 8, {.packed = &pairs})),
               Error);
}

}  // namespace
}  // namespace suiren::cpu
