#pragma once
// Where the numbers of a block stand: the layouts of the block formats of GGUF, each stated once. Decoding
// (dequantize.h) and the products of every chip that computes here read blocks through these.
//
// Element e of a block, of group g = e / kGroup, is  scale[g] (code[e] - kZero) + offset[g];  codes are below
// kCodes, and formats without kOffsets have no offset. Scales are products of an f16 and a small integer,
// exact in f32.
//
// The steps over bytes are those of an `Isa`, so that each CPU takes them with its own instructions;
// ScalarIsa says what they mean.

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include "suiren/base/dtype.h"
#include "suiren/quant/iq_grids.h"

/// Inlined wherever it is called, so that it is compiled for the instructions of its caller.
#define SUIREN_UNPACK inline __attribute__((always_inline))

namespace suiren::quant {

static_assert(std::endian::native == std::endian::little, "blocks are little-endian and are read in place");

/// Plain C++ for BlockLayout: what an Isa offers.
struct ScalarIsa {
  static float half(uint16_t bits) {  ///< an f16, widened
    float16 h;
    h.bits = bits;
    return h;
  }
  /// codes[i] = q[i] + 128 modulo 256, i < 32.
  static void from_signed(const uint8_t* q, uint8_t* codes) {
    for (int i = 0; i < 32; ++i) codes[i] = q[i] ^ 128;
  }
  /// The low four bits of q[i], i < n, then the high four: n is 16, 32 or 64.
  static void split(const uint8_t* q, int n, uint8_t* codes) {
    for (int i = 0; i < n; ++i) codes[i] = q[i] & 15;
    for (int i = 0; i < n; ++i) codes[n + i] = static_cast<uint8_t>(q[i] >> 4);
  }
  /// codes[32 s + i] |= bits 2 s, 2 s + 1 of q[i] << to, i < 32, s < 4.
  static void add_two_bits(const uint8_t* q, int to, uint8_t* codes) {
    for (int s = 0; s < 4; ++s)
      for (int i = 0; i < 32; ++i) codes[32 * s + i] |= static_cast<uint8_t>((q[i] >> (2 * s) & 3) << to);
  }
  /// codes[32 n + i] |= bit n of q[i] << to, i < 32, n < 8.
  static void add_bits(const uint8_t* q, int to, uint8_t* codes) {
    for (int n = 0; n < 8; ++n)
      for (int i = 0; i < 32; ++i) codes[32 * n + i] |= static_cast<uint8_t>((q[i] >> n & 1) << to);
  }
  /// codes[i] |= bit i of `high` << 4, i < 32.
  static void add_fifth_bits(uint32_t high, uint8_t* codes) {
    for (int i = 0; i < 32; ++i) codes[i] |= static_cast<uint8_t>((high >> i & 1) << 4);
  }
  /// Codes below 16 become table[code]; n is a multiple of 32.
  static void look_up(const std::array<uint8_t, 16>& table, uint8_t* codes, int n) {
    for (int i = 0; i < n; ++i) codes[i] = table[codes[i]];
  }
};

/// An e8m0 scale of mxfp4, halved: 2^(e - 128), since its codes stand for twice their value (kMxfp4Values).
/// As in the reference, 255 (NaN in OCP MX 1.0) is one more power of two.
SUIREN_UNPACK float mxfp4_scale(uint8_t e) {
  return std::bit_cast<float>(e < 2 ? 0x00200000u << e : static_cast<uint32_t>(e - 1) << 23);
}

/// Scale and minimum of sub-block `i` (0..7) from the 12 bytes in which q4_k and q5_k pack them, 6 bits each.
struct ScaleMin {
  uint8_t scale, min;
};
SUIREN_UNPACK ScaleMin unpack_scale_min(const uint8_t* p, int i) {
  const int j = i % 4;
  if (i < 4) return {static_cast<uint8_t>(p[j] & 63), static_cast<uint8_t>(p[4 + j] & 63)};
  return {static_cast<uint8_t>((p[8 + j] & 15) | (p[j] >> 6) << 4),
          static_cast<uint8_t>(p[8 + j] >> 4 | (p[4 + j] >> 6) << 4)};
}

/// Scale of sub-block `i` (0..15) from the 12 bytes in which q3_k packs them: -32..31.
SUIREN_UNPACK int unpack_scale_q3_k(const uint8_t* p, int i) {
  return ((p[i % 8] >> (i / 8 * 4) & 15) | (p[8 + i % 4] >> (i / 4 * 2) & 3) << 4) - 32;
}

namespace layouts {

template <class T>
SUIREN_UNPACK T load(const uint8_t* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}
template <class Isa>
SUIREN_UNPACK float half_at(const uint8_t* p) {
  return Isa::half(load<uint16_t>(p));
}

template <size_t N>
constexpr std::array<uint8_t, N> from_128(const std::array<int8_t, N>& values) {
  std::array<uint8_t, N> codes{};
  for (size_t i = 0; i < N; ++i) codes[i] = static_cast<uint8_t>(128 + values[i]);
  return codes;
}
inline constexpr auto kIq4Codes = from_128(kIq4Values), kMxfp4Codes = from_128(kMxfp4Values);

/// The seven stored signs of eight elements as bytes: 255 for a negative one.
inline constexpr auto kSignBytes = [] {
  std::array<uint64_t, 128> bytes{};
  for (uint32_t seven = 0; seven < 128; ++seven)
    for (int i = 0; i < 8; ++i)
      if (even_signs(seven) >> i & 1) bytes[seven] |= uint64_t{255} << (8 * i);
  return bytes;
}();
/// 128 + point or 128 - point, in each of eight bytes; points are below 128.
SUIREN_UNPACK uint64_t signed_points(uint64_t points, uint64_t signs) {
  return 0x8080808080808080u + (points & ~signs) - (points & signs);
}

}  // namespace layouts

template <DType::Id>
struct BlockLayout;

// In every comment: the fields of a block in order, with their bytes, and what an element is; halves are f16.
// unpack writes the scale of group g to scales[g step], its offset to offsets[g step].

/// d 2, q 32 signed: d q.
template <>
struct BlockLayout<DType::kQ8_0> {
  static constexpr int kGroup = 32, kZero = 128, kCodes = 256;
  static constexpr bool kOffsets = false;
  template <class Isa>
  static SUIREN_UNPACK void unpack(const uint8_t* b, uint8_t* codes, float* scales, float*, int64_t) {
    scales[0] = layouts::half_at<Isa>(b);
    Isa::from_signed(b + 2, codes);
  }
};

/// d 2, q 16, four bits each: bits 4 n .. of byte j are element 16 n + j: d (q - 8).
template <>
struct BlockLayout<DType::kQ4_0> {
  static constexpr int kGroup = 32, kZero = 8, kCodes = 16;
  static constexpr bool kOffsets = false;
  template <class Isa>
  static SUIREN_UNPACK void unpack(const uint8_t* b, uint8_t* codes, float* scales, float*, int64_t) {
    scales[0] = layouts::half_at<Isa>(b);
    Isa::split(b + 2, 16, codes);
  }
};

/// d 2, m 2, q 16: d q + m.
template <>
struct BlockLayout<DType::kQ4_1> {
  static constexpr int kGroup = 32, kZero = 0, kCodes = 16;
  static constexpr bool kOffsets = true;
  template <class Isa>
  static SUIREN_UNPACK void unpack(const uint8_t* b, uint8_t* codes, float* scales, float* offsets, int64_t) {
    scales[0] = layouts::half_at<Isa>(b), offsets[0] = layouts::half_at<Isa>(b + 2);
    Isa::split(b + 4, 16, codes);
  }
};

/// d 2, h 4: the fifth bits, q 16: d (q - 16).
template <>
struct BlockLayout<DType::kQ5_0> {
  static constexpr int kGroup = 32, kZero = 16, kCodes = 32;
  static constexpr bool kOffsets = false;
  template <class Isa>
  static SUIREN_UNPACK void unpack(const uint8_t* b, uint8_t* codes, float* scales, float*, int64_t) {
    scales[0] = layouts::half_at<Isa>(b);
    Isa::split(b + 6, 16, codes);
    Isa::add_fifth_bits(layouts::load<uint32_t>(b + 2), codes);
  }
};

/// d 2, m 2, h 4: the fifth bits, q 16: d q + m.
template <>
struct BlockLayout<DType::kQ5_1> {
  static constexpr int kGroup = 32, kZero = 0, kCodes = 32;
  static constexpr bool kOffsets = true;
  template <class Isa>
  static SUIREN_UNPACK void unpack(const uint8_t* b, uint8_t* codes, float* scales, float* offsets, int64_t) {
    scales[0] = layouts::half_at<Isa>(b), offsets[0] = layouts::half_at<Isa>(b + 2);
    Isa::split(b + 8, 16, codes);
    Isa::add_fifth_bits(layouts::load<uint32_t>(b + 4), codes);
  }
};

/// scales 16: scale and minimum of 16 elements each, 4 bits each; q 64: bits 2 s, 2 s + 1 of byte 32 h + l
/// are element 128 h + 32 s + l; d 2; m 2: d scale q - m min.
template <>
struct BlockLayout<DType::kQ2_K> {
  static constexpr int kGroup = 16, kZero = 0, kCodes = 4;
  static constexpr bool kOffsets = true;
  template <class Isa>
  static SUIREN_UNPACK void unpack(const uint8_t* b, uint8_t* codes, float* scales, float* offsets,
                                   int64_t step) {
    const float d = layouts::half_at<Isa>(b + 80), m = layouts::half_at<Isa>(b + 82);
    for (int g = 0; g < 16; ++g) {
      scales[g * step] = d * static_cast<float>(b[g] & 15);
      offsets[g * step] = -(m * static_cast<float>(b[g] >> 4));
    }
    std::memset(codes, 0, 256);
    for (int h = 0; h < 2; ++h) Isa::add_two_bits(b + 16 + 32 * h, 0, codes + 128 * h);
  }
};

/// h 32: bit e / 32 of byte e % 32, the third bit; q 64; scales 12, of 16 elements each; d 2: d scale (q -
/// 4).
template <>
struct BlockLayout<DType::kQ3_K> {
  static constexpr int kGroup = 16, kZero = 4, kCodes = 8;
  static constexpr bool kOffsets = false;
  template <class Isa>
  static SUIREN_UNPACK void unpack(const uint8_t* b, uint8_t* codes, float* scales, float*, int64_t step) {
    const float d = layouts::half_at<Isa>(b + 108);
    for (int g = 0; g < 16; ++g) scales[g * step] = d * static_cast<float>(unpack_scale_q3_k(b + 96, g));
    std::memset(codes, 0, 256);
    for (int h = 0; h < 2; ++h) Isa::add_two_bits(b + 32 + 32 * h, 0, codes + 128 * h);
    Isa::add_bits(b, 2, codes);
  }
};

/// d 2, m 2, scales and minima 12, of 32 elements each, q 128: bits 4 n .. of byte 32 c + l are element
/// 64 c + 32 n + l: d scale q - m min.
template <>
struct BlockLayout<DType::kQ4_K> {
  static constexpr int kGroup = 32, kZero = 0, kCodes = 16;
  static constexpr bool kOffsets = true;
  template <class Isa>
  static SUIREN_UNPACK void scales_of(const uint8_t* b, float* scales, float* offsets, int64_t step) {
    const float d = layouts::half_at<Isa>(b), m = layouts::half_at<Isa>(b + 2);
    for (int g = 0; g < 8; ++g) {
      const ScaleMin s = unpack_scale_min(b + 4, g);
      scales[g * step] = d * static_cast<float>(s.scale);
      offsets[g * step] = -(m * static_cast<float>(s.min));
    }
  }
  template <class Isa>
  static SUIREN_UNPACK void unpack(const uint8_t* b, uint8_t* codes, float* scales, float* offsets,
                                   int64_t step) {
    scales_of<Isa>(b, scales, offsets, step);
    for (int c = 0; c < 4; ++c) Isa::split(b + 16 + 32 * c, 32, codes + 64 * c);
  }
};

/// As q4_k, with h 32 before q: the fifth bits, bit e / 32 of byte e % 32.
template <>
struct BlockLayout<DType::kQ5_K> {
  static constexpr int kGroup = 32, kZero = 0, kCodes = 32;
  static constexpr bool kOffsets = true;
  template <class Isa>
  static SUIREN_UNPACK void unpack(const uint8_t* b, uint8_t* codes, float* scales, float* offsets,
                                   int64_t step) {
    BlockLayout<DType::kQ4_K>::scales_of<Isa>(b, scales, offsets, step);
    for (int c = 0; c < 4; ++c) Isa::split(b + 48 + 32 * c, 32, codes + 64 * c);
    Isa::add_bits(b + 16, 4, codes);
  }
};

/// q 128: low four bits, bits 4 n .. of byte 64 h + l for element 128 h + 64 n + l; h 64: high two; scales
/// 16, signed, of 16 elements each; d 2: d scale (q - 32).
template <>
struct BlockLayout<DType::kQ6_K> {
  static constexpr int kGroup = 16, kZero = 32, kCodes = 64;
  static constexpr bool kOffsets = false;
  template <class Isa>
  static SUIREN_UNPACK void unpack(const uint8_t* b, uint8_t* codes, float* scales, float*, int64_t step) {
    const float d = layouts::half_at<Isa>(b + 208);
    for (int g = 0; g < 16; ++g) scales[g * step] = d * static_cast<float>(static_cast<int8_t>(b[192 + g]));
    for (int h = 0; h < 2; ++h) {
      Isa::split(b + 64 * h, 64, codes + 128 * h);
      Isa::add_two_bits(b + 128 + 32 * h, 4, codes + 128 * h);
    }
  }
};

/// d 2, q 16: d value(q).
template <>
struct BlockLayout<DType::kIQ4_NL> {
  static constexpr int kGroup = 32, kZero = 128, kCodes = 256;
  static constexpr bool kOffsets = false;
  template <class Isa>
  static SUIREN_UNPACK void unpack(const uint8_t* b, uint8_t* codes, float* scales, float*, int64_t) {
    scales[0] = layouts::half_at<Isa>(b);
    Isa::split(b + 2, 16, codes);
    Isa::look_up(layouts::kIq4Codes, codes, 32);
  }
};

/// d 2, high two bits of the scales 2, their low four 4, of 32 elements each, q 128, each 32 as in iq4_nl:
/// d (scale - 32) value(q).
template <>
struct BlockLayout<DType::kIQ4_XS> {
  static constexpr int kGroup = 32, kZero = 128, kCodes = 256;
  static constexpr bool kOffsets = false;
  template <class Isa>
  static SUIREN_UNPACK void unpack(const uint8_t* b, uint8_t* codes, float* scales, float*, int64_t step) {
    const float d = layouts::half_at<Isa>(b);
    const auto high = layouts::load<uint16_t>(b + 2);
    for (int g = 0; g < 8; ++g) {
      const int low = b[4 + g / 2] >> (g % 2 * 4) & 15;
      scales[g * step] = d * static_cast<float>((low | (high >> (2 * g) & 3) << 4) - 32);
      Isa::split(b + 8 + 16 * g, 16, codes + 32 * g);
    }
    Isa::look_up(layouts::kIq4Codes, codes, 256);
  }
};

/// d 2, then 8 bytes for 32 elements: 4 points of 8 elements, 4 x 7 signs, scale in the last 4 bits:
/// d (scale + 1/2) / 4 point.
template <>
struct BlockLayout<DType::kIQ2_XXS> {
  static constexpr int kGroup = 32, kZero = 128, kCodes = 256;
  static constexpr bool kOffsets = false;
  template <class Isa>
  static SUIREN_UNPACK void unpack(const uint8_t* b, uint8_t* codes, float* scales, float*, int64_t step) {
    const float d = layouts::half_at<Isa>(b);
    for (int g = 0; g < 8; ++g, b += 8) {
      const auto rest = layouts::load<uint32_t>(b + 6);
      scales[g * step] = d * (0.5f + static_cast<float>(rest >> 28)) * 0.25f;
      for (int k = 0; k < 4; ++k, codes += 8) {
        const auto points = layouts::load<uint64_t>(kIq2XxsGrid[b[2 + k]].data());
        const uint64_t eight = layouts::signed_points(points, layouts::kSignBytes[rest >> (7 * k) & 127]);
        std::memcpy(codes, &eight, 8);
      }
    }
  }
};

/// d 2, then 2 bytes for 8 elements: point 9 bits, signs 7; scales 8, 4 bits of 16 elements each:
/// d (scale + 1/2) / 4 point.
template <>
struct BlockLayout<DType::kIQ2_XS> {
  static constexpr int kGroup = 16, kZero = 128, kCodes = 256;
  static constexpr bool kOffsets = false;
  template <class Isa>
  static SUIREN_UNPACK void unpack(const uint8_t* b, uint8_t* codes, float* scales, float*, int64_t step) {
    const float d = layouts::half_at<Isa>(b);
    for (int g = 0; g < 16; ++g)
      scales[g * step] = d * (0.5f + static_cast<float>(b[66 + g / 2] >> (g % 2 * 4) & 15)) * 0.25f;
    for (int i = 0; i < 32; ++i, codes += 8) {
      const auto code = layouts::load<uint16_t>(b + 2 + 2 * i);
      const auto points = layouts::load<uint64_t>(kIq2XsGrid[code & 511].data());
      const uint64_t eight = layouts::signed_points(points, layouts::kSignBytes[code >> 9]);
      std::memcpy(codes, &eight, 8);
    }
  }
};

/// d 2, points 64, of 4 elements each, then 4 bytes for 32 elements: 4 x 7 signs, scale in the last 4 bits:
/// d (scale + 1/2) / 2 point.
template <>
struct BlockLayout<DType::kIQ3_XXS> {
  static constexpr int kGroup = 32, kZero = 128, kCodes = 256;
  static constexpr bool kOffsets = false;
  template <class Isa>
  static SUIREN_UNPACK void unpack(const uint8_t* b, uint8_t* codes, float* scales, float*, int64_t step) {
    const float d = layouts::half_at<Isa>(b);
    for (int g = 0; g < 8; ++g) {
      const auto rest = layouts::load<uint32_t>(b + 66 + 4 * g);
      scales[g * step] = d * (0.5f + static_cast<float>(rest >> 28)) * 0.5f;
      for (int k = 0; k < 4; ++k, codes += 8) {
        const uint8_t* two = b + 2 + 8 * g + 2 * k;
        const uint64_t points = layouts::load<uint32_t>(kIq3XxsGrid[two[0]].data()) |
                                static_cast<uint64_t>(layouts::load<uint32_t>(kIq3XxsGrid[two[1]].data()))
                                    << 32;
        const uint64_t eight = layouts::signed_points(points, layouts::kSignBytes[rest >> (7 * k) & 127]);
        std::memcpy(codes, &eight, 8);
      }
    }
  }
};

/// e 1, q 16: 2^(e - 128) value(q).
template <>
struct BlockLayout<DType::kMXFP4> {
  static constexpr int kGroup = 32, kZero = 128, kCodes = 256;
  static constexpr bool kOffsets = false;
  template <class Isa>
  static SUIREN_UNPACK void unpack(const uint8_t* b, uint8_t* codes, float* scales, float*, int64_t) {
    scales[0] = mxfp4_scale(b[0]);
    Isa::split(b + 1, 16, codes);
    Isa::look_up(layouts::kMxfp4Codes, codes, 32);
  }
};

/// Calls f.template operator()<Id>() with the id of a block format:
/// visit_block_format(d, [&]<DType::Id kId>() { ... BlockLayout<kId> ... }).
template <class F>
decltype(auto) visit_block_format(DType d, F&& f) {
  switch (d.id()) {
    case DType::kQ8_0:
      return f.template operator()<DType::kQ8_0>();
    case DType::kQ4_0:
      return f.template operator()<DType::kQ4_0>();
    case DType::kQ4_1:
      return f.template operator()<DType::kQ4_1>();
    case DType::kQ5_0:
      return f.template operator()<DType::kQ5_0>();
    case DType::kQ5_1:
      return f.template operator()<DType::kQ5_1>();
    case DType::kQ2_K:
      return f.template operator()<DType::kQ2_K>();
    case DType::kQ3_K:
      return f.template operator()<DType::kQ3_K>();
    case DType::kQ4_K:
      return f.template operator()<DType::kQ4_K>();
    case DType::kQ5_K:
      return f.template operator()<DType::kQ5_K>();
    case DType::kQ6_K:
      return f.template operator()<DType::kQ6_K>();
    case DType::kIQ4_NL:
      return f.template operator()<DType::kIQ4_NL>();
    case DType::kIQ4_XS:
      return f.template operator()<DType::kIQ4_XS>();
    case DType::kIQ2_XXS:
      return f.template operator()<DType::kIQ2_XXS>();
    case DType::kIQ2_XS:
      return f.template operator()<DType::kIQ2_XS>();
    case DType::kIQ3_XXS:
      return f.template operator()<DType::kIQ3_XXS>();
    default:
      return f.template operator()<DType::kMXFP4>();
  }
}

}  // namespace suiren::quant

#undef SUIREN_UNPACK
