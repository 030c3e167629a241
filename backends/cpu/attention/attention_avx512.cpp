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

// kLanes numbers of 16 or 8 bits -> f32
SUIREN_INLINE V f16_lanes(const uint8_t* p) {
  return _mm512_maskz_cvtph_ps(S::kAll, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
SUIREN_INLINE V bf16_lanes(const uint8_t* p) {
  const auto bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return _mm512_castsi512_ps(
      _mm512_maskz_slli_epi32(S::kAll, _mm512_maskz_cvtepu16_epi32(S::kAll, bits), 16));
}
SUIREN_INLINE V i8_lanes(const uint8_t* p) {
  const auto bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return _mm512_maskz_cvtepi32_ps(S::kAll, _mm512_maskz_cvtepi8_epi32(S::kAll, bytes));
}
SUIREN_INLINE V f16_all(const uint8_t* p) {
  short bits;
  __builtin_memcpy(&bits, p, sizeof bits);
  return _mm512_maskz_cvtph_ps(S::kAll, _mm256_set1_epi16(bits));
}

#include "backends/cpu/attention/stored.inc"

#include "backends/cpu/attention/forward.inc"

#include "backends/cpu/attention/backward.inc"

#include "backends/cpu/attention/query.inc"
}  // namespace

const AttentionKernels<float> attention = make_attention<float>();
const QueryKernels query = make_query();

}  // namespace suiren::cpu::avx512

HWY_POP_ATTRIBUTES
#endif
