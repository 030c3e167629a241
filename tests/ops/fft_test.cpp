// Transforms of lengths of every kind against sums in f64, and back.

#include "suiren/ops/fft/fft.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "suiren/core/op.h"
#include "suiren/ops/random/random.h"

namespace suiren {
namespace {

// Each radix alone and mixed, odd and even, primes, one more and one less than a power of two.
constexpr int64_t kLengths[] = {1,   2,   3,   4,   5,   6,   7,   8,    9,    10,   16,   17,  25,
                                27,  30,  31,  32,  33,  49,  60,  64,   77,   96,   97,   100, 120,
                                125, 127, 128, 240, 243, 251, 256, 1000, 1021, 1024, 2187, 3125};

double error_of_bin(const HostArray& x, const HostArray& y, int64_t n, int64_t row, int64_t k) {
  double re = 0, im = 0;
  for (int64_t t = 0; t < n; ++t) {
    const double angle = -2 * std::numbers::pi * static_cast<double>(t * k % n) / static_cast<double>(n);
    re += static_cast<double>(x[row * n + t]) * std::cos(angle);
    im += static_cast<double>(x[row * n + t]) * std::sin(angle);
  }
  const int64_t at = (row * (n / 2 + 1) + k) * 2;
  return std::hypot(static_cast<double>(y[at]) - re, static_cast<double>(y[at + 1]) - im);
}

TEST(Fft, OfAnyLengthEqualsTheSumAndComesBack) {
  for (DType d : {kF64, kF32})
    for (int64_t n : kLengths) {
      SCOPED_TRACE(fmt::format("{} of length {}", d, n));
      const double unit = (d == kF64 ? 1e-15 : 5e-7) * std::sqrt(static_cast<double>(n));
      const Tensor x = normal({3, n}, 0, 1, 9, static_cast<uint64_t>(n), d), y = rfft(x);
      const HostArray in = to_host_array(x), bins = to_host_array(y), back = to_host_array(irfft(y, n));
      for (int64_t row = 0; row < 3; ++row)
        for (int64_t k = 0; k <= n / 2; k += n > 300 ? 37 : 1)
          ASSERT_LT(error_of_bin(in, bins, n, row, k), 20 * unit) << "row " << row << ", bin " << k;
      for (int64_t i = 0; i < in.numel(); ++i)
        ASSERT_NEAR(static_cast<double>(back[i]), static_cast<double>(in[i]), 20 * unit) << "element " << i;
    }
}

TEST(Fft, CutsAndPads) {
  const Tensor x = normal({2, 6}, 0, 1, 9, 1, kF64);
  EXPECT_EQ(rfft(x, 4).shape(), (Shape{2, 3, 2}));
  EXPECT_EQ(rfft(x, 9).shape(), (Shape{2, 5, 2}));
  EXPECT_EQ(irfft(rfft(x)).shape(), (Shape{2, 6}));
  const HostArray in = to_host_array(x), back = to_host_array(irfft(rfft(x, 9), 9));
  for (int64_t row = 0; row < 2; ++row)
    for (int64_t t = 0; t < 9; ++t)
      EXPECT_NEAR(static_cast<double>(back[row * 9 + t]), t < 6 ? static_cast<double>(in[row * 6 + t]) : 0,
                  1e-14);
}

}  // namespace
}  // namespace suiren
