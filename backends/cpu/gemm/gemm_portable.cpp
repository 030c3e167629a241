// The portable kernels of the matrix product. Everything but the tables has internal linkage.

#include "backends/cpu/gemm/kernels.h"

#include <array>
#include <utility>

#include "backends/cpu/gemm/gemm.h"

namespace suiren::cpu::portable {
namespace {
constexpr int kMr = 4;
#include "backends/cpu/simd/portable.inc"

#include "backends/cpu/gemm/kernels.inc"
}  // namespace

const GemmKernels<int32_t> gemm_int32 = make_kernels<int32_t>();
const GemmKernels<float> gemm_f32 = make_kernels<float>();
const GemmKernels<double> gemm_f64 = make_kernels<double>();

}  // namespace suiren::cpu::portable
