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

HWY_PUSH_ATTRIBUTES("avx2,fma,f16c")

namespace suiren::cpu::avx2 {
namespace {
constexpr int kMr = 6;
#include "backends/cpu/simd/avx2.inc"

#include "backends/cpu/gemm/kernels.inc"

#include "backends/cpu/simd/exp.inc"

#include "backends/cpu/attention/kernels.inc"

// n numbers of 16 bits -> f32
inline void widen_f16(const uint16_t* from, int64_t n, float* to) {
  float16 x;
  int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    _mm256_storeu_ps(to + i, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i))));
  for (; i < n; ++i) x.bits = from[i], to[i] = x;
}
inline void widen_bf16(const uint16_t* from, int64_t n, float* to) {
  bfloat16 x;
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const auto bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i));
    _mm256_storeu_ps(to + i, _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16)));
  }
  for (; i < n; ++i) x.bits = from[i], to[i] = x;
}

#include "backends/cpu/attention/forward.inc"

#include "backends/cpu/attention/backward.inc"
}  // namespace

const AttentionKernels<float> attention = make_attention<float>();

}  // namespace suiren::cpu::avx2

HWY_POP_ATTRIBUTES
#endif
