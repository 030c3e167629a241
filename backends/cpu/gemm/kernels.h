#pragma once
// What one ISA level offers to the driver in gemm.cpp: a register tile and the packing of its operands.
//
// A panel is made of lanes: a float, a double, an int32, or two bf16, two int16 or four int8 numbers that
// follow each other along k. "Step" counts lanes along k, so that a block of kc numbers takes kc steps of
// floats and ceil(kc / 2) of pairs.

#include <cstdint>
#include <type_traits>

#include "backends/cpu/gemm/gemm.h"
#include "suiren/base/dtype.h"

namespace suiren::cpu {

/// Numbers 2 p (first) and 2 p + 1 of one row of A or one column of B; zero beyond the end.
struct Bf16Pair {
  bfloat16 first, second;
};

/// The same of int16 numbers: int8 ones, widened.
struct Int16Pair {
  int16_t first, second;
};

/// Numbers 4 p .. 4 p + 3. The units multiply unsigned by signed numbers: a panel of A holds a + 128, and one
/// of B begins with a step of int32: -128 times the sum of the column's numbers, with which its sums begin.
struct Int8Quad {
  int8_t numbers[4];
};

/// What lanes of type P hold, and what their products are summed in.
template <class P>
struct LaneOf {
  using Number = P;
  using Sum = P;
};
template <>
struct LaneOf<Int16Pair> {
  using Number = int16_t;
  using Sum = int32_t;
};
template <>
struct LaneOf<Int8Quad> {
  using Number = int8_t;
  using Sum = int32_t;
};
template <>
struct LaneOf<Bf16Pair> {
  using Number = bfloat16;
  using Sum = float;
};
template <class P>
using NumberOf = typename LaneOf<P>::Number;
template <class P>
using SumOf = typename LaneOf<P>::Sum;
template <class P>
inline constexpr int64_t kDepth = sizeof(P) / sizeof(NumberOf<P>);  ///< numbers along k in one lane
template <class P>  // steps before the numbers in a panel of B
inline constexpr int64_t kLead = std::is_same_v<P, Int8Quad> ? 1 : 0;

/// The block of the left operand that one tile reads, in one of two layouts.
enum class APanel {
  kRows,     ///< row i, step k at a[i * kGemmKBlock / kDepth + k]: a copy of rows that were contiguous in k
  kColumns,  ///< as pack_a leaves it: row i, step k at a[k * a_step + i]
};

/// c[rows, cols] = (add ? c : 0) + sum over k of a b, the sum starting from 0, for kc <= kGemmKBlock / kDepth
/// steps. rows is the function's index in the table; b holds nr lanes a step, ldb apart; cols <= nr.
template <class P>
struct TileFunction {
  using Type = void (*)(int64_t kc, const P* a, int64_t a_step, const P* b, int64_t ldb, SumOf<P>* c,
                        int64_t ldc, int64_t cols, bool add);
};
/// The same, rounded into `out` (rows ld_out apart) instead of stored into c where out is not null.
template <>
struct TileFunction<Bf16Pair> {
  using Type = void (*)(int64_t kc, const Bf16Pair* a, int64_t a_step, const Bf16Pair* b, int64_t ldb,
                        float* c, int64_t ldc, int64_t cols, bool add, bfloat16* out, int64_t ld_out);
};

template <class P>
struct GemmKernels {
  using Tile = typename TileFunction<P>::Type;
  /// Lane i of step k at dst[k * width + i] holds src[i * stride_i + (kDepth k ..) * stride_k] for i < count,
  /// 0 for count <= i < width; kc numbers of k, rounded up to whole units.
  using Pack = void (*)(const NumberOf<P>* src, int64_t stride_i, int64_t stride_k, int64_t count, int64_t kc,
                        P* dst);

  int mr, nr;            ///< tallest tile and its width
  int a_width;           ///< rows of a panel in kColumns
  int k_unit;            ///< numbers of k that a tile takes at once: a panel's last unit is filled with zeros
  const Tile* tiles[2];  ///< [APanel][rows], rows from 1 to mr
  Pack pack_a, pack_b;   ///< width is a_width, nr
  Pack copy_a;  ///< row i to dst[i * kGemmKBlock / kDepth ..], APanel::kRows; null: there are no such tiles
  void (*add)(const SumOf<P>* s, SumOf<P>* c, int64_t n);  ///< c += s, n numbers
  void (*lead_b)(P* panel, int64_t steps) = nullptr;       ///< fills a panel's first step, where it has one
  void (*enter)() = nullptr;  ///< before and after the tiles of a product, on each thread: AMX has a state
  void (*leave)() = nullptr;
};

namespace amx {
extern const GemmKernels<Bf16Pair> gemm_bf16;
extern const GemmKernels<Int8Quad> gemm_int8;
}  // namespace amx
namespace avx512_bf16 {
extern const GemmKernels<Bf16Pair> gemm_bf16;
}  // namespace avx512_bf16
namespace avx512_vnni {
extern const GemmKernels<Int8Quad> gemm_int8;
}  // namespace avx512_vnni
namespace avx512 {
extern const GemmKernels<float> gemm_f32;
extern const GemmKernels<double> gemm_f64;
}  // namespace avx512
namespace avx2 {
extern const GemmKernels<Int16Pair> gemm_int16;
extern const GemmKernels<float> gemm_f32;
extern const GemmKernels<double> gemm_f64;
}  // namespace avx2
namespace portable {
extern const GemmKernels<int32_t> gemm_int32;
extern const GemmKernels<float> gemm_f32;
extern const GemmKernels<double> gemm_f64;
}  // namespace portable

}  // namespace suiren::cpu
