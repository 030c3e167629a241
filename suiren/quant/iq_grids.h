#pragma once
// Codebooks of the iq formats: small integers that stand eight or four at a time behind one index, and their
// signs.

#include <array>
#include <cstddef>
#include <cstdint>

#include "suiren/quant/iq_points.h"

namespace suiren::quant {
namespace grids {

/// Points x Size bytes from packed indices of `Bits` bits into the levels.
template <size_t Size, int Bits, size_t Levels, size_t Points>
constexpr auto unpack(const std::array<uint8_t, Levels>& levels, const std::array<uint16_t, Points>& points) {
  std::array<std::array<uint8_t, Size>, Points> grid{};
  for (size_t p = 0; p < Points; ++p)
    for (size_t i = 0; i < Size; ++i) grid[p][i] = levels[points[p] >> (Bits * i) & ((1 << Bits) - 1)];
  return grid;
}

}  // namespace grids

inline constexpr auto kIq2XxsGrid = grids::unpack<8, 2>(kIq2XxsLevels, kIq2XxsPoints);
inline constexpr auto kIq2XsGrid = grids::unpack<8, 2>(kIq2XsLevels, kIq2XsPoints);
inline constexpr auto kIq3XxsGrid = grids::unpack<4, 3>(kIq3XxsLevels, kIq3XxsPoints);

/// The values of the 16 codes of iq4_nl and iq4_xs.
inline constexpr std::array<int8_t, 16> kIq4Values = {-127, -104, -83, -65, -49, -35, -22, -10,
                                                      1,    13,   25,  38,  53,  69,  89,  113};
/// Twice the values of the 16 codes of mxfp4: sign, two exponent bits, one of mantissa (OCP MX 1.0,
/// section 5.3.3).
inline constexpr std::array<int8_t, 16> kMxfp4Values = {0, 1,  2,  3,  4,  6,  8,  12,
                                                        0, -1, -2, -3, -4, -6, -8, -12};

/// Signs of eight elements (a set bit: negative) from the seven that are stored: their number is even.
constexpr uint8_t even_signs(uint32_t seven) {
  uint32_t parity = seven ^ seven >> 4;
  parity ^= parity >> 2;
  parity ^= parity >> 1;
  return static_cast<uint8_t>(seven | (parity & 1) << 7);
}

}  // namespace suiren::quant
