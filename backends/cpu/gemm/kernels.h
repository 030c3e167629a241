#pragma once
// What one ISA level offers to the driver in gemm.cpp: a register tile and the packing of its operands.

#include <cstdint>

namespace suiren::cpu {

/// The block of the left operand that one tile reads, in one of two layouts.
enum class APanel {
  kRows,     ///< row i, step k at a[i * kGemmKBlock + k]: a copy of rows that were contiguous in k
  kColumns,  ///< at a[k * a_step + i]: a copy of columns that were contiguous in m
};

template <class T>
struct GemmKernels {
  /// c[rows, cols] = (add ? c : 0) + sum over k of a b, the sum starting from 0, for kc <= kGemmKBlock steps.
  /// rows is the function's index in the table; b holds nr numbers a step, ldb apart; cols <= nr.
  using Tile = void (*)(int64_t kc, const T* a, int64_t a_step, const T* b, int64_t ldb, T* c, int64_t ldc,
                        int64_t cols, bool add);
  /// dst[k * width + i] = src[i * stride_i + k * stride_k] for i < count, 0 for count <= i < width.
  using Pack = void (*)(const T* src, int64_t stride_i, int64_t stride_k, int64_t count, int64_t kc, T* dst);

  int mr, nr;            ///< tallest tile and its width
  int a_width;           ///< mr rounded up to a whole vector
  const Tile* tiles[2];  ///< [APanel][rows], rows from 1 to mr
  Pack pack_a, pack_b;   ///< width is a_width, nr
};

namespace avx512 {
extern const GemmKernels<float> gemm_f32;
extern const GemmKernels<double> gemm_f64;
}  // namespace avx512
namespace avx2 {
extern const GemmKernels<float> gemm_f32;
extern const GemmKernels<double> gemm_f64;
}  // namespace avx2
namespace portable {
extern const GemmKernels<float> gemm_f32;
extern const GemmKernels<double> gemm_f64;
}  // namespace portable

}  // namespace suiren::cpu
