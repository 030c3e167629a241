#pragma once
// Philox 4x32-10, a counter-based random generator (Salmon, Moraes, Dror & Shaw 2011, section 4.3).
// A number is a pure function of (key, counter): no state, so no order of calls and no thread can change it.

#include <array>
#include <cmath>
#include <cstdint>

namespace suiren {

/// Four random 32-bit words for a 64-bit key (seed) and a 128-bit counter (stream, index).
constexpr std::array<uint32_t, 4> philox(uint64_t seed, uint64_t stream, uint64_t index) {
  std::array<uint32_t, 4> c{static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32),
                            static_cast<uint32_t>(stream), static_cast<uint32_t>(stream >> 32)};
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53} * c[0], p1 = uint64_t{0xCD9E8D57} * c[2];
    c = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ k0, static_cast<uint32_t>(p1),
         static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ k1, static_cast<uint32_t>(p0)};
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  return c;
}

/// A uniform double in [0, 1) with 53 random bits.
constexpr double philox_uniform(uint64_t seed, uint64_t stream, uint64_t index) {
  const auto w = philox(seed, stream, index);
  return static_cast<double>((uint64_t{w[0]} << 21) ^ (w[1] >> 11)) * 0x1p-53;
}

/// A standard normal by Box and Muller: element `index` of stream `stream`.
inline double philox_normal(uint64_t seed, uint64_t stream, uint64_t index) {
  const auto w = philox(seed, stream, index);
  const double u = (static_cast<double>((uint64_t{w[0]} << 21) ^ (w[1] >> 11)) + 1) * 0x1p-53;  // (0, 1]
  const double v = static_cast<double>((uint64_t{w[2]} << 21) ^ (w[3] >> 11)) * 0x1p-53;
  return std::sqrt(-2 * std::log(u)) * std::cos(6.283185307179586 * v);
}

}  // namespace suiren
