#pragma once
// A contiguous cache of keys and values, one sequence (or several of equal length). One thread at a time.

#include <vector>

#include "suiren/models/config.h"
#include "suiren/models/kv_store.h"

namespace suiren::infer {

class KvCache : public models::KvStore {
 public:
  /// Room for `capacity` positions of `batch` sequences: for each layer keys and values, or the compressed
  /// vectors of latent attention, of batch capacity cache_heads cache_width elements of `dtype`, to which
  /// they are rounded: the model's cache_dtype().
  KvCache(const models::TransformerConfig& config, int64_t capacity, int64_t batch = 1,
          const Device& device = {}, DType dtype = kF32);
  int64_t length() const override { return length_; }
  int64_t capacity() const { return capacity_; }
  std::pair<Tensor, Tensor> append(int64_t layer, const Tensor& k, const Tensor& v) override;
  void advance(int64_t positions) override { length_ += positions; }
  /// Forgets the positions from `length` on.
  void truncate(int64_t length);
  /// Makes room for `capacity` positions at least; what is held is kept.
  void reserve(int64_t capacity);

 private:
  int64_t capacity_, length_ = 0;
  std::vector<Tensor> keys_, values_;  // a layer each: [batch, capacity, heads, width]; no values when latent
};

}  // namespace suiren::infer
