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

// kLanes numbers of 16 or 8 bits -> f32
SUIREN_INLINE V f16_lanes(const uint8_t* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
SUIREN_INLINE V bf16_lanes(const uint8_t* p) {
  const auto bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}
SUIREN_INLINE V i8_lanes(const uint8_t* p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
}
SUIREN_INLINE V f16_all(const uint8_t* p) {
  short bits;
  __builtin_memcpy(&bits, p, sizeof bits);
  return _mm256_cvtph_ps(_mm_set1_epi16(bits));
}

#include "backends/cpu/attention/stored.inc"

#include "backends/cpu/attention/forward.inc"

#include "backends/cpu/attention/backward.inc"

#include "backends/cpu/attention/query.inc"
}  // namespace

const AttentionKernels<float> attention = make_attention<float>();
const QueryKernels query = make_query();

}  // namespace suiren::cpu::avx2

HWY_POP_ATTRIBUTES
#endif
