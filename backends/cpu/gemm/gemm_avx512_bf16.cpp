// The AVX512_BF16 kernels of the matrix product. Everything but the table has internal linkage.

#include "backends/cpu/gemm/kernels.h"

#if defined(__x86_64__)
#include <hwy/base.h>
#include <immintrin.h>

#include <array>
#include <utility>

HWY_PUSH_ATTRIBUTES("avx512f,avx512bw,avx512dq,avx512vl,avx512cd,avx512bf16,avx2,fma")

namespace suiren::cpu::avx512_bf16 {
namespace {
constexpr int kMr = 14;
#include "backends/cpu/simd/avx512.inc"

#include "backends/cpu/simd/avx512_bf16.inc"

#include "backends/cpu/gemm/kernels.inc"

template <>
struct RegisterTile<Bf16Pair> {
  template <int kRows, int kRowStride>
  static void run(int64_t kc, const Bf16Pair* a, int64_t a_step, const Bf16Pair* b, int64_t ldb, float* c,
                  int64_t ldc, int64_t cols, bool add, bfloat16* out, int64_t ld_out) {
    if (add || !out) fetch<kRows>(c, ldc, 32);
    if (out) fetch<kRows>(out, ld_out, 32);
    __m512 s[kRows][2];
    chains<Bf16Pair, kRows, kRowStride>(kc, a, a_step, b, ldb, s);
    if (!out) return store_sums<float, kRows>(s, c, ldc, cols, add);
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) store_row(s[i][0], s[i][1], c + i * ldc, cols, add, out + i * ld_out);
  }
};
}  // namespace

const GemmKernels<Bf16Pair> gemm_bf16 = make_kernels<Bf16Pair>();

}  // namespace suiren::cpu::avx512_bf16

HWY_POP_ATTRIBUTES
#endif
