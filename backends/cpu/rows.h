#pragma once
// Rows of row-major operands as f32, a few at a time: how kernels that work row by row in f32 serve bf16 and
// f16 without a pass of their own over memory. One object to a thread.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "backends/cpu/kernel_list.h"
#include "backends/cpu/stage.h"

namespace suiren::cpu {

/// Rows that are worth taking together, of `width` numbers each: the buffers of a few operands stay in the
/// first-level cache.
inline int64_t rows_at_once(int64_t width) {
  return std::max<int64_t>(1, 2048 / std::max<int64_t>(1, width));
}

class ReadRows {
 public:
  ReadRows(const Operand& x, int64_t width) : x_(x), width_(width) {}
  /// Where they lie, or widened into a buffer that the next call overwrites.
  const float* get(int64_t first, int64_t count) {
    const DType dtype = dtype_of_operand(x_.dtype());
    if (dtype == kF32) return x_.data<float>() + first * width_;
    buffer_.resize(static_cast<size_t>(count * width_));
    if (dtype == kBF16)
      convert_row(x_.data<bfloat16>() + first * width_, buffer_.data(), count * width_);
    else
      convert_row(x_.data<float16>() + first * width_, buffer_.data(), count * width_);
    return buffer_.data();
  }

 private:
  Operand x_;
  int64_t width_;
  std::vector<float> buffer_;
};

class WriteRows {
 public:
  WriteRows(const Operand& y, int64_t width) : y_(y), width_(width) {}
  /// Where to write them; put() completes it.
  float* get(int64_t first, int64_t count) {
    first_ = first, count_ = count;
    if (y_.dtype() == SR_F32) return y_.data<float>() + first * width_;
    buffer_.resize(static_cast<size_t>(count * width_));
    return buffer_.data();
  }
  /// Rounds what was written, where the operand is narrower.
  void put() {
    if (y_.dtype() == SR_BF16)
      convert_row(buffer_.data(), y_.data<bfloat16>() + first_ * width_, count_ * width_);
    else if (y_.dtype() == SR_F16)
      convert_row(buffer_.data(), y_.data<float16>() + first_ * width_, count_ * width_);
  }

 private:
  Operand y_;
  int64_t width_, first_ = 0, count_ = 0;
  std::vector<float> buffer_;
};

}  // namespace suiren::cpu
