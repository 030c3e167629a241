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

/// What keys and values are stored in: the type of the task, or for float tasks 16 bits.
enum class StoredAs : uint8_t { kTask, kF16, kBF16 };

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
  StoredAs stored = StoredAs::kTask;  ///< of a forward pass; else k16 and v16 hold what k and v would
  HeadRows<const uint16_t> k16, v16;
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

namespace avx512_bf16 {
extern const AttentionKernels<bfloat16> attention;
}
namespace avx512 {
extern const AttentionKernels<float> attention;
}
namespace avx2 {
extern const AttentionKernels<float> attention;
}
namespace portable {
extern const AttentionKernels<float> attention;
}

}  // namespace suiren::cpu
