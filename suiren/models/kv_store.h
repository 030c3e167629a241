#pragma once
// Keys and values of earlier positions, as the transformer sees them; suiren/infer/ implements it.

#include <cstdint>
#include <utility>

#include "suiren/core/tensor.h"

namespace suiren::models {

class KvStore {
 public:
  virtual ~KvStore() = default;
  virtual int64_t length() const = 0;  ///< positions held
  /// Adds k and v [B, T, heads, width] of one layer at positions length() .. length() + T - 1; returns all
  /// keys and values [B, length() + T, heads, width], rounded to what the store keeps; in its dtype or that
  /// of k. Latent attention has one vector for both: v undefined.
  virtual std::pair<Tensor, Tensor> append(int64_t layer, const Tensor& k, const Tensor& v) = 0;
  /// After the last layer: the positions count now.
  virtual void advance(int64_t positions) = 0;
};

/// x [..., width] as a store of `dtype` keeps it: rounded to nearest even, or for q8_0 in blocks of 32 along
/// the width, as suiren/quant/quantize.h. No gradient passes blocks.
Tensor as_stored(const Tensor& x, DType dtype);
/// What a store keeps, widened (exactly, where `dtype` is f32) or cast to `dtype`.
Tensor as_computed(const Tensor& stored, DType dtype);

}  // namespace suiren::models
