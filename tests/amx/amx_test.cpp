// The AMX kernels under the driver, packing and contract of every other level, on emulated tiles.

#include <gtest/gtest.h>

#include "tests/cpu/gemm_contract.h"
#include "tests/cpu/gemm_int8_check.h"

namespace suiren::cpu {
namespace {

class Amx : public testing::Test {
 protected:
  void SetUp() override {
    if (isa() != Isa::kAvx512 || bf16_units() == Bf16Units::kNone) GTEST_SKIP() << "needs AVX512_BF16";
  }
  const GemmLevel level_{Isa::kAvx512, Bf16Units::kAmx};
};

TEST_F(Amx, KeepsTheContractInEveryLayout) {
  for (Layout la : {Layout::kRows, Layout::kColumns, Layout::kRowsPadded, Layout::kScattered})
    for (Layout lb : {Layout::kRows, Layout::kColumns, Layout::kRowsPadded, Layout::kScattered})
      for (bool accumulate : {false, true})
        for (bool packed : {false, true}) {
          check<bfloat16>({37, 35, 301}, la, lb, accumulate, packed, level_);
          check<bfloat16, float>({9, 70, 30}, la, lb, accumulate, packed, level_);
          ASSERT_FALSE(HasFatalFailure());
        }
}

TEST_F(Amx, KeepsTheContractAroundItsTiles) {
  for (int64_t m : {1, 2, 15, 16, 17, 31, 32, 33, 64, 65})
    for (int64_t n : {1, 15, 16, 17, 31, 32, 33, 65})
      for (int64_t k : {1, 2, 31, 32, 33, 64})
        for (Layout la : {Layout::kRows, Layout::kColumns}) {
          check<bfloat16>({m, n, k}, la, Layout::kRows, false, (m + n + k) % 2 == 0, level_);
          ASSERT_FALSE(HasFatalFailure());
        }
}

TEST_F(Amx, KeepsTheContractAcrossBlocks) {
  check<bfloat16>({300, 70, 515}, Layout::kRows, Layout::kColumns, false, false, level_, 17);
  check<bfloat16, float>({257, 1031, 257}, Layout::kColumns, Layout::kRows, true, false, level_, 61);
}

TEST_F(Amx, GivesARowTheSameBitsAloneAndInABatch) {
  const Matrix<bfloat16> a(70, 300, Layout::kRows, 3), b(300, 45, Layout::kColumns, 4);
  std::vector<bfloat16> whole(70 * 45), part(3 * 45);
  gemm(a.view, b.view, whole.data(), 45, {.level = level_});
  gemm<bfloat16>({a.view.data + 40 * 300, 3, 300, 300, 1}, b.view, part.data(), 45, {.level = level_});
  EXPECT_EQ(std::memcmp(&whole[40 * 45], part.data(), part.size() * 2), 0);
}

TEST_F(Amx, CarriesNanAndInfinity) { check_special_values<bfloat16>(level_); }

class AmxInt8 : public testing::Test {
 protected:
  void SetUp() override {
    if (int8_units() == Int8Units::kNone) GTEST_SKIP() << "needs AVX512_VNNI";
  }
  const GemmLevel level_{Isa::kAvx512, Bf16Units::kNone, Int8Units::kAmx};
};

TEST_F(AmxInt8, IsExactAroundItsTiles) {
  check_int8_lattice({1, 2, 15, 16, 17, 31, 32, 33, 65}, {1, 15, 16, 17, 31, 32, 33, 65},
                     {1, 3, 4, 63, 64, 65, 128}, level_);
}

TEST_F(AmxInt8, IsExactAcrossBlocks) {
  for (Layout la : {Layout::kRows, Layout::kColumns, Layout::kScattered})
    for (Layout lb : {Layout::kRows, Layout::kColumns, Layout::kScattered})
      for (bool accumulate : {false, true}) {
        check_int8({300, 70, 515}, la, lb, accumulate, level_);
        ASSERT_FALSE(HasFatalFailure());
      }
}

}  // namespace
}  // namespace suiren::cpu
