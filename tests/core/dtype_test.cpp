// Halves: bit for bit against tables, and every value against rounding done in exact arithmetic.

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "suiren/base/dtype.h"
#include "suiren/core/host_array.h"

namespace suiren {
namespace {

struct Row {
  float value;
  uint16_t bits;
};

TEST(BFloat16, RoundsAsTheTable) {
  const Row table[] = {
      {0.0f, 0x0000},        {-0.0f, 0x8000},       {1.0f, 0x3f80},
      {-2.0f, 0xc000},       {3.140625f, 0x4049},   {1.00390625f, 0x3f80},  // half way, down to even
      {1.01171875f, 0x3f82},                                                // half way, up to even
      {1.00390637f, 0x3f81},                                                // just above half way
      {0x1.fep127f, 0x7f7f}, {0x1.ffp127f, 0x7f80},                         // largest; rounds to infinity
      {0x1p-126f, 0x0080},   {0x1p-133f, 0x0001},   {0x1p-134f, 0x0000},    // subnormals
      {0x1.8p-134f, 0x0001}, {INFINITY, 0x7f80},    {-INFINITY, 0xff80},
  };
  for (const Row& r : table) EXPECT_EQ(bfloat16(r.value).bits, r.bits) << r.value;
}

TEST(Float16, RoundsAsTheTable) {
  const Row table[] = {
      {0.0f, 0x0000},           {-0.0f, 0x8000},      {1.0f, 0x3c00},
      {-1.5f, 0xbe00},          {65504.0f, 0x7bff},    // largest
      {65519.0f, 0x7bff},                              // below half way to the next
      {65520.0f, 0x7c00},                              // half way: infinity
      {1.00048828125f, 0x3c00},                        // half way, down to even
      {1.00146484375f, 0x3c02},                        // half way, up to even
      {0x1p-14f, 0x0400},                              // smallest normal
      {0x1p-24f, 0x0001},                              // smallest subnormal
      {0x1p-25f, 0x0000},                              // half of it: to even
      {0x1.8p-25f, 0x0001},     {0x1.8p-24f, 0x0002},  // half way between 1 and 2: to even
      {0x1.ff8p-15f, 0x03ff},                          // largest subnormal
      {0x1.ffep-15f, 0x0400},                          // rounds up into the normals
      {1e-10f, 0x0000},         {INFINITY, 0x7c00},   {-INFINITY, 0xfc00},
  };
  for (const Row& r : table) EXPECT_EQ(float16(r.value).bits, r.bits) << r.value;
}

template <class H>
bool is_nan(uint16_t bits) {
  return std::is_same_v<H, bfloat16> ? (bits & 0x7fff) > 0x7f80 : (bits & 0x7fff) > 0x7c00;
}

template <class H>
H from_bits(uint16_t bits) {
  H h;
  h.bits = bits;
  return h;
}

template <class H>
class Halves : public testing::Test {};
using Both = testing::Types<bfloat16, float16>;
TYPED_TEST_SUITE(Halves, Both);

TYPED_TEST(Halves, AllRoundTrip) {
  int nans = 0;
  for (uint32_t b = 0; b < 65536; ++b) {
    const auto bits = static_cast<uint16_t>(b);
    const float f = from_bits<TypeParam>(bits);
    if (is_nan<TypeParam>(bits)) {
      ++nans;
      EXPECT_TRUE(std::isnan(f)) << bits;
      EXPECT_TRUE(is_nan<TypeParam>(TypeParam(f).bits)) << bits;
    } else {
      EXPECT_EQ(TypeParam(f).bits, bits);
    }
  }
  EXPECT_EQ(nans, (std::is_same_v<TypeParam, bfloat16> ? 2 * 127 : 2 * 1023));
}

// Between two neighbours: below the middle goes down, above goes up, the middle goes to the even one.
TYPED_TEST(Halves, RoundToNearestEven) {
  const uint16_t infinity = std::is_same_v<TypeParam, bfloat16> ? 0x7f80 : 0x7c00;
  for (uint16_t b = 0; b + 1 < infinity; ++b) {
    const float low = from_bits<TypeParam>(b), high = from_bits<TypeParam>(static_cast<uint16_t>(b + 1));
    const auto middle = static_cast<float>((static_cast<double>(low) + high) / 2);
    if (static_cast<double>(middle) != (static_cast<double>(low) + high) / 2) continue;  // below f32's grid
    const auto even = static_cast<uint16_t>(b & 1 ? b + 1 : b);
    ASSERT_EQ(TypeParam(middle).bits, even) << b;
    ASSERT_EQ(TypeParam(std::nextafter(middle, low)).bits, b) << b;
    ASSERT_EQ(TypeParam(std::nextafter(middle, high)).bits, b + 1) << b;
    ASSERT_EQ(TypeParam(-middle).bits, even | 0x8000) << b;
  }
}

// A wide value just above the middle of two halves rounds to the middle in f32; rounding twice would lose it.
TEST(HostArrays, RoundOnce) {
  const Wide above = 1.00048828125L + 0x1p-40L, below = 1.00146484375L - 0x1p-40L;
  const HostArray a{kF16, {4}, {above, below, -above, -below}};
  const HostArray r = to_host_array(from_host_array(a, Device()));
  EXPECT_EQ(r[0], 1.0009765625L);
  EXPECT_EQ(r[1], 1.0009765625L);
  EXPECT_EQ(r[2], -1.0009765625L);
  EXPECT_EQ(r[3], -1.0009765625L);
  const HostArray b{kBF16, {1}, {1.00390625L + 0x1p-40L}};
  EXPECT_EQ(to_host_array(from_host_array(b, Device()))[0], 1.0078125L);
}

TEST(HostArrays, KeepEveryInteger) {
  const Wide values[] = {0, 1, -1, 9223372036854775807.0L, -9223372036854775808.0L, 4611686018427387905.0L};
  for (Wide v : values) {
    const HostArray a{kI64, {1}, {v}};
    EXPECT_EQ(to_host_array(from_host_array(a, Device()))[0], v);
  }
}

TEST(HostArrays, WrapIntegersAndKeepClasses) {
  const auto one = [](DType d, Wide v) { return to_host_array(from_host_array({d, {1}, {v}}, Device()))[0]; };
  EXPECT_EQ(one(kI8, 130), -126);
  EXPECT_EQ(one(kU8, -1), 255);
  EXPECT_EQ(one(kI16, 40000), -25536);
  EXPECT_EQ(one(kI32, 2147483648.0L), -2147483648.0L);
  EXPECT_EQ(one(kI32, -2.9L), -2);
  EXPECT_EQ(one(kBool, 3), 1);
  EXPECT_TRUE(std::isnan(one(kF16, NAN)));
  EXPECT_EQ(one(kF16, 1e6L), INFINITY);
  EXPECT_EQ(one(kBF16, -1e39L), -INFINITY);
  EXPECT_EQ(one(kF32, 1e39L), INFINITY);
  EXPECT_TRUE(std::signbit(one(kF32, -0.0L)));
}

TEST(DTypes, HaveNamesAndSizes) {
  const int64_t sizes[] = {8, 4, 2, 2, 1, 1, 2, 4, 8, 1};
  for (int i = 0; i < DType::kCount; ++i) {
    const DType d = static_cast<DType::Id>(i);
    EXPECT_EQ(DType::parse(d.name()), d);
    EXPECT_EQ(d.size(), sizes[i]);
    visit_dtype(d, [&]<class T>() { EXPECT_EQ(dtype_of<T>, d); });
  }
  EXPECT_FALSE(DType::parse("float32"));
  EXPECT_EQ(accumulator(kBF16), kF32);
  EXPECT_EQ(accumulator(kF64), kF64);
  EXPECT_EQ(accumulator(kI8), kI64);
}

}  // namespace
}  // namespace suiren
