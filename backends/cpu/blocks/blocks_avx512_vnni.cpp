// Products with matrices in blocks on CPUs with AVX512_VNNI: VPDPBUSD multiplies codes of the weight, taken
// as unsigned, by those of x. Everything but the table has internal linkage.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "backends/cpu/blocks/kernels.h"
#include "suiren/quant/unpack.h"

#if defined(__x86_64__)
#include <hwy/base.h>
#include <immintrin.h>

HWY_PUSH_ATTRIBUTES("avx512f,avx512bw,avx512dq,avx512vl,avx512cd,avx512vnni,avx2,fma,f16c,bmi2")

namespace suiren::cpu::avx512_vnni {
namespace {

#define SUIREN_INLINE inline __attribute__((always_inline))

#include "backends/cpu/blocks/unpack_avx2.inc"

#include "backends/cpu/blocks/shared.inc"

// 16 sums. Not __m512i: GCC 12 keeps in memory an array that is used under two types.
typedef int32_t Sums __attribute__((vector_size(64)));

SUIREN_INLINE Sums set(int32_t x) { return Sums(_mm512_set1_epi32(x)); }
SUIREN_INLINE Sums load_sums(const void* p) { return Sums(_mm512_loadu_si512(p)); }
SUIREN_INLINE Sums plus(Sums a, Sums b) { return Sums(_mm512_add_epi32(__m512i(a), __m512i(b))); }
SUIREN_INLINE Sums dot(Sums sum, Sums w, Sums x) {
  return Sums(_mm512_dpbusd_epi32(__m512i(sum), __m512i(w), __m512i(x)));
}
SUIREN_INLINE int32_t four_codes(const int8_t* p) {
  int32_t bits;
  std::memcpy(&bits, p, sizeof bits);
  return bits;
}

void round_row(const float* x, int64_t m, int group, int zero, const RoundedRows& to) {
  int8_t* codes = to.codes + m * to.stride;
  int32_t* starts = to.starts + m * to.groups;
  float* sums = to.sums + m * to.groups;
  const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
  for (int64_t b = 0; b < to.blocks; ++b, x += kRound, codes += kRound) {
    const __m512 x0 = _mm512_loadu_ps(x), x1 = _mm512_loadu_ps(x + 16);
    const __m512i a0 = _mm512_and_si512(_mm512_castps_si512(x0), magnitude);
    const __m512i a1 = _mm512_and_si512(_mm512_castps_si512(x1), magnitude);
    const RoundScales s = round_scales(_mm512_reduce_max_epu32(_mm512_max_epu32(a0, a1)));
    to.scales[m * to.blocks + b] = s.d;
    const __m512 inverse = _mm512_set1_ps(s.inverse);
    const __mmask16 some = s.inverse == 0 ? 0 : 0xffff;  // 0 times infinity is no number
    const __m128i c0 = _mm512_cvtepi32_epi8(_mm512_maskz_cvtps_epi32(some, _mm512_mul_ps(x0, inverse)));
    const __m128i c1 = _mm512_cvtepi32_epi8(_mm512_maskz_cvtps_epi32(some, _mm512_mul_ps(x1, inverse)));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(codes), c0);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(codes + 16), c1);
    if (group == 16)
      sum_codes<16>(codes, s.d, zero, starts + 2 * b, sums + 2 * b);
    else
      sum_codes<32>(codes, s.d, zero, starts + b, sums + b);
  }
  std::memset(codes, 0, static_cast<size_t>(to.stride - to.depth));
}

// A chunk of the inner dimension: groups [0, groups) of a tile and of the rows of x.
struct Chunk {
  int64_t first_group, groups, first_code;
  bool onto;  // y holds the sums of the groups before
};

SUIREN_INLINE __mmask16 columns(int64_t n) { return static_cast<__mmask16>((1u << n) - 1); }

// The codes of 16 rows, turned so that quads of k of all rows stand together.
SUIREN_INLINE void turn(const uint8_t* codes, int64_t stride, uint8_t* panel) {
  for (int64_t k = 0; k < stride; k += 64, panel += 16 * 64) {
    __m512i r[16], t[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) r[i] = _mm512_loadu_si512(codes + i * stride + k);
#pragma GCC unroll 8
    for (int i = 0; i < 16; i += 2) {
      t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
      t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 16; i += 4) {
      r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
      r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
      r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
      r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    // r[4 i + j], lane l: quad 4 l + j of rows 4 i ..
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      const __m512i a = _mm512_shuffle_i32x4(r[j], r[4 + j], 0x44);
      const __m512i b = _mm512_shuffle_i32x4(r[8 + j], r[12 + j], 0x44);
      const __m512i c = _mm512_shuffle_i32x4(r[j], r[4 + j], 0xee);
      const __m512i d = _mm512_shuffle_i32x4(r[8 + j], r[12 + j], 0xee);
      _mm512_storeu_si512(panel + 64 * j, _mm512_shuffle_i32x4(a, b, 0x88));
      _mm512_storeu_si512(panel + 64 * (4 + j), _mm512_shuffle_i32x4(a, b, 0xdd));
      _mm512_storeu_si512(panel + 64 * (8 + j), _mm512_shuffle_i32x4(c, d, 0x88));
      _mm512_storeu_si512(panel + 64 * (12 + j), _mm512_shuffle_i32x4(c, d, 0xdd));
    }
  }
}

// kRows rows of x from row m on against a panel.
template <class Layout, int kRows>
void panel_rows(const Chunk& c, const TileScratch& w, const RoundedRows& x, int64_t m, const BlockTile& t) {
  constexpr int kGroup = Layout::kGroup;
  const int8_t* codes = x.codes + m * x.stride + c.first_code;
  const float* d = x.scales + m * x.blocks + c.first_code / kRound;
  const int32_t* starts = x.starts + m * x.groups + c.first_group;
  const float* sums = x.sums + m * x.groups + c.first_group;
  float* y = t.y + m * t.ldy;
  const __mmask16 some = columns(t.count);
  __m512 total[kRows];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r)
    total[r] = _mm512_maskz_loadu_ps(c.onto ? some : __mmask16{0}, y + r * t.ldy);
  const uint8_t* panel = w.panel;
  for (int64_t g = 0; g < c.groups; ++g) {
    Sums s[kRows];
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) s[r] = set(starts[r * x.groups + g]);
#pragma GCC unroll 8
    for (int q = 0; q < kGroup / 4; ++q, panel += 64) {
      const Sums b = load_sums(panel);
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r)
        s[r] = dot(s[r], b, set(four_codes(codes + r * x.stride + g * kGroup + 4 * q)));
    }
    const __m512 scale = _mm512_loadu_ps(w.scales + g * kBlockTile);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const __m512 part = _mm512_mul_ps(_mm512_cvtepi32_ps(__m512i(s[r])),
                                        _mm512_set1_ps(d[r * x.blocks + g * kGroup / kRound]));
      total[r] = _mm512_fmadd_ps(scale, part, total[r]);
    }
    if constexpr (Layout::kOffsets) {
      const __m512 offset = _mm512_loadu_ps(w.offsets + g * kBlockTile);
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r)
        total[r] = _mm512_fmadd_ps(offset, _mm512_set1_ps(sums[r * x.groups + g]), total[r]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) _mm512_mask_storeu_ps(y + r * t.ldy, some, total[r]);
}

constexpr int kMostRows = 12;
template <class Layout, size_t... I>
constexpr auto panel_functions(std::index_sequence<I...>) {
  using F = void (*)(const Chunk&, const TileScratch&, const RoundedRows&, int64_t, const BlockTile&);
  return std::array<F, sizeof...(I)>{panel_rows<Layout, I + 1>...};
}

// The sums of 16 vectors over each 16 of 64 codes: quarter[l], lane n, is that of quarter l of vector n.
SUIREN_INLINE void add_up(Sums* v, Sums* quarter) {
  Sums pair[8], four[4];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    const __m512i a = __m512i(v[2 * i]), b = __m512i(v[2 * i + 1]);
    pair[i] = plus(Sums(_mm512_unpacklo_epi32(a, b)), Sums(_mm512_unpackhi_epi32(a, b)));
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const __m512i a = __m512i(pair[2 * i]), b = __m512i(pair[2 * i + 1]);
    four[i] = plus(Sums(_mm512_unpacklo_epi64(a, b)), Sums(_mm512_unpackhi_epi64(a, b)));
  }
  const __m512i a = _mm512_shuffle_i32x4(__m512i(four[0]), __m512i(four[1]), 0x44);
  const __m512i b = _mm512_shuffle_i32x4(__m512i(four[2]), __m512i(four[3]), 0x44);
  const __m512i c = _mm512_shuffle_i32x4(__m512i(four[0]), __m512i(four[1]), 0xee);
  const __m512i d = _mm512_shuffle_i32x4(__m512i(four[2]), __m512i(four[3]), 0xee);
  quarter[0] = Sums(_mm512_shuffle_i32x4(a, b, 0x88));
  quarter[1] = Sums(_mm512_shuffle_i32x4(a, b, 0xdd));
  quarter[2] = Sums(_mm512_shuffle_i32x4(c, d, 0x88));
  quarter[3] = Sums(_mm512_shuffle_i32x4(c, d, 0xdd));
}

#include "backends/cpu/blocks/one_row_avx512.inc"

template <DType::Id kId>
void tile(const BlockTile& t, const RoundedRows& x, char* scratch) {
  if (x.rows == 1 && t.count == kBlockTile) return one_row<kId>(t, x);
  using Layout = quant::BlockLayout<kId>;
  static constexpr auto kPanels = panel_functions<Layout>(std::make_index_sequence<kMostRows>{});
  const TileScratch w(scratch);
  for (int64_t begin = 0; begin < x.depth; begin += kBlockChunk) {
    const int64_t length = std::min(kBlockChunk, x.depth - begin), stride = padded(length);
    const Chunk chunk{begin / Layout::kGroup, length / Layout::kGroup, begin, begin > 0};
    unpack_rows<kId>(t, begin, length, begin + length < x.depth, stride, w.codes, w.scales, w.offsets);
    turn(w.codes, stride, w.panel);
    for (int64_t m = 0; m < x.rows; m += kMostRows) {
      const auto rows = static_cast<size_t>(std::min<int64_t>(kMostRows, x.rows - m));
      kPanels[rows - 1](chunk, w, x, m, t);
    }
  }
}

}  // namespace

const BlockKernels block_kernels = make_block_kernels(round_row, []<DType::Id kId>() { return tile<kId>; });

}  // namespace suiren::cpu::avx512_vnni

HWY_POP_ATTRIBUTES
#endif
