// The AVX512_BF16 kernels of attention in bf16. Everything but the table has internal linkage.

#include "backends/cpu/attention/kernels.h"

#if defined(__x86_64__)
#include <hwy/base.h>
#include <immintrin.h>

#include <array>
#include <utility>

#include "backends/cpu/attention/attention.h"
#include "backends/cpu/gemm/gemm.h"
#include "backends/cpu/gemm/kernels.h"

HWY_PUSH_ATTRIBUTES("avx512f,avx512bw,avx512dq,avx512vl,avx512cd,avx512bf16,avx2,fma")

namespace suiren::cpu::avx512_bf16 {
namespace {
constexpr int kMr = 14;
#include "backends/cpu/simd/avx512.inc"

#include "backends/cpu/simd/avx512_bf16.inc"

#include "backends/cpu/gemm/kernels.inc"

#include "backends/cpu/gemm/tile_avx512_bf16.inc"

#include "backends/cpu/simd/exp.inc"

#include "backends/cpu/attention/kernels.inc"

#include "backends/cpu/attention/forward.inc"

#include "backends/cpu/attention/backward.inc"
}  // namespace

const AttentionKernels<bfloat16> attention = make_attention<Bf16Pair>();

}  // namespace suiren::cpu::avx512_bf16

HWY_POP_ATTRIBUTES
#endif
