#pragma once
// Rows of f32, bf16 or f16, of any stride, brought into a small f32 buffer and back: so that one f32 kernel
// serves three dtypes and every layout. bf16 and f16 are rounded once, on the way back.

#include <algorithm>
#include <cstdint>

#include "backends/abi/kernel.h"
#include "suiren/base/dtype.h"

namespace suiren::cpu {

inline constexpr int64_t kStage = 512;  ///< elements that are staged at a time

/// y[i] = x[i], rows without gaps. To f32 exact, from f32 to nearest even; NaN stays NaN.
void convert_row(const bfloat16* x, float* y, int64_t n);
void convert_row(const float16* x, float* y, int64_t n);
void convert_row(const float* x, bfloat16* y, int64_t n);
void convert_row(const float* x, float16* y, int64_t n);

/// to[i] = element i of the row at `from`, strides in bytes.
void stage(DType dtype, const char* from, int64_t stride, float* to, int64_t n);
void unstage(DType dtype, const float* from, char* to, int64_t stride, int64_t n);

/// sum[i] += x[i] for n bf16 or f16 numbers in memory order, on all threads: gradients kept wider than they
/// are made.
void add_narrow(DType dtype, const char* x, float* sum, int64_t n);

/// A contiguous f32 row is used where it lies; everything else passes through `buffer`.
inline const float* staged(DType dtype, const char* from, int64_t stride, float* buffer, int64_t n) {
  if (dtype == kF32 && (stride == 4 || n == 1)) return reinterpret_cast<const float*>(from);
  stage(dtype, from, stride, buffer, n);
  return buffer;
}

/// True for the dtypes that compute in f32.
inline bool computes_in_f32(DType d) { return d == kF32 || d == kBF16 || d == kF16; }
inline DType dtype_of_operand(uint16_t id) { return static_cast<DType::Id>(id); }
/// True for the dtypes that are widened for that.
inline bool is_narrow(uint16_t dtype) { return dtype == SR_BF16 || dtype == SR_F16; }

}  // namespace suiren::cpu
