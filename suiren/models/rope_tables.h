#pragma once
// cos and sin of rotary positions (Su et al. 2021), computed in double and rounded once. Thread-safe.

#include <mutex>

#include "suiren/core/tensor.h"

namespace suiren::models {

class RopeTables {
 public:
  /// Angle of pair i at position p: p theta^(-2 i / head_dim).
  RopeTables(int64_t head_dim, double theta, int64_t max_positions, const Device& device, DType dtype);
  struct Slice {
    Tensor cos, sin;  ///< [count, head_dim / 2]
  };
  /// Positions first .. first + count - 1; the tables grow by doubling up to max_positions.
  Slice at(int64_t first, int64_t count) const;

 private:
  void grow(int64_t positions) const;
  int64_t head_dim_, max_positions_;
  double theta_;
  Device device_;
  DType dtype_;
  mutable std::mutex mutex_;
  mutable int64_t positions_ = 0;
  mutable Tensor cos_, sin_;
};

}  // namespace suiren::models
