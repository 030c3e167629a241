#pragma once
// Rows of f32, bf16 or f16, of any stride, brought into a small f32 buffer and back: so that one f32 kernel
// serves three dtypes and every layout. bf16 and f16 are rounded once, on the way back.

#include <algorithm>
#include <cstdint>

#include "suiren/base/dtype.h"

namespace suiren::cpu {

inline constexpr int64_t kStage = 512;  ///< elements that are staged at a time

/// to[i] = element i of the row at `from`, strides in bytes, n <= kStage.
inline void stage(DType dtype, const char* from, int64_t stride, float* to, int64_t n) {
  if (dtype == kF32) {
    for (int64_t i = 0; i < n; ++i) to[i] = *reinterpret_cast<const float*>(from + i * stride);
  } else if (dtype == kBF16) {
    for (int64_t i = 0; i < n; ++i) to[i] = *reinterpret_cast<const bfloat16*>(from + i * stride);
  } else {
    for (int64_t i = 0; i < n; ++i) to[i] = *reinterpret_cast<const float16*>(from + i * stride);
  }
}

inline void unstage(DType dtype, const float* from, char* to, int64_t stride, int64_t n) {
  if (dtype == kF32) {
    for (int64_t i = 0; i < n; ++i) *reinterpret_cast<float*>(to + i * stride) = from[i];
  } else if (dtype == kBF16) {
    for (int64_t i = 0; i < n; ++i) *reinterpret_cast<bfloat16*>(to + i * stride) = bfloat16(from[i]);
  } else {
    for (int64_t i = 0; i < n; ++i) *reinterpret_cast<float16*>(to + i * stride) = float16(from[i]);
  }
}

/// A contiguous f32 row is used where it lies; everything else passes through `buffer`.
inline const float* staged(DType dtype, const char* from, int64_t stride, float* buffer, int64_t n) {
  if (dtype == kF32 && (stride == 4 || n == 1)) return reinterpret_cast<const float*>(from);
  stage(dtype, from, stride, buffer, n);
  return buffer;
}

/// True for the dtypes that compute in f32.
inline bool computes_in_f32(DType d) { return d == kF32 || d == kBF16 || d == kF16; }
inline DType dtype_of_operand(uint16_t id) { return static_cast<DType::Id>(id); }

}  // namespace suiren::cpu
