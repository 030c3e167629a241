// The AVX2 kernels of attention. Everything but the table has internal linkage.

#include "backends/cpu/attention/kernels.h"

#if defined(__x86_64__)
#include <hwy/base.h>
#include <immintrin.h>

#include <array>
#include <utility>

#include "backends/cpu/attention/attention.h"
#include "backends/cpu/gemm/gemm.h"
#include "backends/cpu/gemm/kernels.h"

HWY_PUSH_ATTRIBUTES("avx2,fma")

namespace suiren::cpu::avx2 {
namespace {
constexpr int kMr = 6;
#include "backends/cpu/simd/avx2.inc"

#include "backends/cpu/gemm/kernels.inc"

#include "backends/cpu/simd/exp.inc"

#include "backends/cpu/attention/kernels.inc"

#include "backends/cpu/attention/forward.inc"

#include "backends/cpu/attention/backward.inc"
}  // namespace

const AttentionKernels<float> attention = make_attention<float>();

}  // namespace suiren::cpu::avx2

HWY_POP_ATTRIBUTES
#endif
