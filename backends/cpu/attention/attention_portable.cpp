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

// kLanes numbers of 16 bits -> f32
template <class Half>
SUIREN_INLINE V half_lanes(const uint16_t* p) {
  V v{};
  Half x;
  for (int i = 0; i < kLanes; ++i) x.bits = p[i], v[i] = x;
  return v;
}
SUIREN_INLINE V f16_lanes(const uint16_t* p) { return half_lanes<float16>(p); }
SUIREN_INLINE V bf16_lanes(const uint16_t* p) { return half_lanes<bfloat16>(p); }

#include "backends/cpu/attention/stored.inc"

#include "backends/cpu/attention/forward.inc"

#include "backends/cpu/attention/backward.inc"

#include "backends/cpu/attention/query.inc"
}  // namespace

const AttentionKernels<float> attention = make_attention<float>();
const QueryKernels query = make_query();

}  // namespace suiren::cpu::portable
