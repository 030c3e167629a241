// Rows and elements by index: embedding and its bags, gather, index_select. Writing stands in scatter.cpp.

#include <algorithm>
#include <cstring>
#include <numeric>
#include <type_traits>
#include <vector>

#include "backends/cpu/convert.h"
#include "backends/cpu/indexed.h"
#include "backends/cpu/simd/targets.h"
#include "backends/cpu/stage.h"
#include "backends/cpu/word.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/gather.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// After foreach_target.h, so that it is compiled for each target.
#include "backends/cpu/simd/vector-inl.h"

#if HWY_ONCE
namespace suiren::cpu {
namespace {

int64_t checked_id(int64_t id, int64_t position, int64_t rows) {
  SR_CHECK(id >= 0 && id < rows, "id {} at position {} is out of range for {} rows", id, position, rows);
  return id;
}

// Inputs weight [V, D], ids [...].
void embedding(const Call& c, void*) {
  const Operand weight = c.in(0), ids = c.in(1);
  const int64_t V = weight.dim(0), bytes = weight.dim(1) * dtype_of_operand(weight.dtype()).size();
  const Indices id(ids);
  const char* from = weight.data<char>();
  char* to = c.out(0).data<char>();
  parallel_for(ids.numel(), std::max<int64_t>(1, 4 * kGrainCheap / std::max<int64_t>(bytes, 1)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t p = begin; p < end; ++p)
                   std::memcpy(to + p * bytes, from + checked_id(id[p], p, V) * bytes,
                               static_cast<size_t>(bytes));
               });
}

// sum += x, in the type that sums are kept in.
template <class A, class T>
void add(A* sum, const T* x, int64_t n) {
  if constexpr (std::is_same_v<T, float>)
    return SUIREN_PICK(add_row)(x, sum, n);
  else
    for (int64_t i = 0; i < n; ++i) sum[i] += static_cast<A>(x[i]);
}

template <class A, class T>
void add_scaled(A* sum, const T* x, A scale, int64_t n) {
  for (int64_t i = 0; i < n; ++i) sum[i] += static_cast<A>(x[i]) * scale;
}
// NaN wins; `first`: there is nothing yet.
template <class A, class T>
void keep_larger(A* most, const T* x, int64_t n, bool first) {
  for (int64_t i = 0; i < n; ++i) {
    const auto candidate = static_cast<A>(x[i]);
    if (first || !(most[i] != most[i] || candidate <= most[i])) most[i] = candidate;
  }
}

// dweight[v] = sum of g[p] over the positions p with ids[p] = v: ascending within an entry of the first
// dimension of ids (a sequence), then the entries in ascending order.
template <class T>
void sum_by_id(const T* g, const Indices& id, int64_t positions, int64_t per_sequence, int64_t V, int64_t D,
               T* to) {
  using A = std::conditional_t<std::is_same_v<T, double>, double, float>;
  std::vector<int64_t> order(static_cast<size_t>(positions)), ends(static_cast<size_t>(V) + 1);
  for (int64_t p = 0; p < positions; ++p) ++ends[static_cast<size_t>(checked_id(id[p], p, V)) + 1];
  std::partial_sum(ends.begin(), ends.end(), ends.begin());
  for (int64_t p = 0; p < positions; ++p) order[static_cast<size_t>(ends[static_cast<size_t>(id[p])]++)] = p;
  // Now row v's positions end at ends[v].
  const auto rows = [&](int64_t first, int64_t last) {
    std::vector<A> total(static_cast<size_t>(D)), part(total.size());
    for (int64_t v = first; v < last; ++v) {
      const int64_t begin = v ? ends[static_cast<size_t>(v - 1)] : 0, end = ends[static_cast<size_t>(v)];
      std::fill(total.begin(), total.end(), A(0));
      for (int64_t i = begin; i < end;) {
        const int64_t sequence = order[static_cast<size_t>(i)] / per_sequence;
        std::fill(part.begin(), part.end(), A(0));
        for (; i < end && order[static_cast<size_t>(i)] / per_sequence == sequence; ++i)
          add(part.data(), g + order[static_cast<size_t>(i)] * D, D);
        add(total.data(), part.data(), D);
      }
      for (int64_t d = 0; d < D; ++d) to[v * D + d] = convert<T>(total[static_cast<size_t>(d)]);
    }
  };
  // Few ids are most of a text: whoever is free takes the next rows.
  const int64_t step = std::max<int64_t>(V / 64, kGrainMath * V / ((positions + V) * D)) + 1;
  parallel_tasks((V + step - 1) / step,
                 [&](int64_t task) { rows(task * step, std::min(V, (task + 1) * step)); });
}

// Inputs g [..., D], ids [...]; attribute: rows of the table.
void embedding_backward(const Call& c, void*) {
  const Operand g = c.in(0), ids = c.in(1);
  const int64_t positions = ids.numel(), D = c.out(0).dim(1), V = c.out(0).dim(0);
  if (V * D == 0) return;
  const int64_t per_sequence = ids.rank() > 1 && ids.dim(0) > 0 ? positions / ids.dim(0) : positions;
  visit_dtype(dtype_of_operand(g.dtype()), [&]<class T>() {
    if constexpr (!std::is_integral_v<T>)
      sum_by_id(g.data<T>(), Indices(ids), positions, std::max<int64_t>(1, per_sequence), V, D,
                c.out(0).data<T>());
  });
}

constexpr int64_t kBagRun = 64;  // rows that are added to one another before they join the sum of a bag

// Inputs weight [V, D], ids [N], offsets [B], perhaps scale [N]; attribute: bag (0 sum, 1 mean, 2 max).
void embedding_bag(const Call& c, void*) {
  const Operand weight = c.in(0), offsets = c.in(2), y = c.out(0);
  const int64_t V = weight.dim(0), D = weight.dim(1), N = c.in(1).numel(), B = offsets.numel(),
                bag = c.attr_i64(0);
  const Indices id(c.in(1)), offset(offsets);
  std::vector<int64_t> starts;
  for (int64_t b = 0; b < B; ++b) {
    SR_CHECK(offset[b] >= 0 && offset[b] <= N, "offset {} at position {} is out of range for {} ids",
             offset[b], b, N);
    starts.push_back(offset[b]);
  }
  std::sort(starts.begin(), starts.end());
  starts.push_back(N);
  const int64_t grain = std::max<int64_t>(1, kGrainMath * B / std::max<int64_t>(1, (N + B) * D));
  visit_dtype(dtype_of_operand(weight.dtype()), [&]<class T>() {
    if constexpr (!std::is_integral_v<T>) {
      using A = std::conditional_t<std::is_same_v<T, double>, double, float>;
      const T *table = weight.data<T>(), *scale = c.inputs() == 4 ? c.in(3).data<T>() : nullptr;
      T* to = y.data<T>();
      parallel_for(B, grain, [&](int64_t first, int64_t last) {
        std::vector<A> total(static_cast<size_t>(D)), part(total.size());
        for (int64_t b = first; b < last; ++b) {
          const int64_t begin = starts[static_cast<size_t>(b)], end = starts[static_cast<size_t>(b) + 1];
          std::fill(total.begin(), total.end(), A(0));
          for (int64_t run = begin; run < end; run += kBagRun) {
            std::fill(part.begin(), part.end(), A(0));
            for (int64_t p = run; p < std::min(end, run + kBagRun); ++p) {
              const T* row = table + checked_id(id[p], p, V) * D;
              if (bag == 2)
                keep_larger(total.data(), row, D, p == begin);
              else if (scale)
                add_scaled(part.data(), row, static_cast<A>(scale[p]), D);
              else
                add(part.data(), row, D);
            }
            if (bag != 2) add(total.data(), part.data(), D);
          }
          const A n = bag == 1 ? static_cast<A>(std::max<int64_t>(1, end - begin)) : A(1);
          for (int64_t d = 0; d < D; ++d) to[b * D + d] = convert<T>(total[static_cast<size_t>(d)] / n);
        }
      });
    }
  });
}

// Inputs x, index; attribute: axis.
void gather(const Call& c, void*) {
  const Operand x = c.in(0), index = c.in(1);
  const Indexed indexed(x, index, static_cast<int>(c.attr_i64(0)));
  with_word(dtype_of_operand(x.dtype()).size(), [&]<class W>() {
    const W* from = x.data<W>();
    W* to = c.out(0).data<W>();
    indexed.each([=](int64_t at, int64_t i) { to[i] = from[at]; });
  });
}

// Inputs x, index [n]; attribute: axis.
void index_select(const Call& c, void*) {
  const Operand x = c.in(0), index = c.in(1);
  const auto axis = static_cast<int>(c.attr_i64(0));
  const Indices id(index);
  const int64_t n = index.numel(), extent = x.dim(axis);
  int64_t bytes = dtype_of_operand(x.dtype()).size(), outer = 1;
  for (int d = 0; d < x.rank(); ++d) {
    if (d < axis) outer *= x.dim(d);
    if (d > axis) bytes *= x.dim(d);
  }
  for (int64_t i = 0; i < n; ++i)
    if (id[i] < 0 || id[i] >= extent) out_of_range(x, id[i], axis);
  const char* from = x.data<char>();
  char* to = c.out(0).data<char>();
  parallel_for(outer * n, std::max<int64_t>(1, 4 * kGrainCheap / std::max<int64_t>(bytes, 1)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t i = begin; i < end; ++i)
                   std::memcpy(to + i * bytes, from + (i / n * extent + id[i % n]) * bytes,
                               static_cast<size_t>(bytes));
               });
}

constexpr Kernel kKernels[] = {
    {"embedding", "rows", 10, row_major_inputs, nullptr, embedding},
    {"embedding_backward", "sorted", 10, row_major_inputs, nullptr, embedding_backward},
    {"embedding_bag", "bags", 10, row_major_inputs, nullptr, embedding_bag},
    {"gather", "elements", 10, row_major_inputs, nullptr, gather},
    {"index_select", "rows", 10, row_major_inputs, nullptr, index_select},
};

}  // namespace

KernelList kernels_gather() { return kKernels; }

}  // namespace suiren::cpu
#endif
