// The AVX2 kernels of the matrix product. Everything but the two tables has internal linkage.

#include "backends/cpu/gemm/kernels.h"

#if defined(__x86_64__)
#include <hwy/base.h>
#include <immintrin.h>

#include <array>
#include <utility>

#include "backends/cpu/gemm/gemm.h"

HWY_PUSH_ATTRIBUTES("avx2,fma")

namespace suiren::cpu::avx2 {
namespace {
constexpr int kMr = 6;
#include "backends/cpu/simd/avx2.inc"

#include "backends/cpu/gemm/kernels.inc"
}  // namespace

const GemmKernels<float> gemm_f32 = make_kernels<float>();
const GemmKernels<double> gemm_f64 = make_kernels<double>();

}  // namespace suiren::cpu::avx2

HWY_POP_ATTRIBUTES
#endif
