// The AVX-512 kernels of attention. Everything but the table has internal linkage.

#include "backends/cpu/attention/kernels.h"

#if defined(__x86_64__)
#include <hwy/base.h>
#include <immintrin.h>

#include <array>
#include <utility>

#include "backends/cpu/attention/attention.h"
#include "backends/cpu/gemm/gemm.h"
#include "backends/cpu/gemm/kernels.h"

HWY_PUSH_ATTRIBUTES("avx512f,avx512bw,avx512dq,avx512vl,avx512cd,avx2,fma")

namespace suiren::cpu::avx512 {
namespace {
constexpr int kMr = 14;
#include "backends/cpu/simd/avx512.inc"

#include "backends/cpu/gemm/kernels.inc"

#include "backends/cpu/simd/exp.inc"

#include "backends/cpu/attention/kernels.inc"

#include "backends/cpu/attention/forward.inc"

#include "backends/cpu/attention/backward.inc"
}  // namespace

const AttentionKernels<float> attention = make_attention<float>();

}  // namespace suiren::cpu::avx512

HWY_POP_ATTRIBUTES
#endif
