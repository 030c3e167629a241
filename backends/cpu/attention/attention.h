#pragma once
// Grouped-query attention, forward and backward, in memory linear in the length.
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
// T is float, or bfloat16 on the units for it (AVX512_BF16; a CPU with AMX has them too). Of bf16:
// - products are taken in pairs along the dimension that is summed, as gemm.h says of those units: of the
// head
//   dimension in q.k and dout.v, of keys from an even position in P V and dS K, of queries from the first of
//   a block in P^T dout and dS^T Q;
// - scores, maxima, sums and gradients are f32; the weights exp(score - maximum) enter the sum of a row as
// they
//   are, and P V rounded to bf16; in backward P and dS (before its factor scale) are rounded to bf16;
// - out, dq, dk and dv are rounded once, at the end; denormals become zero.
//
// Both functions are safe to call from any thread.

#include <cstdint>

#include "backends/cpu/gemm/gemm.h"

namespace suiren::cpu {

inline constexpr int64_t kAttentionBlock = 64;    ///< part of the numeric contract above
inline constexpr int64_t kAttentionMaxDim = 256;  ///< largest head dimension

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
};

/// A block of q8_0 (suiren/quant/unpack.h): 32 numbers.
struct BlockQ8_0 {
  uint8_t bytes[34];
};

/// [batch, positions, heads, head_dim] of any strides, in elements of T; the last dimension is contiguous.
template <class T>
struct HeadsView {
  T* data;
  int64_t batch_stride, row_stride, head_stride;
};

/// Added to the scores: [batch, heads, queries, keys] of any strides; the last is 0 or 1.
template <class T>
struct AttentionMask {
  const T* data = nullptr;  ///< null: none
  int64_t batch_stride = 0, head_stride = 0, row_stride = 0, key_stride = 0;
};
template <class T>
struct AttentionExtras {
  AttentionMask<T> mask = {};
  const T* sinks = nullptr;  ///< [heads], or null
};

/// Writes out, and log(sum(exp(scores))) of each query to lse[batch, heads, queries] unless that is null.
/// Of bfloat16 the level must have units for it; those with AMX run on AVX512_BF16. K, the type of keys and
/// values, is T; or where T is float float16, bfloat16, or BlockQ8_0 (head_dim is a multiple of 32 then): the
/// bits are those of widened keys and values.
template <class T, class K>
void attention_forward(const AttentionShape& shape, HeadsView<const T> q, HeadsView<const K> k,
                       HeadsView<const K> v, HeadsView<T> out, float* lse,
                       const AttentionExtras<T>& extras = {}, GemmLevel level = {});

/// Overwrites dq (shaped as q), dk and dv (shaped as k); out and lse are what attention_forward gave, dout
/// and dlse (null: none) their gradients. The gradient of the sinks needs these alone: it is the caller's.
template <class T>
void attention_backward(const AttentionShape& shape, HeadsView<const T> q, HeadsView<const T> k,
                        HeadsView<const T> v, HeadsView<const T> out, const float* lse,
                        HeadsView<const T> dout, const float* dlse, HeadsView<T> dq, HeadsView<T> dk,
                        HeadsView<T> dv, const AttentionExtras<T>& extras = {}, GemmLevel level = {});

}  // namespace suiren::cpu
