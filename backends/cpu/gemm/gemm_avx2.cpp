// The AVX2 kernels of the matrix product. Everything but the tables has internal linkage.

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

#include "backends/cpu/simd/avx2_int16.inc"

#include "backends/cpu/gemm/kernels.inc"

#include "backends/cpu/gemm/int_tile.inc"

template <>
struct RegisterTile<Int16Pair> {
  template <int kRows, int kRowStride>
  static void run(int64_t kc, const Int16Pair* a, int64_t a_step, const Int16Pair* b, int64_t ldb, int32_t* c,
                  int64_t ldc, int64_t cols, bool add) {
    fetch<kRows>(c, ldc, 16);
    Simd<Int16Pair>::V s[kRows][2];
    chains<Int16Pair, kRows, kRowStride>(kc, a, a_step, b, ldb, s);
    store_ints<Int16Pair, kRows>(s, nullptr, c, ldc, cols, add);
  }
};
}  // namespace

const GemmKernels<Int16Pair> gemm_int16 = {
    .mr = kMr,
    .nr = 16,
    .a_width = 8,
    .k_unit = 2,
    .tiles = {kTiles<Int16Pair, kGemmKBlock / 2>.data(), kTiles<Int16Pair, 0>.data()},
    .pack_a = pack<Int16Pair, 8>,
    .pack_b = pack<Int16Pair, 16>,
    .copy_a = copy_rows<Int16Pair>,
    .add = add_ints};

const GemmKernels<float> gemm_f32 = make_kernels<float>();
const GemmKernels<double> gemm_f64 = make_kernels<double>();

}  // namespace suiren::cpu::avx2

HWY_POP_ATTRIBUTES
#endif
