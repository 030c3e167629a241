// The AMX kernels of the matrix product: 32 rows by 32 columns in four tiles of sums. Panels of B are those
// of AVX512_BF16; a panel of A holds, for each 32 numbers of k, two tiles of 16 rows. Everything but the
// table has internal linkage.

#include "backends/cpu/gemm/kernels.h"

#if defined(__x86_64__)
#include <hwy/base.h>
#include <immintrin.h>

#include <array>
#include <utility>

#include "backends/cpu/tiles.h"

HWY_PUSH_ATTRIBUTES("avx512f,avx512bw,avx512dq,avx512vl,avx512cd,avx512bf16,avx2,fma,amx-tile,amx-bf16")

namespace suiren::cpu::amx {
namespace {
constexpr int kMr = 32, kNr = 32;
constexpr int64_t kPairs = 16;          // of one row of a tile
constexpr int64_t kTile = 16 * kPairs;  // pairs of a tile of A
constexpr int64_t kUnit = kPairs * 2;   // numbers of k of a tile
#include "backends/cpu/simd/avx512.inc"

#include "backends/cpu/simd/avx512_bf16.inc"

#include "backends/cpu/gemm/kernels.inc"

void enter() {
  static constexpr TileConfig config;
  _tile_loadconfig(&config);
}
void leave() { _tile_release(); }

// sums[16 kHigh][kNr] = sum over kc steps of A B: tiles 0 to 3 hold the sums, 4 and 5 A, 6 and 7 B.
template <int kHigh>
SUIREN_INLINE void multiply(int64_t kc, const Bf16Pair* a, const Bf16Pair* b, float* sums) {
  _tile_zero(0);
  _tile_zero(1);
  if constexpr (kHigh == 2) {
    _tile_zero(2);
    _tile_zero(3);
  }
  for (int64_t k = 0; k < kc; k += kPairs, a += 2 * kTile, b += kPairs * kNr) {
    _tile_loadd(6, b, kNr * sizeof(Bf16Pair));
    _tile_loadd(4, a, kPairs * sizeof(Bf16Pair));
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, b + 16, kNr * sizeof(Bf16Pair));
    _tile_dpbf16ps(1, 4, 7);
    if constexpr (kHigh == 2) {
      _tile_loadd(5, a + kTile, kPairs * sizeof(Bf16Pair));
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
  }
  _tile_stored(0, sums, kNr * sizeof(float));
  _tile_stored(1, sums + 16, kNr * sizeof(float));
  if constexpr (kHigh == 2) {
    _tile_stored(2, sums + 16 * kNr, kNr * sizeof(float));
    _tile_stored(3, sums + 16 * kNr + 16, kNr * sizeof(float));
  }
}

// Panel of 32 rows: [unit of k][16 rows][16 pairs] twice.
void pack_tiles(const bfloat16* src, int64_t stride_i, int64_t stride_k, int64_t count, int64_t kc,
                Bf16Pair* dst) {
  using S = Simd<Bf16Pair>;
  for (int64_t k = 0; k < kc; k += kUnit)
    for (int64_t i = 0; i < kMr; i += 16, dst += kTile) {
      const int64_t rows = count - i < 16 ? count - i : 16, numbers = kc - k < kUnit ? kc - k : kUnit;
      if (rows <= 0) continue;  // no tile reads them
      const bfloat16* from = src + i * stride_i + k * stride_k;
      if (stride_k == 1) {
        for (int64_t r = 0; r < 16; ++r)
          S::store(dst + r * kPairs, r < rows ? S::load(from + r * stride_i, numbers) : S::zero());
        continue;
      }
      alignas(64) Bf16Pair turned[kTile] = {};
      pack<Bf16Pair, 16>(from, stride_i, stride_k, rows, numbers, turned);
      S::V square[16];
      for (int64_t p = 0; p < kPairs; ++p) square[p] = S::load(turned + p * 16);
      S::transpose(square);
      for (int64_t r = 0; r < 16; ++r) S::store(dst + r * kPairs, square[r]);
    }
}

// Panel of B: that of AVX512_BF16, its last unit filled with zeros.
void pack_columns(const bfloat16* src, int64_t stride_i, int64_t stride_k, int64_t count, int64_t kc,
                  Bf16Pair* dst) {
  pack<Bf16Pair, kNr>(src, stride_i, stride_k, count, kc, dst);
  const int64_t steps = (kc + 1) / 2, all = (kc + kUnit - 1) / kUnit * kPairs;
  for (int64_t p = steps * kNr; p < all * kNr; p += 16) Simd<Bf16Pair>::store(dst + p, _mm512_setzero_ps());
}

template <>
struct RegisterTile<Bf16Pair> {
  template <int kRows, int kRowStride>
  static void run(int64_t kc, const Bf16Pair* a, int64_t, const Bf16Pair* b, int64_t, float* c, int64_t ldc,
                  int64_t cols, bool add, bfloat16* out, int64_t ld_out) {
    alignas(64) float sums[(kRows + 15) / 16 * 16 * kNr];
    multiply<(kRows + 15) / 16>(kc, a, b, sums);
    for (int64_t i = 0; i < kRows; ++i)
      store_row(_mm512_load_ps(sums + i * kNr), _mm512_load_ps(sums + i * kNr + 16), c + i * ldc, cols, add,
                out ? out + i * ld_out : nullptr);
  }
};
}  // namespace

const GemmKernels<Bf16Pair> gemm_bf16 = {
    kMr,        kNr,          kMr,     kUnit,          {nullptr, kTiles<Bf16Pair, 0>.data()},
    pack_tiles, pack_columns, nullptr, add_row<float>, enter,
    leave};

}  // namespace suiren::cpu::amx

HWY_POP_ATTRIBUTES
#endif
