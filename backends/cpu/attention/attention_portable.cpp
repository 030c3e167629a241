// The portable kernels of attention. Everything but the table has internal linkage.

#include "backends/cpu/attention/kernels.h"

#include <array>
#include <utility>

#include "backends/cpu/attention/attention.h"
#include "backends/cpu/gemm/gemm.h"
#include "backends/cpu/gemm/kernels.h"

namespace suiren::cpu::portable {
namespace {
constexpr int kMr = 4;
#include "backends/cpu/simd/portable.inc"

#include "backends/cpu/gemm/kernels.inc"

#include "backends/cpu/simd/exp.inc"

#include "backends/cpu/attention/kernels.inc"

inline void widen_f16(const uint16_t* from, int64_t n, float* to) {
  float16 x;
  for (int64_t i = 0; i < n; ++i) x.bits = from[i], to[i] = x;
}
inline void widen_bf16(const uint16_t* from, int64_t n, float* to) {
  bfloat16 x;
  for (int64_t i = 0; i < n; ++i) x.bits = from[i], to[i] = x;
}

#include "backends/cpu/attention/forward.inc"

#include "backends/cpu/attention/backward.inc"
}  // namespace

const AttentionKernels<float> attention = make_attention<float>();

}  // namespace suiren::cpu::portable
