#pragma once
// What one ISA level offers to the driver in attention.cpp: the work of one thread on one key and value head.

#include <cstdint>

namespace suiren::cpu {

/// The rows of one head of one batch entry: element (i, h, d) at data[i * row + h * head + d].
template <class T>
struct HeadRows {
  T* data;
  int64_t row, head;
};

/// What is added to the scores of one key and value head's queries: element (i, h, j) at
/// data[i * row + h * head + j * key]; null: nothing. key is 0 or 1.
struct MaskRows {
  const float* data;
  int64_t row, head, key;
};

/// All query heads that read one key and value head.
struct AttentionTask {
  int64_t first, last;  ///< queries to compute
  int64_t offset;       ///< position of query 0
  int64_t queries, keys, group, dim;
  float scale, softcap;  ///< softcap 0: none
  bool causal;
  int64_t window;  ///< keys that a query sees, itself included; 0: all
  MaskRows mask;
  const float* sinks;  ///< [group], or null
  HeadRows<const float> q, k, v, dout, out_in;
  HeadRows<float> out, dq, dk, dv;
  float* lse_out;     ///< [group, queries], or null
  const float* lse;   ///< [group, queries]
  const float* dlse;  ///< [group, queries], or null
  float* scratch;     ///< of the size that forward_scratch or backward_scratch names
};

struct AttentionKernels {
  int64_t (*forward_scratch)(int64_t rows, int64_t group, int64_t dim);  ///< floats
  int64_t (*backward_scratch)(int64_t queries, int64_t group, int64_t dim);
  void (*forward)(const AttentionTask& task);
  void (*backward)(const AttentionTask& task);  ///< ignores first and last
};

namespace avx512 {
extern const AttentionKernels attention;
}
namespace avx2 {
extern const AttentionKernels attention;
}
namespace portable {
extern const AttentionKernels attention;
}

}  // namespace suiren::cpu
