#pragma once
// What one ISA level offers to the driver in attention.cpp: the work of one thread on one key and value head.

#include <cstdint>

#include "suiren/base/dtype.h"

namespace suiren::cpu {

/// The rows of one head of one batch entry: element (i, h, d) at data[i * row + h * head + d].
template <class T>
struct HeadRows {
  T* data;
  int64_t row, head;
};

/// What is added to the scores of one key and value head's queries: element (i, h, j) at
/// data[i * row + h * head + j * key]; null: nothing. key is 0 or 1.
template <class T>
struct MaskRows {
  const T* data;
  int64_t row, head, key;
};

/// What keys and values are stored in: the type of the task, or for float tasks 16 bits or blocks.
enum class StoredAs : uint8_t { kTask, kF16, kBF16, kQ8_0 };

/// All query heads that read one key and value head; T: float or bfloat16.
template <class T>
struct AttentionTask {
  int64_t first, last;  ///< queries to compute
  int64_t offset;       ///< position of query 0
  int64_t queries, keys, group, dim;
  float scale, softcap;  ///< softcap 0: none
  bool causal;
  int64_t window;  ///< keys that a query sees, itself included; 0: all
  MaskRows<T> mask;
  const T* sinks;  ///< [group], or null
  HeadRows<const T> q, k, v, dout, out_in;
  HeadRows<T> out, dq, dk, dv;
  StoredAs stored = StoredAs::kTask;  ///< of a forward pass; else these hold what k and v would, as bytes
  HeadRows<const uint8_t> k_stored, v_stored;
  float* lse_out;     ///< [group, queries], or null
  const float* lse;   ///< [group, queries]
  const float* dlse;  ///< [group, queries], or null
  char* scratch;      ///< of the size that forward_scratch or backward_scratch names, aligned to 64 bytes
};

template <class T>
struct AttentionKernels {
  int64_t (*forward_scratch)(int64_t rows, int64_t group, int64_t dim);  ///< bytes
  int64_t (*backward_scratch)(int64_t queries, int64_t group, int64_t dim);
  void (*forward)(const AttentionTask<T>& task);
  void (*backward)(const AttentionTask<T>& task);  ///< ignores first and last
};

constexpr int64_t kSpan = 64;  ///< blocks of keys that the steps of one query take at a time

/// One query of every head, in f32, against `blocks` <= kSpan blocks of keys: steps whose parts any thread
/// may take. Blocks score and weigh by themselves, with the maximum that all blocks before them leave; what
/// they give is added in their order. So the bits are those of AttentionKernels::forward. Heads are the
/// query's; the arrays have room for kSpan blocks.
struct QueryTask {
  AttentionTask<float> of;  ///< q, k, v, out, mask, sinks and lse_out from head 0 on; without scratch
  int64_t heads, kv_heads;
  int64_t first, end;  ///< keys: those of block b begin at first + b kAttentionBlock
  float* q;            ///< [heads, 64, 128 or 256]: a left operand
  float* out;          ///< [heads, dim], not yet divided; with sums and tops, the state between spans
  float* sums;         ///< [heads, 16]: in lanes
  float* tops;         ///< [heads, kSpan + 1]: the maximum before the first block, then after each
  float* scores;       ///< [kSpan, heads, kAttentionBlock]: then weights
  float* block_sums;   ///< [kSpan, heads, 16]
  float* block_out;    ///< [kSpan, heads, dim]
};

struct QueryKernels {
  int64_t lanes;  ///< head dimensions are multiples of this
  void (*start)(const QueryTask& task);
  void (*score)(const QueryTask& task, int64_t block);  ///< leaves the maximum of the block in `tops`
  void (*settle)(const QueryTask& task);                ///< each maximum becomes that of all before, too
  void (*weigh)(const QueryTask& task, int64_t block);
  void (*add)(const QueryTask& task, int64_t head);  ///< what the blocks gave, onto the state
  void (*finish)(const QueryTask& task);
};

namespace avx512_bf16 {
extern const AttentionKernels<bfloat16> attention;
}
namespace avx512 {
extern const AttentionKernels<float> attention;
extern const QueryKernels query;
}  // namespace avx512
namespace avx2 {
extern const AttentionKernels<float> attention;
extern const QueryKernels query;
}  // namespace avx2
namespace portable {
extern const AttentionKernels<float> attention;
extern const QueryKernels query;
}  // namespace portable

}  // namespace suiren::cpu
