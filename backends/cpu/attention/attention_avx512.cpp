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

// n numbers of 16 bits -> f32
inline void widen_f16(const uint16_t* from, int64_t n, float* to) {
  float16 x;
  int64_t i = 0;
  for (; i + 16 <= n; i += 16)
    _mm512_storeu_ps(to + i, _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + i))));
  for (; i < n; ++i) x.bits = from[i], to[i] = x;
}
inline void widen_bf16(const uint16_t* from, int64_t n, float* to) {
  bfloat16 x;
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const auto bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + i));
    _mm512_storeu_ps(to + i, _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16)));
  }
  for (; i < n; ++i) x.bits = from[i], to[i] = x;
}

#include "backends/cpu/attention/forward.inc"

#include "backends/cpu/attention/backward.inc"
}  // namespace

const AttentionKernels<float> attention = make_attention<float>();

}  // namespace suiren::cpu::avx512

HWY_POP_ATTRIBUTES
#endif
