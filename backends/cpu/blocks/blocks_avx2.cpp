// Products with matrices in blocks on CPUs with AVX2. Everything but the table has internal linkage.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "backends/cpu/blocks/kernels.h"
#include "suiren/quant/unpack.h"

#if defined(__x86_64__)
#include <hwy/base.h>
#include <immintrin.h>

HWY_PUSH_ATTRIBUTES("avx2,fma,f16c")

namespace suiren::cpu::avx2 {
namespace {

#include "backends/cpu/blocks/unpack_avx2.inc"

inline float multiply_add(float a, float b, float c) {
  return _mm_cvtss_f32(_mm_fmadd_ss(_mm_set_ss(a), _mm_set_ss(b), _mm_set_ss(c)));
}

#include "backends/cpu/blocks/shared.inc"

#include "backends/cpu/blocks/plain.inc"

}  // namespace

const BlockKernels block_kernels = make_block_kernels(round_row, []<DType::Id kId>() { return tile<kId>; });

}  // namespace suiren::cpu::avx2

HWY_POP_ATTRIBUTES
#endif
