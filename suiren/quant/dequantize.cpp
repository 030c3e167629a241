#include "suiren/quant/dequantize.h"

#include <bit>
#include <cstring>

#include "suiren/base/dtype.h"
#include "suiren/base/error.h"
#include "suiren/quant/float8.h"
#include "suiren/quant/iq_grids.h"

namespace suiren::quant {
namespace {

static_assert(std::endian::native == std::endian::little, "blocks are little-endian and are read in place");

template <class T>
T load(const uint8_t* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}
float load_half(const uint8_t* p) { return load<float16>(p); }

/// One element in one number of type T.
template <class T>
void plain(const uint8_t* b, float* y) {
  *y = static_cast<float>(load<T>(b));
}

// In every comment: the fields of a block in order, with their bytes; halves are f16. Element 32 i + j of a
// block of 256 has its low bits in other places in each format; the loops say which.

/// d 2, q 32 signed: q d.
void q8_0(const uint8_t* b, float* y) {
  const float d = load_half(b);
  for (int j = 0; j < 32; ++j) y[j] = static_cast<float>(static_cast<int8_t>(b[2 + j])) * d;
}

/// Bits 4 n .. 4 n + 3 of byte j are element 16 n + j, n < 2.
int nibble(const uint8_t* q, int e) { return q[e % 16] >> (e / 16 * 4) & 15; }

/// d 2, q 16: d (q - 8).
void q4_0(const uint8_t* b, float* y) {
  const float d = load_half(b);
  for (int e = 0; e < 32; ++e) y[e] = d * static_cast<float>(nibble(b + 2, e) - 8);
}

/// d 2, m 2, q 16: d q + m.
void q4_1(const uint8_t* b, float* y) {
  const float d = load_half(b), m = load_half(b + 2);
  for (int e = 0; e < 32; ++e) y[e] = d * static_cast<float>(nibble(b + 4, e)) + m;
}

/// d 2, h 4: the fifth bits, q 16: d (q - 16).
void q5_0(const uint8_t* b, float* y) {
  const float d = load_half(b);
  const auto high = load<uint32_t>(b + 2);
  for (int e = 0; e < 32; ++e)
    y[e] = d * static_cast<float>((nibble(b + 6, e) | static_cast<int>(high >> e & 1) << 4) - 16);
}

/// d 2, m 2, h 4: the fifth bits, q 16: d q + m.
void q5_1(const uint8_t* b, float* y) {
  const float d = load_half(b), m = load_half(b + 2);
  const auto high = load<uint32_t>(b + 4);
  for (int e = 0; e < 32; ++e)
    y[e] = d * static_cast<float>(nibble(b + 8, e) | static_cast<int>(high >> e & 1) << 4) + m;
}

/// Two bits of element e of 256: bits 2 s, 2 s + 1 of byte 32 h + l for e = 128 h + 32 s + l.
int two_bits(const uint8_t* q, int e) { return q[e / 128 * 32 + e % 32] >> (e / 32 % 4 * 2) & 3; }

/// scales 16: scale and minimum of 16 elements each, 4 bits each; q 64; d 2; m 2: d scale q - m min.
void q2_k(const uint8_t* b, float* y) {
  const float d = load_half(b + 80), m = load_half(b + 82);
  for (int g = 0; g < 16; ++g) {
    const float scale = d * static_cast<float>(b[g] & 15), min = m * static_cast<float>(b[g] >> 4);
    for (int e = 16 * g; e < 16 * g + 16; ++e) y[e] = scale * static_cast<float>(two_bits(b + 16, e)) - min;
  }
}

/// h 32: bit e / 32 of byte e % 32, set for no offset; q 64; scales 12, of 16 elements each; d 2: d scale (q
/// - 4 or 0).
void q3_k(const uint8_t* b, float* y) {
  const float d = load_half(b + 108);
  for (int g = 0; g < 16; ++g) {
    const float scale = d * static_cast<float>(unpack_scale_q3_k(b + 96, g));
    for (int e = 16 * g; e < 16 * g + 16; ++e) {
      const int offset = b[e % 32] >> (e / 32) & 1 ? 0 : 4;
      y[e] = scale * static_cast<float>(two_bits(b + 32, e) - offset);
    }
  }
}

/// Four bits of element e of 256: bits 4 n .. 4 n + 3 of byte 32 c + l for e = 64 c + 32 n + l.
int four_bits(const uint8_t* q, int e) { return q[e / 64 * 32 + e % 32] >> (e / 32 % 2 * 4) & 15; }

/// d 2, m 2, scales and minima 12, of 32 elements each, q 128: d scale q - m min.
void q4_k(const uint8_t* b, float* y) {
  const float d = load_half(b), m = load_half(b + 2);
  for (int g = 0; g < 8; ++g) {
    const ScaleMin s = unpack_scale_min(b + 4, g);
    const float scale = d * static_cast<float>(s.scale), min = m * static_cast<float>(s.min);
    for (int e = 32 * g; e < 32 * g + 32; ++e) y[e] = scale * static_cast<float>(four_bits(b + 16, e)) - min;
  }
}

/// As q4_k, with h 32 before q: the fifth bits, bit e / 32 of byte e % 32.
void q5_k(const uint8_t* b, float* y) {
  const float d = load_half(b), m = load_half(b + 2);
  for (int g = 0; g < 8; ++g) {
    const ScaleMin s = unpack_scale_min(b + 4, g);
    const float scale = d * static_cast<float>(s.scale), min = m * static_cast<float>(s.min);
    for (int e = 32 * g; e < 32 * g + 32; ++e)
      y[e] = scale * static_cast<float>(four_bits(b + 48, e) | (b[16 + e % 32] >> g & 1) << 4) - min;
  }
}

/// q 128: low four bits, bits 4 n .. of byte 64 h + l for e = 128 h + 64 n + l; h 64: high two; scales 16,
/// signed, of 16 elements each; d 2: d scale (q - 32).
void q6_k(const uint8_t* b, float* y) {
  const float d = load_half(b + 208);
  for (int g = 0; g < 16; ++g) {
    const float scale = d * static_cast<float>(static_cast<int8_t>(b[192 + g]));
    for (int e = 16 * g; e < 16 * g + 16; ++e) {
      const int low = b[e / 128 * 64 + e % 64] >> (e / 64 % 2 * 4) & 15;
      y[e] = scale * static_cast<float>((low | two_bits(b + 128, e) << 4) - 32);
    }
  }
}

/// d 2, q 16: d value(q).
void iq4_nl(const uint8_t* b, float* y) {
  const float d = load_half(b);
  for (int e = 0; e < 32; ++e)
    y[e] = d * static_cast<float>(kIq4Values[static_cast<size_t>(nibble(b + 2, e))]);
}

/// d 2, high two bits of the scales 2, their low four 4, of 32 elements each, q 128, each 32 as in iq4_nl:
/// d (scale - 32) value(q).
void iq4_xs(const uint8_t* b, float* y) {
  const float d = load_half(b);
  const auto high = load<uint16_t>(b + 2);
  for (int g = 0; g < 8; ++g) {
    const int low = b[4 + g / 2] >> (g % 2 * 4) & 15;
    const float scale = d * static_cast<float>((low | (high >> (2 * g) & 3) << 4) - 32);
    for (int e = 0; e < 32; ++e)
      y[32 * g + e] = scale * static_cast<float>(kIq4Values[static_cast<size_t>(nibble(b + 8 + 16 * g, e))]);
  }
}

template <size_t Size>
void signed_points(float scale, const std::array<uint8_t, Size>& point, uint32_t signs, float* y) {
  for (size_t i = 0; i < Size; ++i)
    y[i] = scale * static_cast<float>(point[i]) * (signs >> i & 1 ? -1.0f : 1.0f);
}

/// d 2, then 8 bytes for 32 elements: 4 points of 8 elements, 4 x 7 signs, scale in the last 4 bits:
/// d (scale + 1/2) / 4 point.
void iq2_xxs(const uint8_t* b, float* y) {
  const float d = load_half(b);
  for (int g = 0; g < 8; ++g) {
    const uint8_t* points = b + 2 + 8 * g;
    const auto rest = load<uint32_t>(points + 4);
    const float scale = d * (0.5f + static_cast<float>(rest >> 28)) * 0.25f;
    for (int k = 0; k < 4; ++k, y += 8)
      signed_points(scale, kIq2XxsGrid[points[k]], even_signs(rest >> (7 * k) & 127), y);
  }
}

/// d 2, then 2 bytes for 8 elements: point 9 bits, signs 7; scales 8, 4 bits of 16 elements each:
/// d (scale + 1/2) / 4 point.
void iq2_xs(const uint8_t* b, float* y) {
  const float d = load_half(b);
  for (int i = 0; i < 32; ++i, y += 8) {
    const auto code = load<uint16_t>(b + 2 + 2 * i);
    const float scale = d * (0.5f + static_cast<float>(b[66 + i / 4] >> (i / 2 % 2 * 4) & 15)) * 0.25f;
    signed_points(scale, kIq2XsGrid[code & 511], even_signs(code >> 9), y);
  }
}

/// d 2, points 64, of 4 elements each, then 4 bytes for 32 elements: 4 x 7 signs, scale in the last 4 bits:
/// d (scale + 1/2) / 2 point.
void iq3_xxs(const uint8_t* b, float* y) {
  const float d = load_half(b);
  for (int g = 0; g < 8; ++g) {
    const auto rest = load<uint32_t>(b + 66 + 4 * g);
    const float scale = d * (0.5f + static_cast<float>(rest >> 28)) * 0.5f;
    for (int k = 0; k < 8; ++k, y += 4) {
      const uint32_t signs = even_signs(rest >> (7 * (k / 2)) & 127) >> (k % 2 * 4);
      signed_points(scale, kIq3XxsGrid[b[2 + 8 * g + k]], signs, y);
    }
  }
}

/// e 1, q 16: 2^(e - 128) value(q).
void mxfp4(const uint8_t* b, float* y) {
  const float d = mxfp4_scale(b[0]);
  for (int e = 0; e < 32; ++e)
    y[e] = d * static_cast<float>(kMxfp4Values[static_cast<size_t>(nibble(b + 1, e))]);
}

using Decode = void (*)(const uint8_t* block, float* values);
constexpr Decode kDecoders[] = {plain<float>,
                                plain<float16>,
                                plain<bfloat16>,
                                q8_0,
                                q4_0,
                                q4_1,
                                q5_0,
                                q5_1,
                                q2_k,
                                q3_k,
                                q4_k,
                                q5_k,
                                q6_k,
                                iq4_nl,
                                iq4_xs,
                                iq2_xxs,
                                iq2_xs,
                                iq3_xxs,
                                mxfp4,
                                plain<float8_e4m3>,
                                plain<float8_e5m2>};
static_assert(sizeof kDecoders / sizeof *kDecoders == BlockFormat::kF64);

}  // namespace

float mxfp4_scale(uint8_t e) {
  return std::bit_cast<float>(e < 2 ? 0x00200000u << e : static_cast<uint32_t>(e - 1) << 23);
}

ScaleMin unpack_scale_min(const uint8_t* p, int i) {
  const int j = i % 4;
  if (i < 4) return {static_cast<uint8_t>(p[j] & 63), static_cast<uint8_t>(p[4 + j] & 63)};
  return {static_cast<uint8_t>((p[8 + j] & 15) | (p[j] >> 6) << 4),
          static_cast<uint8_t>(p[8 + j] >> 4 | (p[4 + j] >> 6) << 4)};
}

int unpack_scale_q3_k(const uint8_t* p, int i) {
  return ((p[i % 8] >> (i / 8 * 4) & 15) | (p[8 + i % 4] >> (i / 4 * 2) & 3) << 4) - 32;
}

void dequantize(BlockFormat format, std::span<const uint8_t> bytes, std::span<float> out) {
  SR_CHECK_AS(kUnsupported, format.is_dequantizable(), "{} holds no weights; read its numbers as they are",
              format);
  const auto size = static_cast<size_t>(format.block_bytes()),
             elements = static_cast<size_t>(format.block_elements());
  SR_CHECK(bytes.size() % size == 0 && out.size() == bytes.size() / size * elements,
           "{} bytes of {} ({} bytes a block) do not hold {} elements", bytes.size(), format, size,
           out.size());
  const Decode decode = kDecoders[format.id()];
  for (size_t i = 0; i < bytes.size() / size; ++i) decode(bytes.data() + i * size, out.data() + i * elements);
}

}  // namespace suiren::quant
