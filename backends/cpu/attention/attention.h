#pragma once
// Grouped-query attention in f32, forward and backward, in memory linear in the length.
//   P = softmax(cap(scale Q K^T) + mask),  O = P V;  query head h reads key and value head h / (heads /
//   kv_heads);  cap(x) = softcap tanh(x / softcap). A sink is one more term of the softmax's denominator.
// Keys are taken in blocks of kAttentionBlock counted from position 0, with a running maximum and sum
// (Dao et al., "FlashAttention", 2022; Milakov and Gimelshein, "Online normalizer calculation", 2018).
//
// Order of the sums: q.k ascends over the head dimension; within a block P V ascends over the keys; blocks
// are added in ascending order; keys that a query must not see take no part. So a query's output depends, to
// the last bit, on its own row and the keys up to its position: not on the chunk, the batch or the number of
// threads. In backward, dq adds key blocks in ascending order; dk and dv add heads of a group, and within a
// head blocks of kAttentionBlock query positions, in ascending order.
//
// Both functions are safe to call from any thread.

#include <cstdint>

#include "suiren/base/cpu.h"

namespace suiren::cpu {

inline constexpr int64_t kAttentionBlock = 64;    ///< part of the numeric contract above
inline constexpr int64_t kAttentionMaxDim = 256;  ///< largest head dimension

/// Added to the scores: [batch, heads, queries, keys] of any strides; the last is 0 or 1.
struct AttentionMask {
  const float* data = nullptr;  ///< null: none
  int64_t batch_stride = 0, head_stride = 0, row_stride = 0, key_stride = 0;
};

struct AttentionShape {
  int64_t batch;
  int64_t queries;  ///< causal: the last `queries` of the `keys` positions: query i is at keys - queries + i
  int64_t keys;     ///< causal: >= queries
  int64_t heads;    ///< a multiple of kv_heads
  int64_t kv_heads;
  int64_t head_dim;  ///< 1 .. kAttentionMaxDim
  float scale;
  bool causal = true;
  int64_t window = 0;  ///< causal: a query sees the `window` keys up to its position; 0: all of them
  float softcap = 0;   ///< 0: none
  AttentionMask mask = {};
  const float* sinks = nullptr;  ///< [heads], or null
};

/// [batch, positions, heads, head_dim] of any strides, in elements; the last dimension is contiguous.
template <class T>
struct HeadsView {
  T* data;
  int64_t batch_stride, row_stride, head_stride;
};

/// Writes out, and log(sum(exp(scores))) of each query to lse[batch, heads, queries] unless that is null.
void attention_forward(const AttentionShape& shape, HeadsView<const float> q, HeadsView<const float> k,
                       HeadsView<const float> v, HeadsView<float> out, float* lse, Isa isa = suiren::isa());

/// Overwrites dq (shaped as q), dk and dv (shaped as k); out and lse are what attention_forward gave, dout
/// and dlse (null: none) their gradients. The gradient of the sinks needs these alone: it is the caller's.
void attention_backward(const AttentionShape& shape, HeadsView<const float> q, HeadsView<const float> k,
                        HeadsView<const float> v, HeadsView<const float> out, const float* lse,
                        HeadsView<const float> dout, const float* dlse, HeadsView<float> dq,
                        HeadsView<float> dk, HeadsView<float> dv, Isa isa = suiren::isa());

}  // namespace suiren::cpu
