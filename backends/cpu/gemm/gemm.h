#pragma once
// Matrix products on the CPU: C = A B and C += A B, for any strides, in one fixed order of summation.
//
// Order of the sum, whatever the shape, batch, threads, strides or packing: k is cut into blocks of
// kGemmKBlock; blocks are added in ascending order, c = s0, c = c + s1, ..., and with `accumulate` c = c + s0
// first. So a row computed alone has the bits it has within a batch. f32, bf16 and f16 sum in f32 (a bf16 or
// f16 result is rounded once, at the end); f64 sums in f64. The sum s of a block, from s = 0:
// - on the FMA units and the portable path s = s + a[k] b[k] for ascending k (one rounding per step where the
//   ISA level has FMA, two in the portable path); f16, and bf16 on a CPU without bf16 units, is widened to
//   f32;
// - bf16 on AVX512_BF16: for each pair of k, s = s + a[k + 1] b[k + 1], then s = s + a[k] b[k];
// - bf16 on AMX: for each 32 numbers of k, s = s + (e + o), e the chain of the 16 even ones, o of the odd
// ones. The bf16 units round each step to nearest, read denormals as zero and flush denormal sums to zero; k
// is filled up with zeros to whole pairs and to whole 32 numbers. A result depends on the level and its units
// alone.
//
// Products of int8 numbers are summed in i32 without rounding, modulo 2^32: exact for k <= kGemmInt8Exact,
// whatever the level and its units.
//
// All functions are safe to call from any thread. Method: Goto and van de Geijn, "Anatomy of High-Performance
// Matrix Multiplication" (2008): packed panels, a register tile, K blocks that fit the first-level cache.
// Instructions: Intel Architectures Software Developer's Manual, volume 2, VDPBF16PS, TDPBF16PS, VPDPBUSD and
// TDPBUSD.

#include <cstdint>
#include <memory>

#include "suiren/base/cpu.h"
#include "suiren/base/dtype.h"

namespace suiren::cpu {

inline constexpr int64_t kGemmKBlock = 256;  ///< part of the numeric contract above: changing it changes bits

/// The units that products of bf16 numbers run on: none (they are widened, and multiplied as f32),
/// AVX512_BF16, or AMX tiles.
enum class Bf16Units { kNone, kAvx512, kAmx };
/// The best that this CPU and operating system offer at a level; none below kAvx512.
Bf16Units bf16_units(Isa isa = suiren::isa());

/// The longest sum of products of int8 numbers that cannot leave i32.
inline constexpr int64_t kGemmInt8Exact = INT32_MAX / (128 * 128);

/// The units that products of int8 numbers run on: none (they are widened to i16, or to i32 by the portable
/// path), AVX512_VNNI, or AMX tiles.
enum class Int8Units { kNone, kAvx512, kAmx };
Int8Units int8_units(Isa isa = suiren::isa());

/// Which kernels to use. `bf16` and `int8` matter for products of such numbers only.
struct GemmLevel {
  Isa isa;
  Bf16Units bf16;
  Int8Units int8;
  GemmLevel(Isa isa = suiren::isa()) : GemmLevel(isa, bf16_units(isa), int8_units(isa)) {}
  GemmLevel(Isa isa, Bf16Units bf16, Int8Units int8 = Int8Units::kNone) : isa(isa), bf16(bf16), int8(int8) {}
  bool operator==(const GemmLevel&) const = default;
};

/// A read-only matrix of any layout: element (i, j) is data[i * row_stride + j * col_stride]. A transposed
/// view swaps the sizes and the strides. Strides are in elements and may be 0 or negative.
template <class T>
struct MatrixView {
  const T* data;
  int64_t rows, cols, row_stride, col_stride;
  MatrixView transposed() const { return {data, cols, rows, col_stride, row_stride}; }
};

/// The right operand, copied once into the panels that the kernels of one level read. For weights that many
/// products use. The numbers are kept in the type that is multiplied: f32, or bf16 where bf16 units run; so
/// the bits of a product are those of the unpacked operand.
class PackedB {
 public:
  PackedB() = default;
  template <class T>  // float, bfloat16, float16
  explicit PackedB(const MatrixView<T>& b, GemmLevel level = {});

  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  int64_t bytes() const { return bytes_; }
  GemmLevel level() const { return level_; }
  bool in_bf16() const { return in_bf16_; }  ///< panels of bf16: serves products of bf16 numbers alone
  bool empty() const { return !data_; }
  const void* data() const { return data_.get(); }

 private:
  template <class T, class P>
  void fill(const MatrixView<T>& b);
  struct Free {
    void operator()(char* p) const;
  };
  std::unique_ptr<char[], Free> data_;
  int64_t rows_ = 0, cols_ = 0, bytes_ = 0;
  GemmLevel level_{Isa::kPortable, Bf16Units::kNone};
  bool in_bf16_ = false;
};

struct GemmOptions {
  bool accumulate = false;  ///< C += A B instead of C = A B
  const PackedB* packed =
      nullptr;           ///< the right operand in panels; then `b` gives only its sizes (data unused)
  GemmLevel level = {};  ///< kernels to use; a packed operand must have the same level
  /// With accumulate: A B is summed from zero and then added to C as a whole, instead of block by block; for
  /// results of the type of the sums.
  bool whole = false;
};

/// C[m,n] = A[m,k] B[k,n]. C has contiguous columns and rows ldc elements apart; it overlaps neither operand.
/// Any size may be 0 (k = 0 gives zeros, or leaves C with accumulate). T: float, double, bfloat16, float16,
/// int8_t; `packed` serves all but double and int8_t. R is T, or float for the sums of bf16 and f16 as they
/// are; int32_t for int8_t.
template <class T, class R>
void gemm(const MatrixView<T>& a, const MatrixView<T>& b, R* c, int64_t ldc, const GemmOptions& options = {});

/// `batch` products of equal shape; matrix i of an operand lies at data + i * batch stride (0: shared by
/// all). The matrices of C do not overlap. Batch and tiles are spread over the threads together.
template <class T, class R>
void gemm_batched(int64_t batch, const MatrixView<T>& a, int64_t a_batch_stride, const MatrixView<T>& b,
                  int64_t b_batch_stride, R* c, int64_t c_batch_stride, int64_t ldc,
                  const GemmOptions& options = {});

}  // namespace suiren::cpu
