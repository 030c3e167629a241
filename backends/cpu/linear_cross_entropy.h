#pragma once
// How the cross-entropy behind a linear layer is cut (kernels/linear_cross_entropy.cpp). Pure functions.

#include <algorithm>
#include <cstdint>

namespace suiren::cpu {

/// Rows whose logits are held at a time: about 8 MB of them, and at least 64 rows, so that the products do
/// not wait for the weight. It follows from the number of classes alone: the bits of a sum of gradients hang
/// on it.
inline int64_t cross_entropy_chunk(int64_t classes) {
  constexpr int64_t kNumbers = 2 << 20, kLeast = 64;
  return std::max(kLeast, kNumbers / classes / kLeast * kLeast);
}

}  // namespace suiren::cpu
