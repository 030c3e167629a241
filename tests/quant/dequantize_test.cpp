#include "suiren/quant/dequantize.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "suiren/base/error.h"
#include "suiren/io/arrays.h"
#include "suiren/quant/float8.h"

namespace suiren::quant {
namespace {

template <class T>
std::vector<T> elements(const Tensor& t) {
  const std::vector<uint8_t> bytes = t.to_bytes();
  std::vector<T> out(bytes.size() / sizeof(T));
  std::memcpy(out.data(), bytes.data(), bytes.size());
  return out;
}

/// Equal bits; NaN equals NaN whatever its payload, which the formats give no meaning.
void expect_same(const std::vector<float>& got, const std::vector<float>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i)
    ASSERT_TRUE(std::bit_cast<uint32_t>(got[i]) == std::bit_cast<uint32_t>(want[i]) ||
                (std::isnan(got[i]) && std::isnan(want[i])))
        << "element " << i << ": " << got[i] << ", expected " << want[i];
}

TEST(Dequantize, EveryFormatEqualsItsReferenceInEveryBit) {
  const auto golden = io::load_npz("tests/golden/quant/dequantize.npz");
  int formats = 0, nan = 0, infinite = 0;
  for (int id = 0; id < BlockFormat::kCount; ++id) {
    const BlockFormat format(static_cast<BlockFormat::Id>(id));
    if (!format.is_dequantizable()) continue;
    SCOPED_TRACE(format.name());
    const auto bytes = elements<uint8_t>(golden.at(fmt::format("{}.bytes", format)));
    const auto want = elements<float>(golden.at(fmt::format("{}.values", format)));
    std::vector<float> got(want.size(), 12345.0f);
    dequantize(format, bytes, got);
    expect_same(got, want);
    for (float v : got) nan += std::isnan(v), infinite += std::isinf(v);
    ++formats;
  }
  EXPECT_EQ(formats, 21);
  EXPECT_GT(nan, 100);
  EXPECT_GT(infinite, 100);
}

TEST(Dequantize, RefusesPartsOfBlocksAndIntegers) {
  std::vector<uint8_t> bytes(144);
  std::vector<float> out(256);
  dequantize(BlockFormat::kQ4_K, bytes, out);
  dequantize(BlockFormat::kQ4_K, {}, {});
  EXPECT_THROW(dequantize(BlockFormat::kQ4_K, std::span(bytes).first(143), out), Error);
  EXPECT_THROW(dequantize(BlockFormat::kQ4_K, bytes, std::span(out).first(255)), Error);
  EXPECT_THROW(dequantize(BlockFormat::kI32, bytes, std::span(out).first(36)), Error);
}

TEST(BlockFormat, NamesAndNumbersLeadBack) {
  for (int id = 0; id < BlockFormat::kCount; ++id) {
    const BlockFormat format(static_cast<BlockFormat::Id>(id));
    EXPECT_EQ(BlockFormat::parse(format.name()), format);
    if (format.gguf_type() < 0) continue;
    EXPECT_EQ(BlockFormat::from_gguf_type(static_cast<uint32_t>(format.gguf_type())), format);
  }
  EXPECT_EQ(BlockFormat::parse("q4"), std::nullopt);
  EXPECT_EQ(BlockFormat::from_gguf_type(4), std::nullopt);  // q4_2, long gone
  EXPECT_EQ(BlockFormat::from_gguf_type(0xffffffff), std::nullopt);
  EXPECT_EQ(BlockFormat(BlockFormat::kQ6_K).bytes(512), 420);
}

/// The code whose value is nearest to x, the even one of two, by trying all; `overflow` from half a step past
/// the largest.
template <class F>
uint8_t nearest_code(float x, double limit, uint8_t overflow) {
  if (std::isnan(x)) return 0x7f;
  const uint8_t sign = std::signbit(x) ? 0x80 : 0;
  const double a = std::fabs(static_cast<double>(x));
  if (a > limit) return sign | overflow;
  int best = 0;
  for (int code = 0; code < 0x7f; ++code) {
    const double value = F(std::bit_cast<F>(static_cast<uint8_t>(code)));
    const double near = std::fabs(F(std::bit_cast<F>(static_cast<uint8_t>(best))) - a);
    if (!std::isfinite(value)) continue;
    if (std::fabs(value - a) < near || (std::fabs(value - a) == near && code % 2 == 0)) best = code;
  }
  return static_cast<uint8_t>(sign | best);
}

template <class F>
void check_rounding(double limit, uint8_t overflow) {
  for (uint32_t high = 0; high < 0x10000; ++high)  // every bf16 and its neighbours in f32
    for (uint32_t low : {0u, 1u, 0xffffu}) {
      const float x = std::bit_cast<float>(high << 16 | low);
      const uint8_t want = nearest_code<F>(x, limit, overflow), got = F(x).bits;
      if (std::isnan(x))
        ASSERT_TRUE(std::isnan(static_cast<float>(F(x)))) << std::hex << high;
      else
        ASSERT_EQ(got, want) << std::hex << high << " " << low << " " << x;
    }
}

TEST(Float8, RoundsToTheNearestAndTiesToEven) {
  check_rounding<float8_e4m3>(464, 0x7f);                           // 448 and half a step; NaN beyond
  check_rounding<float8_e5m2>(std::nextafter(61440.0, 0.0), 0x7c);  // that of 57344: its tie goes to infinity
}

TEST(Float8, EveryValueLeadsBack) {
  for (int code = 0; code < 256; ++code) {
    const auto a = std::bit_cast<float8_e4m3>(static_cast<uint8_t>(code));
    const auto b = std::bit_cast<float8_e5m2>(static_cast<uint8_t>(code));
    EXPECT_TRUE(std::isnan(a) || float8_e4m3(a).bits == code) << code;
    EXPECT_TRUE(std::isnan(b) || float8_e5m2(b).bits == code) << code;
  }
}

}  // namespace
}  // namespace suiren::quant
