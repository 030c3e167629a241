// Products with matrices in blocks on CPUs with AVX2: VPMADDUBSW multiplies codes of the weight by those of x
// and adds pairs in 16 bits, as many as fit. Everything but the table has internal linkage.

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

HWY_PUSH_ATTRIBUTES("avx2,fma,f16c")

namespace suiren::cpu::avx2 {
namespace {

#define SUIREN_INLINE inline __attribute__((always_inline))

#include "backends/cpu/blocks/unpack_avx2.inc"

#include "backends/cpu/blocks/shared.inc"

#include "backends/cpu/blocks/round_plain.inc"

constexpr int kHalfTile = 8;  // rows of the weight whose sums stand in one vector

// Eight sums in 32 bits, sixteen in 16 bits. Not __m256i: GCC 12 keeps in memory an array that is used under
// two types.
typedef int32_t Sums __attribute__((vector_size(32)));
typedef int16_t Pairs __attribute__((vector_size(32)));

SUIREN_INLINE Sums load_sums(const void* p) {
  return Sums(_mm256_loadu_si256(static_cast<const __m256i*>(p)));
}
SUIREN_INLINE Sums set(int32_t x) { return Sums(_mm256_set1_epi32(x)); }
SUIREN_INLINE Sums widen(Pairs p) { return Sums(_mm256_madd_epi16(__m256i(p), _mm256_set1_epi16(1))); }
SUIREN_INLINE int32_t four_codes(const int8_t* p) {
  int32_t bits;
  std::memcpy(&bits, p, sizeof bits);
  return bits;
}

// What codes of the weight are when they are multiplied.
template <class Layout>
struct Codes {
  // Codes of eight bits are taken as signed, so that two products fit into 16 bits: at most 128 x 127 each.
  static constexpr bool kSigned = Layout::kCodes == 256;
  static_assert(!kSigned || Layout::kZero == 128);
  // How many quads of codes add up in 16 bits.
  static constexpr int kQuads =
      kSigned ? 1 : std::min(32767 / (2 * 127 * (Layout::kCodes - 1)), Layout::kGroup / 4);

  static SUIREN_INLINE Sums as_multiplied(Sums w) {
    return kSigned ? Sums(_mm256_xor_si256(__m256i(w), _mm256_set1_epi8(-128))) : w;
  }
  static SUIREN_INLINE Pairs multiply(Sums w, Sums x) {
    if constexpr (kSigned)
      return Pairs(
          _mm256_maddubs_epi16(_mm256_abs_epi8(__m256i(w)), _mm256_sign_epi8(__m256i(x), __m256i(w))));
    else
      return Pairs(_mm256_maddubs_epi16(__m256i(w), __m256i(x)));
  }
  // The exact sum of a group, given that of its products.
  static SUIREN_INLINE Sums whole(Sums sum, int32_t start) { return kSigned ? sum : sum + set(start); }
};

// A chunk of the inner dimension: groups [0, groups) of a tile and of the rows of x.
struct Chunk {
  int64_t first_group, groups, first_code;
  bool onto;  // y holds the sums of the groups before
};

// Columns [first, first + 8) of a tile that are there.
SUIREN_INLINE __m256i columns(const BlockTile& t, int first) {
  const auto there = static_cast<int>(t.count) - first;
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(there), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
SUIREN_INLINE __m256 load_totals(const Chunk& c, const float* y, __m256i some) {
  return c.onto ? _mm256_maskload_ps(y, some) : _mm256_setzero_ps();
}
template <class Layout>
SUIREN_INLINE __m256 add_group(__m256 total, Sums exact, float d, float sum, const float* scale,
                               const float* offset) {
  const __m256 part = _mm256_mul_ps(_mm256_cvtepi32_ps(__m256i(exact)), _mm256_set1_ps(d));
  total = _mm256_fmadd_ps(_mm256_loadu_ps(scale), part, total);
  if constexpr (Layout::kOffsets)
    total = _mm256_fmadd_ps(_mm256_loadu_ps(offset), _mm256_set1_ps(sum), total);
  return total;
}

// The codes of 16 rows as they are multiplied, turned so that quads of k of eight rows stand together: those
// of rows 0 .. 7, then those of rows 8 .. 15.
template <class Layout>
SUIREN_INLINE void turn(const uint8_t* codes, int64_t stride, uint8_t* panel) {
  for (int first = 0; first < kBlockTile; first += kHalfTile, codes += kHalfTile * stride)
    for (int64_t k = 0; k < stride; k += 32) {
      Sums r[8], t[8];
#pragma GCC unroll 8
      for (int i = 0; i < 8; ++i) r[i] = Codes<Layout>::as_multiplied(load_sums(codes + i * stride + k));
#pragma GCC unroll 4
      for (int i = 0; i < 8; i += 2) {
        t[i] = Sums(_mm256_unpacklo_epi32(__m256i(r[i]), __m256i(r[i + 1])));
        t[i + 1] = Sums(_mm256_unpackhi_epi32(__m256i(r[i]), __m256i(r[i + 1])));
      }
#pragma GCC unroll 2
      for (int i = 0; i < 8; i += 4) {
        r[i] = Sums(_mm256_unpacklo_epi64(__m256i(t[i]), __m256i(t[i + 2])));
        r[i + 1] = Sums(_mm256_unpackhi_epi64(__m256i(t[i]), __m256i(t[i + 2])));
        r[i + 2] = Sums(_mm256_unpacklo_epi64(__m256i(t[i + 1]), __m256i(t[i + 3])));
        r[i + 3] = Sums(_mm256_unpackhi_epi64(__m256i(t[i + 1]), __m256i(t[i + 3])));
      }
      // r[4 i + j], lane l: quad 4 l + j of rows 4 i ..
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j, panel += 32) {
        const __m256i low = _mm256_permute2x128_si256(__m256i(r[j]), __m256i(r[4 + j]), 0x20);
        const __m256i high = _mm256_permute2x128_si256(__m256i(r[j]), __m256i(r[4 + j]), 0x31);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(panel), low);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(panel + 128), high);
      }
      panel += 128;
    }
}

// kRows rows of x from row m on against eight rows of the weight, from `first` on.
template <class Layout, int kRows>
SUIREN_INLINE void half_panel(const Chunk& c, const TileScratch& w, int64_t stride, const RoundedRows& x,
                              int64_t m, const BlockTile& t, int first) {
  constexpr int kGroup = Layout::kGroup, kQuads = Codes<Layout>::kQuads;
  const int8_t* codes = x.codes + m * x.stride + c.first_code;
  float* y = t.y + m * t.ldy + first;
  const __m256i some = columns(t, first);
  __m256 total[kRows];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) total[r] = load_totals(c, y + r * t.ldy, some);
  const uint8_t* panel = w.panel + first * stride;
  for (int64_t g = 0; g < c.groups; ++g) {
    Sums sum[kRows] = {};
#pragma GCC unroll 8
    for (int begin = 0; begin < kGroup / 4; begin += kQuads) {
      Pairs pairs[kRows] = {};
#pragma GCC unroll 8
      for (int q = begin; q < begin + kQuads; ++q, panel += 32) {
        const Sums b = load_sums(panel);
#pragma GCC unroll 4
        for (int r = 0; r < kRows; ++r)
          pairs[r] += Codes<Layout>::multiply(b, set(four_codes(codes + r * x.stride + g * kGroup + 4 * q)));
      }
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) sum[r] += widen(pairs[r]);
    }
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      const int64_t at = (m + r) * x.groups + c.first_group + g;
      total[r] =
          add_group<Layout>(total[r], Codes<Layout>::whole(sum[r], x.starts[at]),
                            x.scales[(m + r) * x.blocks + (c.first_code + g * kGroup) / kRound], x.sums[at],
                            w.scales + g * kBlockTile + first, w.offsets + g * kBlockTile + first);
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) _mm256_maskstore_ps(y + r * t.ldy, some, total[r]);
}

template <class Layout, int kRows>
void panel_rows(const Chunk& c, const TileScratch& w, int64_t stride, const RoundedRows& x, int64_t m,
                const BlockTile& t) {
  half_panel<Layout, kRows>(c, w, stride, x, m, t, 0);
  if (t.count > kHalfTile) half_panel<Layout, kRows>(c, w, stride, x, m, t, kHalfTile);
}

// The sums of eight vectors: lane n of sum[0] is that of the lower half of v[n], of sum[1] that of the upper.
SUIREN_INLINE void add_up(Sums* v, Sums* sum) {
  Sums two[2];
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
    const __m256i a = _mm256_hadd_epi32(__m256i(v[4 * i]), __m256i(v[4 * i + 1]));
    const __m256i b = _mm256_hadd_epi32(__m256i(v[4 * i + 2]), __m256i(v[4 * i + 3]));
    two[i] = Sums(_mm256_hadd_epi32(a, b));
  }
  sum[0] = Sums(_mm256_permute2x128_si256(__m256i(two[0]), __m256i(two[1]), 0x20));
  sum[1] = Sums(_mm256_permute2x128_si256(__m256i(two[0]), __m256i(two[1]), 0x31));
}

// One row of x against unpacked rows as they stand: nothing is turned.
template <class Layout>
void one_row(const Chunk& c, const TileScratch& w, int64_t stride, const RoundedRows& x, const BlockTile& t) {
  constexpr int kGroup = Layout::kGroup, kGroups = 32 / kGroup;
  const int8_t* codes = x.codes + c.first_code;
  const float* d = x.scales + c.first_code / kRound;
  for (int first = 0; first < t.count; first += kHalfTile) {
    const __m256i some = columns(t, first);
    const uint8_t* rows = w.codes + first * stride;
    __m256 total = load_totals(c, t.y + first, some);
    for (int64_t g = 0; g < c.groups; g += kGroups, codes += 32) {
      const Sums of_x = load_sums(codes);
      Sums v[8], sum[2];
#pragma GCC unroll 8
      for (int n = 0; n < 8; ++n)
        v[n] = widen(Codes<Layout>::multiply(
            Codes<Layout>::as_multiplied(load_sums(rows + n * stride + g * kGroup)), of_x));
      add_up(v, sum);
      if constexpr (kGroup == 32) sum[0] += sum[1];
#pragma GCC unroll 2
      for (int i = 0; i < kGroups; ++i) {
        const int64_t at = c.first_group + g + i;
        total = add_group<Layout>(total, Codes<Layout>::whole(sum[i], x.starts[at]), d[g * kGroup / kRound],
                                  x.sums[at], w.scales + (g + i) * kBlockTile + first,
                                  w.offsets + (g + i) * kBlockTile + first);
      }
    }
    codes -= c.groups * kGroup;
    _mm256_maskstore_ps(t.y + first, some, total);
  }
}

template <DType::Id kId>
void tile(const BlockTile& t, const RoundedRows& x, char* scratch) {
  using Layout = quant::BlockLayout<kId>;
  static constexpr decltype(&panel_rows<Layout, 1>) kPanels[] = {
      panel_rows<Layout, 1>, panel_rows<Layout, 2>, panel_rows<Layout, 3>, panel_rows<Layout, 4>};
  constexpr int64_t kMostRows = std::size(kPanels);
  const TileScratch w(scratch);
  for (int64_t begin = 0; begin < x.depth; begin += kBlockChunk) {
    const int64_t length = std::min(kBlockChunk, x.depth - begin), stride = padded(length);
    const Chunk chunk{begin / Layout::kGroup, length / Layout::kGroup, begin, begin > 0};
    unpack_rows<kId>(t, begin, length, begin + length < x.depth, stride, w.codes, w.scales, w.offsets);
    if (x.rows == 1) {
      one_row<Layout>(chunk, w, stride, x, t);
      continue;
    }
    turn<Layout>(w.codes, stride, w.panel);
    for (int64_t m = 0; m < x.rows; m += kMostRows) {
      const auto rows = static_cast<size_t>(std::min(kMostRows, x.rows - m));
      kPanels[rows - 1](chunk, w, stride, x, m, t);
    }
  }
}

}  // namespace

const BlockKernels block_kernels = make_block_kernels(round_row, []<DType::Id kId>() { return tile<kId>; });

}  // namespace suiren::cpu::avx2

HWY_POP_ATTRIBUTES
#endif
