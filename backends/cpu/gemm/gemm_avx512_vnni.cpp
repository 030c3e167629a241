// The AVX512_VNNI kernels of products of int8 numbers. Everything but the table has internal linkage.

#include "backends/cpu/gemm/kernels.h"

#if defined(__x86_64__)
#include <hwy/base.h>
#include <immintrin.h>

#include <array>
#include <utility>

HWY_PUSH_ATTRIBUTES("avx512f,avx512bw,avx512dq,avx512vl,avx512cd,avx512vnni,avx2,fma")

namespace suiren::cpu::avx512_vnni {
namespace {
constexpr int kMr = 14;
#include "backends/cpu/simd/avx512.inc"

#include "backends/cpu/simd/avx512_vnni.inc"

#include "backends/cpu/gemm/kernels.inc"

#include "backends/cpu/gemm/int_tile.inc"

template <>
struct RegisterTile<Int8Quad> {
  template <int kRows, int kRowStride>
  static void run(int64_t kc, const Int8Quad* a, int64_t a_step, const Int8Quad* b, int64_t ldb, int32_t* c,
                  int64_t ldc, int64_t cols, bool add) {
    fetch<kRows>(c, ldc, 32);
    Simd<Int8Quad>::V s[kRows][2];
    chains<Int8Quad, kRows, kRowStride>(kc, a, a_step, b + ldb, ldb, s);
    store_ints<Int8Quad, kRows>(s, b, c, ldc, cols, add);
  }
};

void pack_a(const int8_t* src, int64_t stride_i, int64_t stride_k, int64_t count, int64_t kc, Int8Quad* dst) {
  pack<Int8Quad, 16>(src, stride_i, stride_k, count, kc, dst);
  make_unsigned(dst, (kc + 3) / 4 * 16);
}

void copy_a(const int8_t* src, int64_t stride_i, int64_t stride_k, int64_t count, int64_t kc, Int8Quad* dst) {
  copy_rows<Int8Quad>(src, stride_i, stride_k, count, kc, dst);
  for (int64_t i = 0; i < count; ++i) make_unsigned(dst + i * kGemmKBlock / 4, (kc + 3) / 4);
}
}  // namespace

const GemmKernels<Int8Quad> gemm_int8 = {
    .mr = kMr,
    .nr = 32,
    .a_width = 16,
    .k_unit = 4,
    .tiles = {kTiles<Int8Quad, kGemmKBlock / 4>.data(), kTiles<Int8Quad, 0>.data()},
    .pack_a = pack_a,
    .pack_b = pack<Int8Quad, 32>,
    .copy_a = copy_a,
    .add = add_ints,
    .lead_b = lead_b};

}  // namespace suiren::cpu::avx512_vnni

HWY_POP_ATTRIBUTES
#endif
