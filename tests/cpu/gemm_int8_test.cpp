// Products of int8 numbers on every level and unit of this machine.

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "suiren/base/error.h"
#include "suiren/base/threads.h"
#include "tests/cpu/gemm_int8_check.h"

namespace suiren::cpu {
namespace {

class GemmInt8 : public testing::TestWithParam<GemmLevel> {
 protected:
  void SetUp() override {
    if (GetParam().isa > isa() || GetParam().int8 > int8_units())
      GTEST_SKIP() << "needs " << int8_name(GetParam());
  }
  void TearDown() override { set_thread_count(threads_); }

 private:
  const int threads_ = thread_count();
};

TEST_P(GemmInt8, IsExactOnEverySmallShape) { check_int8_small_shapes(GetParam()); }

TEST_P(GemmInt8, IsExactAtPrimesAroundTheBlocks) {
  check_int8_lattice({1, 13, 17, 257}, {31, 37, 131}, {251, 256, 257, 521}, GetParam());
  check_int8_lattice({263}, {1031}, {127}, GetParam());
}

TEST_P(GemmInt8, IsExactForTheLargestSums) {
  const int64_t k = kGemmInt8Exact;
  const std::vector<int8_t> a(2 * k, -128), b(3 * k, -128);
  std::vector<int32_t> c(6);
  gemm<int8_t, int32_t>({a.data(), 2, k, k, 1}, {b.data(), k, 3, 1, k}, c.data(), 3, {.level = GetParam()});
  for (int32_t x : c) EXPECT_EQ(x, k * 16384);
}

TEST_P(GemmInt8, ReadsStridesOfZeroAndBackwards) {
  const Int8Matrix a(20, 70, Layout::kRows, 1), b(70, 33, Layout::kRows, 2);
  const MatrixView<int8_t> same_row{a.view.data, 20, 70, 0, 1},
      backwards{b.view.data + 69 * 33 + 32, 70, 33, -33, -1};
  std::vector<int32_t> c(20 * 33);
  gemm(same_row, backwards, c.data(), 33, {.level = GetParam()});
  for (int64_t i = 0; i < 20 * 33; ++i) {
    int64_t sum = 0;
    for (int64_t k = 0; k < 70; ++k) sum += a.at(0, k) * b.at(69 - k, 32 - i % 33);
    ASSERT_EQ(c[i], sum) << i;
  }
}

TEST_P(GemmInt8, RunsBatchesOnAnyThreads) {
  const Int8Matrix a(3 * 40, 90, Layout::kRows, 1), b(3 * 90, 50, Layout::kRows, 2);
  std::vector<int32_t> whole(3 * 40 * 50), other(whole.size());
  for (int64_t i = 0; i < 3; ++i)
    gemm<int8_t, int32_t>({a.view.data + i * 3600, 40, 90, 90, 1}, {b.view.data + i * 4500, 90, 50, 50, 1},
                          whole.data() + i * 2000, 50, {.level = GetParam()});
  for (int threads : {1, 2, 3, 8}) {
    set_thread_count(threads);
    std::fill(other.begin(), other.end(), 1);
    gemm_batched<int8_t, int32_t>(3, {a.view.data, 40, 90, 90, 1}, 3600, {b.view.data, 90, 50, 50, 1}, 4500,
                                  other.data(), 2000, 50, {.level = GetParam()});
    ASSERT_EQ(whole, other) << threads << " threads";
  }
}

TEST_P(GemmInt8, AddsAWholeProductAndTakesEmptySizes) {
  const Int8Matrix a(30, 600, Layout::kColumns, 1), b(600, 20, Layout::kRows, 2);
  std::vector<int32_t> product(600), c(600, 7);
  gemm(a.view, b.view, product.data(), 20, {.level = GetParam()});
  gemm(a.view, b.view, c.data(), 20, {.accumulate = true, .level = GetParam(), .whole = true});
  for (size_t i = 0; i < c.size(); ++i) ASSERT_EQ(c[i], 7 + product[i]);
  gemm<int8_t, int32_t>({a.view.data, 30, 0, 1, 1}, {b.view.data, 0, 20, 1, 1}, c.data(), 20,
                        {.level = GetParam()});
  EXPECT_EQ(c, std::vector<int32_t>(600, 0));
}

INSTANTIATE_TEST_SUITE_P(Levels, GemmInt8,
                         testing::Values(GemmLevel{Isa::kPortable, Bf16Units::kNone},
                                         GemmLevel{Isa::kAvx2, Bf16Units::kNone},
                                         GemmLevel{Isa::kAvx512, Bf16Units::kNone},
                                         GemmLevel{Isa::kAvx512, Bf16Units::kNone, Int8Units::kAvx512},
                                         GemmLevel{Isa::kAvx512, Bf16Units::kNone, Int8Units::kAmx}),
                         [](const auto& info) {
                           std::string name = int8_name(info.param);
                           for (char& c : name)
                             if (!std::isalnum(c)) c = '_';
                           return name;
                         });

}  // namespace
}  // namespace suiren::cpu
