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

// kLanes numbers of 16 or 8 bits -> f32
template <class Number>
SUIREN_INLINE V lanes_of(const uint8_t* p) {
  V v{};
  Number x;
  for (int i = 0; i < kLanes; ++i) {
    __builtin_memcpy(&x, p + i * sizeof x, sizeof x);
    v[i] = static_cast<float>(x);
  }
  return v;
}
SUIREN_INLINE V f16_lanes(const uint8_t* p) { return lanes_of<float16>(p); }
SUIREN_INLINE V bf16_lanes(const uint8_t* p) { return lanes_of<bfloat16>(p); }
SUIREN_INLINE V i8_lanes(const uint8_t* p) { return lanes_of<int8_t>(p); }
SUIREN_INLINE V f16_all(const uint8_t* p) {
  float16 x;
  __builtin_memcpy(&x, p, sizeof x);
  return S::set(x);
}

#include "backends/cpu/attention/stored.inc"

#include "backends/cpu/attention/forward.inc"

#include "backends/cpu/attention/backward.inc"

#include "backends/cpu/attention/query.inc"
}  // namespace

const AttentionKernels<float> attention = make_attention<float>();
const QueryKernels query = make_query();

}  // namespace suiren::cpu::portable
