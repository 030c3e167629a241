// The AMX kernels of the matrix product: 32 rows by 32 columns in four tiles of sums. Panels of B are those
// of AVX512_BF16 and AVX512_VNNI; a panel of A holds, for each 16 lanes of k, two tiles of 16 rows.
// Everything but the tables has internal linkage.

#include "backends/cpu/gemm/kernels.h"

#if defined(__x86_64__)
#include <hwy/base.h>
#include <immintrin.h>

#include <array>
#include <utility>

#include "backends/cpu/tiles.h"

HWY_PUSH_ATTRIBUTES(
    "avx512f,avx512bw,avx512dq,avx512vl,avx512cd,avx512bf16,avx512vnni,avx2,fma,amx-tile,amx-bf16,amx-int8")

namespace suiren::cpu::amx {
namespace {
constexpr int kMr = 32, kNr = 32;
constexpr int64_t kLanes = 16;          // of one row of a tile
constexpr int64_t kTile = 16 * kLanes;  // lanes of a tile of A
template <class P>
constexpr int64_t kUnit = kLanes* kDepth<P>;  // numbers of k of a tile
#include "backends/cpu/simd/avx512.inc"

#include "backends/cpu/simd/avx512_bf16.inc"

#include "backends/cpu/simd/avx512_vnni.inc"

#include "backends/cpu/gemm/kernels.inc"

#include "backends/cpu/gemm/int_tile.inc"

void enter() {
  static constexpr TileConfig config;
  _tile_loadconfig(&config);
}
void leave() { _tile_release(); }

// Tile c += tile a times tile b. The intrinsics take constants alone.
#define SUIREN_TILE_PRODUCT(c, a, b)           \
  do {                                         \
    if constexpr (std::is_same_v<P, Int8Quad>) \
      _tile_dpbusd(c, a, b);                   \
    else                                       \
      _tile_dpbf16ps(c, a, b);                 \
  } while (false)

// sums[16 kHigh][kNr] = sum over kc steps of A B: tiles 0 to 3 hold the sums, 4 and 5 A, 6 and 7 B.
template <class P, int kHigh>
SUIREN_INLINE void multiply(int64_t kc, const P* a, const P* b, SumOf<P>* sums) {
  constexpr int64_t kRow = kLanes * sizeof(P), kWide = kNr * sizeof(P);  // bytes, of sums too
  _tile_zero(0);
  _tile_zero(1);
  if constexpr (kHigh == 2) {
    _tile_zero(2);
    _tile_zero(3);
  }
  for (int64_t k = 0; k < kc; k += kLanes, a += 2 * kTile, b += kLanes * kNr) {
    _tile_loadd(6, b, kWide);
    _tile_loadd(4, a, kRow);
    SUIREN_TILE_PRODUCT(0, 4, 6);
    _tile_loadd(7, b + 16, kWide);
    SUIREN_TILE_PRODUCT(1, 4, 7);
    if constexpr (kHigh == 2) {
      _tile_loadd(5, a + kTile, kRow);
      SUIREN_TILE_PRODUCT(2, 5, 6);
      SUIREN_TILE_PRODUCT(3, 5, 7);
    }
  }
  _tile_stored(0, sums, kWide);
  _tile_stored(1, sums + 16, kWide);
  if constexpr (kHigh == 2) {
    _tile_stored(2, sums + 16 * kNr, kWide);
    _tile_stored(3, sums + 16 * kNr + 16, kWide);
  }
}
#undef SUIREN_TILE_PRODUCT

// Panel of 32 rows: [unit of k][16 rows][16 lanes] twice.
template <class P>
void pack_tiles(const NumberOf<P>* src, int64_t stride_i, int64_t stride_k, int64_t count, int64_t kc,
                P* dst) {
  using S = Simd<P>;
  for (int64_t k = 0; k < kc; k += kUnit<P>)
    for (int64_t i = 0; i < kMr; i += 16, dst += kTile) {
      const int64_t rows = count - i < 16 ? count - i : 16, numbers = kc - k < kUnit<P> ? kc - k : kUnit<P>;
      if (rows <= 0) continue;  // no tile reads them
      const NumberOf<P>* from = src + i * stride_i + k * stride_k;
      if (stride_k == 1) {
        for (int64_t r = 0; r < 16; ++r)
          S::store(dst + r * kLanes, r < rows ? S::load(from + r * stride_i, numbers) : S::zero());
      } else {
        alignas(64) P turned[kTile] = {};
        pack<P, 16>(from, stride_i, stride_k, rows, numbers, turned);
        typename S::V square[16];
        for (int64_t p = 0; p < kLanes; ++p) square[p] = S::load(turned + p * 16);
        S::transpose(square);
        for (int64_t r = 0; r < 16; ++r) S::store(dst + r * kLanes, square[r]);
      }
      if constexpr (std::is_same_v<P, Int8Quad>) make_unsigned(dst, kTile);
    }
}

// Panel of B: that of the vector units, its last unit filled with zeros.
template <class P>
void pack_columns(const NumberOf<P>* src, int64_t stride_i, int64_t stride_k, int64_t count, int64_t kc,
                  P* dst) {
  pack<P, kNr>(src, stride_i, stride_k, count, kc, dst);
  const int64_t steps = (kc + kDepth<P> - 1) / kDepth<P>, all = (kc + kUnit<P> - 1) / kUnit<P> * kLanes;
  for (int64_t p = steps * kNr; p < all * kNr; p += 16) Simd<P>::store(dst + p, Simd<P>::zero());
}

template <>
struct RegisterTile<Bf16Pair> {
  template <int kRows, int kRowStride>
  static void run(int64_t kc, const Bf16Pair* a, int64_t, const Bf16Pair* b, int64_t, float* c, int64_t ldc,
                  int64_t cols, bool add, bfloat16* out, int64_t ld_out) {
    alignas(64) float sums[(kRows + 15) / 16 * 16 * kNr];
    multiply<Bf16Pair, (kRows + 15) / 16>(kc, a, b, sums);
    for (int64_t i = 0; i < kRows; ++i)
      store_row(_mm512_load_ps(sums + i * kNr), _mm512_load_ps(sums + i * kNr + 16), c + i * ldc, cols, add,
                out ? out + i * ld_out : nullptr);
  }
};

template <>
struct RegisterTile<Int8Quad> {
  template <int kRows, int kRowStride>
  static void run(int64_t kc, const Int8Quad* a, int64_t, const Int8Quad* b, int64_t, int32_t* c, int64_t ldc,
                  int64_t cols, bool add) {
    alignas(64) int32_t sums[(kRows + 15) / 16 * 16 * kNr];
    multiply<Int8Quad, (kRows + 15) / 16>(kc, a, b + kNr, sums);
    Simd<Int8Quad>::V s[kRows][2];
#pragma GCC unroll 32
    for (int64_t i = 0; i < kRows; ++i)
      s[i][0] = Simd<Int8Quad>::load(sums + i * kNr, 16),
      s[i][1] = Simd<Int8Quad>::load(sums + i * kNr + 16, 16);
    store_ints<Int8Quad, kRows>(s, b, c, ldc, cols, add);
  }
};
}  // namespace

const GemmKernels<Bf16Pair> gemm_bf16 = {.mr = kMr,
                                         .nr = kNr,
                                         .a_width = kMr,
                                         .k_unit = kUnit<Bf16Pair>,
                                         .tiles = {nullptr, kTiles<Bf16Pair, 0>.data()},
                                         .pack_a = pack_tiles<Bf16Pair>,
                                         .pack_b = pack_columns<Bf16Pair>,
                                         .copy_a = nullptr,
                                         .add = add_row<float>,
                                         .enter = enter,
                                         .leave = leave};
const GemmKernels<Int8Quad> gemm_int8 = {.mr = kMr,
                                         .nr = kNr,
                                         .a_width = kMr,
                                         .k_unit = kUnit<Int8Quad>,
                                         .tiles = {nullptr, kTiles<Int8Quad, 0>.data()},
                                         .pack_a = pack_tiles<Int8Quad>,
                                         .pack_b = pack_columns<Int8Quad>,
                                         .copy_a = nullptr,
                                         .add = add_ints,
                                         .lead_b = lead_b,
                                         .enter = enter,
                                         .leave = leave};

}  // namespace suiren::cpu::amx

HWY_POP_ATTRIBUTES
#endif
