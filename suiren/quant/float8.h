#pragma once
// The two 8-bit floats of Micikevicius et al. 2022, "FP8 formats for deep learning". Conversion rounds to
// nearest even and keeps subnormals; what is too large becomes infinity, or NaN where there is no infinity,
// as in PyTorch.

#include <bit>
#include <cstdint>

namespace suiren::quant {

/// A float with `Mantissa` mantissa bits below 7 - `Mantissa` exponent bits. Finite: the largest exponent
/// holds numbers too, only an exponent and mantissa of all ones is NaN, and there is no infinity.
template <int Mantissa, bool Finite>
struct Float8 {
  uint8_t bits = 0;
  Float8() = default;
  constexpr explicit Float8(float x) {
    const uint32_t u = std::bit_cast<uint32_t>(x), a = u & 0x7fffffff;
    bits = static_cast<uint8_t>((u >> 24 & 0x80) | magnitude(a));
  }
  constexpr operator float() const {
    const int e = (bits & 0x7f) >> Mantissa, m = bits & kMask;
    const uint32_t sign = static_cast<uint32_t>(bits & 0x80) << 24;
    if (Finite ? (bits & 0x7f) == 0x7f : e == kMaxExponent)  // m is 0 for infinity alone
      return std::bit_cast<float>(sign | 0x7f800000 | static_cast<uint32_t>(m) << kDropped);
    if (e == 0) {
      const float small =
          static_cast<float>(m) * std::bit_cast<float>(static_cast<uint32_t>(128 - kBias - Mantissa) << 23);
      return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(small));
    }
    return std::bit_cast<float>(sign | static_cast<uint32_t>(e + 127 - kBias) << 23 |
                                static_cast<uint32_t>(m) << kDropped);
  }

 private:
  static constexpr int kMask = (1 << Mantissa) - 1, kMaxExponent = 127 >> Mantissa, kBias = kMaxExponent / 2;
  static constexpr int kDropped = 23 - Mantissa;
  static constexpr uint32_t kOverflow = Finite ? 0x7f : kMaxExponent << Mantissa;  // NaN, or infinity

  /// `a`: the bits of |x|.
  static constexpr uint32_t magnitude(uint32_t a) {
    if (a > 0x7f800000) return 0x7f;
    const int e = static_cast<int>(a >> 23) - 127 + kBias;
    const int drop = kDropped + (e < 1 ? 1 - e : 0);  // subnormals lose more of the mantissa
    if (drop > 25) return 0;
    const uint32_t m = (a & 0x7fffff) | 0x800000;
    const uint32_t kept = (m >> drop) + (e < 1 ? 0 : static_cast<uint32_t>(e - 1) << Mantissa);
    const uint32_t rest = m & ((1u << drop) - 1), half = 1u << (drop - 1);
    const uint32_t rounded = kept + (rest > half || (rest == half && (kept & 1)));
    return rounded < kOverflow ? rounded : kOverflow;
  }
};

/// 4 exponent bits, 3 of mantissa; largest 448; no infinity. safetensors' F8_E4M3.
using float8_e4m3 = Float8<3, true>;
/// 5 exponent bits, 2 of mantissa; largest 57344; infinity and NaN as IEEE. safetensors' F8_E5M2.
using float8_e5m2 = Float8<2, false>;

}  // namespace suiren::quant
