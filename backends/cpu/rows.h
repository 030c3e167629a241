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

/// Declines what these rows cannot serve: another dtype than f32, bf16 or f16, or gaps between elements.
inline Reason row_major_in_f32(const Call& c) {
  return computes_in_f32(dtype_of_operand(c.in(0).dtype())) ? row_major_inputs(c) : "dtype";
}

class ReadRows {
 public:
  explicit ReadRows(const Operand& x, int64_t width = 0)
      : x_(x), dtype_(dtype_of_operand(x.dtype())), width_(width) {}
  /// Rows where they lie, or widened into a buffer that the next call overwrites.
  const float* get(int64_t first, int64_t count) { return elements(first * width_, count * width_); }
  /// n elements that lie side by side, `at` elements from the first; of any layout otherwise.
  const float* elements(int64_t at, int64_t n) {
    const char* from = x_.data<char>() + at * dtype_.size();
    if (dtype_ == kF32) return reinterpret_cast<const float*>(from);
    buffer_.resize(static_cast<size_t>(n));
    stage(dtype_, from, dtype_.size(), buffer_.data(), n);
    return buffer_.data();
  }

 private:
  Operand x_;
  DType dtype_;
  int64_t width_;
  std::vector<float> buffer_;
};

class WriteRows {
 public:
  WriteRows(const Operand& y, int64_t width) : y_(y), dtype_(dtype_of_operand(y.dtype())), width_(width) {}
  /// Where to write them; put() completes it.
  float* get(int64_t first, int64_t count) {
    first_ = first, count_ = count;
    if (dtype_ == kF32) return y_.data<float>() + first * width_;
    buffer_.resize(static_cast<size_t>(count * width_));
    return buffer_.data();
  }
  /// Rounds what was written, where the operand is narrower.
  void put() {
    if (dtype_ == kF32) return;
    unstage(dtype_, buffer_.data(), y_.data<char>() + first_ * width_ * dtype_.size(), dtype_.size(),
            count_ * width_);
  }

 private:
  Operand y_;
  DType dtype_;
  int64_t width_, first_ = 0, count_ = 0;
  std::vector<float> buffer_;
};

}  // namespace suiren::cpu
