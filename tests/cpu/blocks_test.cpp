// Products with matrices in blocks beside sums in f64, at every ISA level of this machine.

#include "backends/cpu/blocks/product.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "suiren/base/threads.h"
#include "suiren/quant/dequantize.h"

namespace suiren::cpu {
namespace {

constexpr DType kFormats[] = {kQ8_0, kQ4_0, kQ4_1,   kQ5_0,   kQ5_1,    kQ2_K,   kQ3_K,    kQ4_K,
                              kQ5_K, kQ6_K, kIQ4_NL, kIQ4_XS, kIQ2_XXS, kIQ2_XS, kIQ3_XXS, kMXFP4};
static_assert(std::size(kFormats) == DType::kBlockCount);

// Where the f16 scales of a block stand: -1 for none.
struct HalvesAt {
  int first, second;
};
HalvesAt halves_of(DType d) {
  switch (d.id()) {
    case DType::kQ4_1:
    case DType::kQ5_1:
    case DType::kQ4_K:
    case DType::kQ5_K:
      return {0, 2};
    case DType::kQ2_K:
      return {80, 82};
    case DType::kQ3_K:
      return {108, -1};
    case DType::kQ6_K:
      return {208, -1};
    case DType::kMXFP4:
      return {-1, -1};
    default:
      return {0, -1};
  }
}

// Blocks of random bits, their scales between 0.01 and 0.1 in magnitude.
struct Weight {
  DType format;
  int64_t rows, depth;
  std::vector<uint8_t> bytes;
  std::vector<float> values;
  Weight(DType f, int64_t n, int64_t k, uint32_t seed) : format(f), rows(n), depth(k) {
    std::mt19937 random(seed);
    bytes.resize(static_cast<size_t>(f.bytes(n * k)));
    for (uint8_t& b : bytes) b = static_cast<uint8_t>(random());
    const auto size = static_cast<size_t>(f.block_bytes());
    std::uniform_real_distribution<float> scale(0.01f, 0.1f);
    for (size_t at = 0; at < bytes.size(); at += size) {
      for (const int place : {halves_of(f).first, halves_of(f).second}) {
        const float16 half(random() % 2 ? scale(random) : -scale(random));
        if (place >= 0) std::memcpy(&bytes[at + static_cast<size_t>(place)], &half, 2);
      }
      if (f == kMXFP4) bytes[at] = static_cast<uint8_t>(120 + random() % 8);
    }
    values.resize(static_cast<size_t>(n * k));
    quant::dequantize(*quant::BlockFormat::of(f), bytes, values);
  }
};

std::vector<float> activations(int64_t rows, int64_t depth, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> x(static_cast<size_t>(rows * depth));
  for (float& v : x) v = normal(random);
  for (int64_t i = 0; i < std::min<int64_t>(32, depth); ++i)
    x[static_cast<size_t>(i)] = 0;  // a block of zeros
  return x;
}

std::vector<BlockLevel> levels() {
  std::vector<BlockLevel> list;
  for (int i = 0; i <= static_cast<int>(block_level()); ++i) list.push_back(static_cast<BlockLevel>(i));
  return list;
}

std::vector<float> product(const std::vector<float>& x, int64_t rows, const Weight& w, BlockLevel level) {
  std::vector<float> y(static_cast<size_t>(rows * w.rows), NAN);
  block_product({x.data(), rows, w.depth, w.depth, w.bytes.data(), w.format, w.rows, y.data()}, level);
  return y;
}

// x rounded in blocks of 32, in f64 but for the scales, which the definition forms in f32.
std::vector<double> rounded(const std::vector<float>& x) {
  std::vector<double> r(x.size());
  for (size_t b = 0; b < x.size(); b += 32) {
    float most = 0;
    for (size_t i = 0; i < 32; ++i) most = std::max(most, std::fabs(x[b + i]));
    if (most == 0) continue;
    const float inverse = 127 / most, d = most / 127;
    for (size_t i = 0; i < 32; ++i) r[b + i] = static_cast<double>(d) * std::nearbyint(x[b + i] * inverse);
  }
  return r;
}

void check(DType format, int64_t rows, int64_t outputs, int64_t depth) {
  const Weight w(format, outputs, depth, 3);
  const std::vector<float> x = activations(rows, depth, 5);
  const std::vector<double> r = rounded(x);
  for (const BlockLevel level : levels()) {
    const std::vector<float> y = product(x, rows, w, level);
    for (int64_t m = 0; m < rows; ++m)
      for (int64_t n = 0; n < outputs; ++n) {
        double sum = 0, size = 0;
        for (int64_t k = 0; k < depth; ++k) {
          const double part = r[static_cast<size_t>(m * depth + k)] *
                              static_cast<double>(w.values[static_cast<size_t>(n * depth + k)]);
          sum += part, size += std::fabs(part);
        }
        // Groups of 16 or 32 are exact; scale and offset of one may cancel where the product does not.
        ASSERT_NEAR(y[static_cast<size_t>(m * outputs + n)], sum, 4e-6 * size + 1e-5)
            << format.name() << " level " << static_cast<int>(level) << " at " << m << "," << n << " of "
            << rows << " x " << outputs << " x " << depth;
      }
  }
}

TEST(Blocks, ProductsAreThoseOfTheNumbersThatBlocksStandFor) {
  for (const DType f : kFormats) {
    const int64_t unit = f.block_elements();
    for (const auto& [rows, outputs, depth] : {std::tuple{1, 1, 1},
                                               {1, 16, 2},
                                               {1, 33, 5},
                                               {2, 17, 1},
                                               {3, 5, 3},
                                               {12, 16, 1},
                                               {13, 31, 2},
                                               {25, 40, 4}})
      check(f, rows, outputs, depth * unit);
    check(f, 1, 20, 1024 + 2 * unit);  // over a chunk
    check(f, 5, 20, 2048 + unit);
  }
}

TEST(Blocks, EachRowHasTheBitsItHasAloneWithAnyThreads) {
  const int before = thread_count();
  for (const DType f : kFormats)
    for (const BlockLevel level : levels()) {
      const int64_t depth = 1024 + f.block_elements(), rows = 27, outputs = 70;
      const Weight w(f, outputs, depth, 7);
      const std::vector<float> x = activations(rows, depth, 9), all = product(x, rows, w, level);
      for (const int threads : {1, 2, 5}) {
        set_thread_count(threads);
        ASSERT_EQ(product(x, rows, w, level), all) << f.name() << " threads " << threads;
      }
      set_thread_count(before);
      for (int64_t m = 0; m < rows; ++m) {
        const std::vector<float> one(x.begin() + m * depth, x.begin() + (m + 1) * depth);
        const std::vector<float> y = product(one, 1, w, level);
        ASSERT_TRUE(std::equal(y.begin(), y.end(), all.begin() + m * outputs))
            << f.name() << " level " << static_cast<int>(level) << " row " << m;
      }
    }
}

TEST(Blocks, LevelsWithFusedMultiplyAddGiveTheSameBits) {
  if (block_level() != BlockLevel::kAvx512Vnni) GTEST_SKIP() << "needs AVX512_VNNI";
  for (const DType f : kFormats) {
    const int64_t depth = 2 * f.block_elements();
    const Weight w(f, 37, depth, 11);
    const std::vector<float> x = activations(14, depth, 13);
    EXPECT_EQ(product(x, 14, w, BlockLevel::kAvx512Vnni), product(x, 14, w, BlockLevel::kAvx2)) << f.name();
  }
}

TEST(Blocks, WhatIsNoNumberMakesItsRowNoNumberAndNoOther) {
  for (const BlockLevel level : levels())
    for (const float wrong : {INFINITY, -INFINITY, NAN}) {
      const Weight w(kQ4_0, 18, 96, 1);
      std::vector<float> x = activations(3, 96, 2);
      const std::vector<float> whole = product(x, 3, w, level);
      x[96 + 40] = wrong;
      const std::vector<float> y = product(x, 3, w, level);
      for (size_t i = 0; i < y.size(); ++i) {
        if (i / 18 == 1)
          EXPECT_TRUE(std::isnan(y[i])) << i;
        else
          EXPECT_EQ(y[i], whole[i]) << i;
      }
    }
}

// The largest magnitudes at the largest codes: no sum of a group leaves its integers.
TEST(Blocks, TheLargestCodesAreExact) {
  for (const BlockLevel level : levels()) {
    Weight w(kQ8_0, 16, 64, 1);
    const float16 one(1);
    for (size_t at = 0; at < w.bytes.size(); at += 34) {
      std::memcpy(&w.bytes[at], &one, 2);
      std::memset(&w.bytes[at + 2], 0x80, 32);  // -128
    }
    for (const float x : {127.0f, -127.0f}) {
      const std::vector<float> y = product(std::vector<float>(128, x), 2, w, level);
      for (const float v : y) EXPECT_EQ(v, -128 * x * 64);
    }
  }
}

}  // namespace
}  // namespace suiren::cpu
