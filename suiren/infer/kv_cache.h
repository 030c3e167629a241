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
  /// they are rounded: the model's cache_dtype(). Error{kShape} for blocks that do not fit the width.
  KvCache(const models::TransformerConfig& config, int64_t capacity, int64_t batch = 1,
          const Device& device = {}, DType dtype = kF32);
  int64_t length() const override { return length_; }
  int64_t capacity() const { return capacity_; }
  /// What the room takes.
  int64_t bytes() const;
  std::pair<Tensor, Tensor> append(int64_t layer, const Tensor& k, const Tensor& v) override;
  void advance(int64_t positions) override { length_ += positions; }
  /// Forgets the positions from `length` on.
  void truncate(int64_t length);
  /// Makes room for `capacity` positions at least; what is held is kept.
  void reserve(int64_t capacity);

 private:
  Tensor held(const Tensor& all, int64_t end, DType computed) const;
  DType dtype_;
  int64_t width_, capacity_, length_ = 0;
  // A layer each: [batch, capacity, heads, width], or the bytes of as many blocks; no values when latent.
  std::vector<Tensor> keys_, values_;
};

}  // namespace suiren::infer
