#pragma once
// Matrix products on the CPU: C = A B and C += A B, for any strides, in one fixed order of summation.
//
// Order of the sum, whatever the shape, batch, threads, strides or packing: k is cut into blocks of
// kGemmKBlock; within a block an element is the chain  s = 0; s = s + a[k] b[k]  for ascending k (one
// rounding per step where the ISA level has FMA, two in the portable path); blocks are added in ascending
// order, c = s0, c = c + s1, ..., and with `accumulate` c = c + s0 first. So a row computed alone has the
// bits it has within a batch. f32, bf16 and f16 sum in f32 (bf16 and f16 round once, at the end); f64 sums in
// f64.
//
// All functions are safe to call from any thread. Method: Goto and van de Geijn, "Anatomy of High-Performance
// Matrix Multiplication" (2008): packed panels, a register tile, K blocks that fit the first-level cache.

#include <cstdint>
#include <memory>

#include "suiren/base/cpu.h"
#include "suiren/base/dtype.h"

namespace suiren::cpu {

inline constexpr int64_t kGemmKBlock = 256;  ///< part of the numeric contract above: changing it changes bits

/// A read-only matrix of any layout: element (i, j) is data[i * row_stride + j * col_stride]. A transposed
/// view swaps the sizes and the strides. Strides are in elements and may be 0 or negative.
template <class T>
struct MatrixView {
  const T* data;
  int64_t rows, cols, row_stride, col_stride;
  MatrixView transposed() const { return {data, cols, rows, col_stride, row_stride}; }
};

/// The right operand, copied once into the panels that the kernels of one ISA level read. For weights that
/// many products use; the numbers are kept in f32, so the bits of a product are those of the unpacked
/// operand.
class PackedB {
 public:
  PackedB() = default;
  template <class T>  // float, bfloat16, float16
  explicit PackedB(const MatrixView<T>& b, Isa isa = suiren::isa());

  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  int64_t bytes() const { return bytes_; }
  Isa isa() const { return isa_; }
  bool empty() const { return !data_; }
  const float* data() const { return data_.get(); }

 private:
  struct Free {
    void operator()(float* p) const;
  };
  std::unique_ptr<float[], Free> data_;
  int64_t rows_ = 0, cols_ = 0, bytes_ = 0;
  Isa isa_ = Isa::kPortable;
};

struct GemmOptions {
  bool accumulate = false;  ///< C += A B instead of C = A B
  const PackedB* packed =
      nullptr;              ///< the right operand in panels; then `b` gives only its sizes (data unused)
  Isa isa = suiren::isa();  ///< kernels to use; a packed operand must have the same level
};

/// C[m,n] = A[m,k] B[k,n]. C has contiguous columns and rows ldc elements apart; it overlaps neither operand.
/// Any size may be 0 (k = 0 gives zeros, or leaves C with accumulate). T: float, double, bfloat16, float16;
/// `packed` serves all but double.
template <class T>
void gemm(const MatrixView<T>& a, const MatrixView<T>& b, T* c, int64_t ldc, const GemmOptions& options = {});

/// `batch` products of equal shape; matrix i of an operand lies at data + i * batch stride (0: shared by
/// all). The matrices of C do not overlap. Batch and tiles are spread over the threads together.
template <class T>
void gemm_batched(int64_t batch, const MatrixView<T>& a, int64_t a_batch_stride, const MatrixView<T>& b,
                  int64_t b_batch_stride, T* c, int64_t c_batch_stride, int64_t ldc,
                  const GemmOptions& options = {});

}  // namespace suiren::cpu
