#include "suiren/infer/kv_cache.h"

#include "suiren/core/autograd.h"
#include "suiren/ops/copy/copy.h"
#include "suiren/ops/view/view.h"

namespace suiren::infer {
namespace {

// Blocks as their bytes, which lie and move as elements do: parts of a tensor of blocks would have gaps.
Tensor movable(const Tensor& x) {
  if (!x.dtype().is_block()) return x;
  Shape shape = x.shape();
  shape[x.rank() - 1] = x.dtype().bytes(x.dim(-1));
  return x.reinterpret(shape, kU8);
}

}  // namespace

KvCache::KvCache(const models::TransformerConfig& c, int64_t capacity, int64_t batch, const Device& device,
                 DType dtype)
    : dtype_(dtype), width_(c.cache_width()), capacity_(capacity) {
  const Shape shape{batch, capacity, c.cache_heads(), width_};
  for (int64_t i = 0; i < c.num_hidden_layers; ++i) {
    keys_.push_back(movable(Tensor::empty(shape, dtype, device)));
    if (c.caches_values()) values_.push_back(movable(Tensor::empty(shape, dtype, device)));
  }
}

int64_t KvCache::bytes() const {
  int64_t sum = 0;
  for (const auto* list : {&keys_, &values_})
    for (const Tensor& all : *list) sum += all.bytes();
  return sum;
}

// The first `end` positions. Attention in f32 reads narrower keys and values as they stand.
Tensor KvCache::held(const Tensor& all, int64_t end, DType computed) const {
  Tensor x = slice(all, 1, 0, end);
  if (dtype_.is_block()) x = contiguous(x).reinterpret({x.dim(0), end, x.dim(2), width_}, dtype_);
  return computed == kF32 ? x : models::as_computed(x, computed);
}

std::pair<Tensor, Tensor> KvCache::append(int64_t layer, const Tensor& k, const Tensor& v) {
  const auto l = static_cast<size_t>(layer);
  const int64_t end = length_ + k.dim(1);
  SR_CHECK_AS(kShape, end <= capacity_, "{} positions exceed the cache's capacity of {}", end, capacity_);
  const NoGrad off;
  const auto add = [&](const Tensor& all, const Tensor& x) {
    assign(slice(all, 1, length_, end), movable(models::as_stored(x, dtype_)));
    return held(all, end, x.dtype());
  };
  Tensor keys = add(keys_[l], k);
  return {keys, v.defined() ? add(values_[l], v) : Tensor()};
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
