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

#include "backends/cpu/gemm/tile_avx512_bf16.inc"
}  // namespace

const GemmKernels<Bf16Pair> gemm_bf16 = make_kernels<Bf16Pair>();

}  // namespace suiren::cpu::avx512_bf16

HWY_POP_ATTRIBUTES
#endif
