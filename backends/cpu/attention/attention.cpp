#include "backends/cpu/attention/attention.h"

#include <algorithm>
#include <type_traits>

#include "backends/cpu/attention/kernels.h"
#include "backends/cpu/scratch.h"
#include "suiren/base/error.h"
#include "suiren/base/threads.h"

namespace suiren::cpu {
namespace {

template <class T>
const AttentionKernels<T>& kernels_for([[maybe_unused]] GemmLevel level) {
  if constexpr (sizeof(T) == 2) {
#if defined(__x86_64__)
    if (level.bf16 != Bf16Units::kNone) return avx512_bf16::attention;
#endif
    fail(ErrorCode::kInternal, "attention: no units for bf16 at level {}", isa_name(level.isa));
  } else {
#if defined(__x86_64__)
    if (level.isa == Isa::kAvx512) return avx512::attention;
    if (level.isa == Isa::kAvx2) return avx2::attention;
#endif
    return portable::attention;
  }
}

const QueryKernels& query_kernels([[maybe_unused]] GemmLevel level) {
#if defined(__x86_64__)
  if (level.isa == Isa::kAvx512) return avx512::query;
  if (level.isa == Isa::kAvx2) return avx2::query;
#endif
  return portable::query;
}

char* scratch(int64_t bytes) {
  static thread_local Scratch<char> buffer;
  return buffer.get(bytes);
}

void check(const AttentionShape& s) {
  SR_CHECK_AS(kInternal, s.head_dim >= 1 && s.head_dim <= kAttentionMaxDim,
              "attention: head dimension {}, expected 1 to {}", s.head_dim, kAttentionMaxDim);
  SR_CHECK_AS(kInternal, s.kv_heads >= 1 && s.heads % s.kv_heads == 0,
              "attention: {} heads over {} key and value heads", s.heads, s.kv_heads);
  SR_CHECK_AS(kInternal, !s.causal || s.queries <= s.keys, "attention: {} queries, but only {} keys",
              s.queries, s.keys);
}

// `work`: multiplications; below kInlineWork waking another thread costs more than it saves.
void run_tasks(int64_t work, int64_t tasks, FunctionRef<void(int64_t)> run) {
  constexpr int64_t kInlineWork = 40000;
  if (tasks > 1 && work > kInlineWork) return parallel_tasks(tasks, run);
  for (int64_t i = 0; i < tasks; ++i) run(i);
}
int64_t work_of(const AttentionShape& s) { return s.batch * s.heads * s.queries * s.keys * s.head_dim; }

template <class T>
HeadRows<T> rows_of(const HeadsView<T>& v, int64_t batch, int64_t head) {
  return {v.data + batch * v.batch_stride + head * v.head_stride, v.row_stride, v.head_stride};
}

template <class K>
constexpr StoredAs kStoredAs = std::is_same_v<K, float16>     ? StoredAs::kF16
                               : std::is_same_v<K, BlockQ8_0> ? StoredAs::kQ8_0
                                                              : StoredAs::kBF16;
template <class K>
HeadRows<const uint8_t> bytes_of(const HeadRows<const K>& rows) {
  constexpr int64_t kSize = sizeof(K);
  return {reinterpret_cast<const uint8_t*>(rows.data), rows.row * kSize, rows.head * kSize};
}

// All queries of one key and value head.
template <class T>
AttentionTask<T> task_of(const AttentionShape& s, const AttentionExtras<T>& extras, int64_t batch,
                         int64_t head) {
  AttentionTask<T> t{};
  t.first = 0, t.last = s.queries, t.queries = s.queries, t.keys = s.keys;
  t.offset = s.causal ? s.keys - s.queries : 0;
  t.group = s.heads / s.kv_heads, t.dim = s.head_dim, t.scale = s.scale;
  t.causal = s.causal, t.window = s.window, t.softcap = s.softcap;
  const AttentionMask<T>& m = extras.mask;
  if (m.data)
    t.mask = {m.data + batch * m.batch_stride + head * t.group * m.head_stride, m.row_stride, m.head_stride,
              m.key_stride};
  if (extras.sinks) t.sinks = extras.sinks + head * t.group;
  return t;
}

// What is read and written beside.
template <class T, class K>
struct Views {
  HeadsView<const T> q;
  HeadsView<const K> k, v;
  HeadsView<T> out;
  float* lse;
};
template <class T, class K>
AttentionTask<T> task_of(const AttentionShape& s, const Views<T, K>& x, const AttentionExtras<T>& extras,
                         int64_t batch, int64_t head) {
  AttentionTask<T> t = task_of(s, extras, batch, head);
  t.q = rows_of(x.q, batch, head * t.group);
  if constexpr (std::is_same_v<T, K>) {
    t.k = rows_of(x.k, batch, head), t.v = rows_of(x.v, batch, head);
  } else {
    t.stored = kStoredAs<K>;
    t.k_stored = bytes_of(rows_of(x.k, batch, head)), t.v_stored = bytes_of(rows_of(x.v, batch, head));
  }
  t.out = rows_of(x.out, batch, head * t.group);
  if (x.lse) t.lse_out = x.lse + (batch * s.heads + head * t.group) * s.queries;
  return t;
}

// The arrays of a query, in the memory of the calling thread.
QueryTask query_of(const AttentionShape& s, const AttentionTask<float>& of) {
  constexpr int64_t kMostLanes = 16, kLine = 16;
  static thread_local Scratch<float> memory;
  int64_t sizes[] = {s.heads * kAttentionMaxDim,
                     s.heads * s.head_dim,
                     s.heads * kMostLanes,
                     s.heads * (kSpan + 1),
                     kSpan * s.heads * kAttentionBlock,
                     kSpan * s.heads * kMostLanes,
                     kSpan * s.heads * s.head_dim};
  QueryTask t{of, s.heads, s.kv_heads};
  float** const arrays[] = {&t.q, &t.out, &t.sums, &t.tops, &t.scores, &t.block_sums, &t.block_out};
  int64_t total = 0;
  for (int64_t& size : sizes) total += size = (size + kLine - 1) / kLine * kLine;
  float* at = memory.get(total);
  for (size_t i = 0; i < std::size(sizes); ++i) *arrays[i] = at, at += sizes[i];
  return t;
}

// One query of each head: threads share the blocks of keys.
void run_query(const QueryKernels& kernels, const AttentionShape& s, const AttentionTask<float>& of) {
  constexpr int64_t kChunk = 2;  // blocks that a thread takes at a time
  QueryTask t = query_of(s, of);
  kernels.start(t);
  const int64_t seen = s.window > 0 ? std::max<int64_t>(0, s.keys - s.window) : 0;
  for (t.first = seen / kAttentionBlock * kAttentionBlock; t.first < s.keys; t.first = t.end) {
    t.end = std::min(s.keys, t.first + kSpan * kAttentionBlock);
    const int64_t blocks = (t.end - t.first + kAttentionBlock - 1) / kAttentionBlock;
    const int64_t work = s.heads * (t.end - t.first) * s.head_dim;
    const auto each_block = [&](void (*step)(const QueryTask&, int64_t)) {
      run_tasks(work, (blocks + kChunk - 1) / kChunk, [&](int64_t i) {
        for (int64_t b = i * kChunk; b < std::min(blocks, (i + 1) * kChunk); ++b) step(t, b);
      });
    };
    each_block(kernels.score);
    kernels.settle(t);
    each_block(kernels.weigh);
    run_tasks(work / kAttentionBlock, s.heads, [&](int64_t head) { kernels.add(t, head); });
  }
  kernels.finish(t);
}

}  // namespace

template <class T, class K>
void attention_forward(const AttentionShape& shape, HeadsView<const T> q, HeadsView<const K> k,
                       HeadsView<const K> v, HeadsView<T> out, float* lse, const AttentionExtras<T>& extras,
                       GemmLevel level) {
  check(shape);
  if (shape.batch <= 0 || shape.queries <= 0) return;
  const Views<T, K> views{q, k, v, out, lse};
  if constexpr (std::is_same_v<T, float>)
    if (const QueryKernels& steps = query_kernels(level);
        shape.queries == 1 && shape.head_dim % steps.lanes == 0)
      return run_tasks(shape.batch >= thread_count() ? work_of(shape) : 0, shape.batch, [&](int64_t batch) {
        run_query(steps, shape, task_of(shape, views, extras, batch, 0));
      });
  const AttentionKernels<T>& kernels = kernels_for<T>(level);
  const int64_t group = shape.heads / shape.kv_heads, heads = shape.batch * shape.kv_heads;
  // Few heads: shorter chunks of queries, so that every thread has work; each chunk packs its keys again.
  int64_t chunk = 256;
  while (chunk > 32 && heads * ((shape.queries + chunk - 1) / chunk) < 2 * thread_count()) chunk /= 2;
  const int64_t chunks = (shape.queries + chunk - 1) / chunk;
  const auto run = [&](int64_t i) {
    const int64_t c = chunks - 1 - i % chunks, batch = i / chunks / shape.kv_heads,
                  head = i / chunks % shape.kv_heads;
    AttentionTask<T> t = task_of(shape, views, extras, batch, head);
    t.first = c * chunk, t.last = std::min(shape.queries, t.first + chunk);
    t.scratch = scratch(kernels.forward_scratch(t.last - t.first, group, shape.head_dim));
    kernels.forward(t);
  };
  run_tasks(work_of(shape), heads * chunks, run);
}

template <class T>
void attention_backward(const AttentionShape& shape, HeadsView<const T> q, HeadsView<const T> k,
                        HeadsView<const T> v, HeadsView<const T> out, const float* lse,
                        HeadsView<const T> dout, const float* dlse, HeadsView<T> dq, HeadsView<T> dk,
                        HeadsView<T> dv, const AttentionExtras<T>& extras, GemmLevel level) {
  check(shape);
  const AttentionKernels<T>& kernels = kernels_for<T>(level);
  const int64_t group = shape.heads / shape.kv_heads;
  if (shape.batch <= 0) return;
  if (shape.queries <= 0) {  // no query, no gradient: the keys still want zeros
    for (int64_t i = 0; i < shape.batch * shape.kv_heads * shape.keys; ++i)
      for (const auto& g : {dk, dv})
        std::fill_n(g.data + i / shape.keys / shape.kv_heads * g.batch_stride +
                        i / shape.keys % shape.kv_heads * g.head_stride + i % shape.keys * g.row_stride,
                    shape.head_dim, T(0.0f));
    return;
  }
  run_tasks(work_of(shape), shape.batch * shape.kv_heads, [&](int64_t i) {
    const int64_t batch = i / shape.kv_heads, head = i % shape.kv_heads;
    AttentionTask<T> t = task_of(shape, extras, batch, head);
    t.q = rows_of(q, batch, head * group), t.k = rows_of(k, batch, head), t.v = rows_of(v, batch, head);
    t.out_in = rows_of(out, batch, head * group), t.dout = rows_of(dout, batch, head * group);
    t.dq = rows_of(dq, batch, head * group), t.dk = rows_of(dk, batch, head), t.dv = rows_of(dv, batch, head);
    const int64_t row = (batch * shape.heads + head * group) * shape.queries;
    t.lse = lse + row, t.dlse = dlse ? dlse + row : nullptr;
    t.scratch = scratch(kernels.backward_scratch(shape.queries, group, shape.head_dim));
    kernels.backward(t);
  });
}

#define SUIREN_ATTENTION_OVER(T, K)                                                                    \
  template void attention_forward(const AttentionShape&, HeadsView<const T>, HeadsView<const K>,       \
                                  HeadsView<const K>, HeadsView<T>, float*, const AttentionExtras<T>&, \
                                  GemmLevel);
#define SUIREN_ATTENTION(T)                                                                                  \
  SUIREN_ATTENTION_OVER(T, T)                                                                                \
  template void attention_backward(const AttentionShape&, HeadsView<const T>, HeadsView<const T>,            \
                                   HeadsView<const T>, HeadsView<const T>, const float*, HeadsView<const T>, \
                                   const float*, HeadsView<T>, HeadsView<T>, HeadsView<T>,                   \
                                   const AttentionExtras<T>&, GemmLevel);
SUIREN_ATTENTION(float)
SUIREN_ATTENTION(bfloat16)
SUIREN_ATTENTION_OVER(float, float16)
SUIREN_ATTENTION_OVER(float, bfloat16)
SUIREN_ATTENTION_OVER(float, BlockQ8_0)
#undef SUIREN_ATTENTION
#undef SUIREN_ATTENTION_OVER

}  // namespace suiren::cpu
