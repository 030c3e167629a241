#include "suiren/infer/kv_cache.h"

#include "suiren/core/autograd.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/copy/copy.h"
#include "suiren/ops/view/view.h"

namespace suiren::infer {

KvCache::KvCache(const models::TransformerConfig& c, int64_t capacity, int64_t batch, const Device& device,
                 DType dtype)
    : capacity_(capacity) {
  const Shape shape{batch, capacity, c.cache_heads(), c.cache_width()};
  for (int64_t i = 0; i < c.num_hidden_layers; ++i) {
    keys_.push_back(Tensor::empty(shape, dtype, device));
    if (c.caches_values()) values_.push_back(Tensor::empty(shape, dtype, device));
  }
}

std::pair<Tensor, Tensor> KvCache::append(int64_t layer, const Tensor& k, const Tensor& v) {
  const auto l = static_cast<size_t>(layer);
  const int64_t end = length_ + k.dim(1);
  SR_CHECK_AS(kShape, end <= capacity_, "{} positions exceed the cache's capacity of {}", end, capacity_);
  const NoGrad off;
  assign(slice(keys_[l], 1, length_, end), cast(k, keys_[l].dtype()));
  if (v.defined()) assign(slice(values_[l], 1, length_, end), cast(v, values_[l].dtype()));
  // Attention in f32 reads narrower keys and values as they stand.
  const auto held = [&](const Tensor& all) {
    const Tensor x = slice(all, 1, 0, end);
    return k.dtype() == kF32 ? x : cast(x, k.dtype());
  };
  return {held(keys_[l]), v.defined() ? held(values_[l]) : Tensor()};
}

void KvCache::truncate(int64_t length) {
  SR_CHECK(length >= 0 && length <= length_, "the cache holds {} positions and cannot be cut to {}", length_,
           length);
  length_ = length;
}

void KvCache::reserve(int64_t capacity) {
  if (capacity <= capacity_) return;
  const NoGrad off;
  for (auto* list : {&keys_, &values_})
    for (Tensor& held : *list) {
      Shape shape = held.shape();
      shape[1] = capacity;
      const Tensor larger = Tensor::empty(shape, held.dtype(), held.device());
      if (length_ > 0) assign(slice(larger, 1, 0, length_), slice(held, 1, 0, length_));
      held = larger;
    }
  capacity_ = capacity;
}

}  // namespace suiren::infer
