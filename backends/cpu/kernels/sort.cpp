// sort, argsort, topk, searchsorted. A line is sorted by one thread.

#include <algorithm>
#include <vector>

#include "backends/cpu/order.h"
#include "backends/cpu/stage.h"
#include "backends/cpu/walk.h"

namespace suiren::cpu {
namespace {

// Row-major x seen from one axis.
struct Lines {
  int64_t count = 1, extent, inners = 1;
  Lines(const Operand& x, int axis) : extent(x.dim(axis)) {
    for (int d = 0; d < x.rank(); ++d) {
      if (d != axis) count *= x.dim(d);
      if (d > axis) inners *= x.dim(d);
    }
  }
  // The first element of a line whose extent is `n`.
  int64_t first(int64_t line, int64_t n) const { return line / inners * n * inners + line % inners; }
};

template <class T, class K>
void fill_entries(const T* x, int64_t step, int64_t n, bool descending, Entry<K>* entries) {
  const K turn = descending ? static_cast<K>(~K{0}) : K{0};
  for (int64_t i = 0; i < n; ++i)
    entries[i] = {static_cast<K>(key_of(x[i * step]) ^ turn), static_cast<K>(i)};
}

// The k best of a line, unordered: a heap of them, the worst on top, passed by all others.
template <class T, class K>
void best_entries(const T* x, int64_t step, int64_t n, bool descending, int64_t k, Entry<K>* best) {
  const K turn = descending ? static_cast<K>(~K{0}) : K{0};
  fill_entries(x, step, k, descending, best);
  std::make_heap(best, best + k);
  for (int64_t i = k; i < n; ++i) {
    const K key = static_cast<K>(key_of(x[i * step]) ^ turn);
    if (key >= best[0].key) continue;  // an equal one that comes later is no better
    std::pop_heap(best, best + k);
    best[k - 1] = {key, static_cast<K>(i)};
    std::push_heap(best, best + k);
  }
}

// The first k of each line in order: their elements to `values` (when there is one) and places to `places`.
template <class T, class K>
void order_lines(const T* x, const Lines& lines, bool descending, int64_t k, T* values, int64_t* places) {
  const int64_t n = lines.extent, step = lines.inners;
  const bool few = k * 8 <= n;
  parallel_for(lines.count, std::max<int64_t>(1, kGrainMath / std::max<int64_t>(n, 1)),
               [&](int64_t b, int64_t e) {
                 std::vector<Entry<K>> one(static_cast<size_t>(few ? k : n)), two(few ? 0 : one.size());
                 for (int64_t line = b; line < e; ++line) {
                   const T* from = x + lines.first(line, n);
                   Entry<K>* entries = one.data();
                   if (few) {
                     best_entries(from, step, n, descending, k, entries);
                     std::sort(entries, entries + k);
                   } else {
                     fill_entries(from, step, n, descending, entries);
                     if (k < n) std::nth_element(entries, entries + k, entries + n);
                     entries = sort_entries(entries, two.data(), k, k < n);
                   }
                   const int64_t to = lines.first(line, k);
                   for (int64_t i = 0; i < k; ++i) {
                     const auto place = static_cast<int64_t>(entries[i].place);
                     if (values) values[to + i * step] = from[place * step];
                     places[to + i * step] = place;
                   }
                 }
               });
}

void order(const Operand& x, int axis, bool descending, int64_t k, const Operand* values,
           const Operand& places) {
  if (places.numel() == 0) return;
  const Lines lines(x, axis);
  visit_dtype(dtype_of_operand(x.dtype()), [&]<class T>() {
    if constexpr (!std::is_same_v<T, bool>) {
      T* to = values ? values->data<T>() : nullptr;
      int64_t* at = places.data<int64_t>();
      if (lines.extent > std::numeric_limits<uint32_t>::max())
        order_lines<T, uint64_t>(x.data<T>(), lines, descending, k, to, at);
      else
        order_lines<T, KeyOf<T>>(x.data<T>(), lines, descending, k, to, at);
    }
  });
}

// Attributes: axis, descending.
void sort(const Call& c, void*) {
  const int axis = static_cast<int>(c.attr_i64(0));
  const Operand x = c.in(0), values = c.out(0);
  order(x, axis, c.attr_i64(1) != 0, x.dim(axis), &values, c.out(1));
}
void argsort(const Call& c, void*) {
  const int axis = static_cast<int>(c.attr_i64(0));
  const Operand x = c.in(0);
  order(x, axis, c.attr_i64(1) != 0, x.dim(axis), nullptr, c.out(0));
}
// Attributes: k, axis, largest.
void topk(const Call& c, void*) {
  const Operand values = c.out(0);
  order(c.in(0), static_cast<int>(c.attr_i64(1)), c.attr_i64(2) != 0, c.attr_i64(0), &values, c.out(1));
}

// Inputs sorted [N] or [..., N], values [..., M]; attribute: right.
void searchsorted(const Call& c, void*) {
  const Operand sorted = c.in(0), values = c.in(1);
  if (values.numel() == 0) return;
  const bool right = c.attr_i64(0) != 0;
  const int64_t N = sorted.dim(-1), M = sorted.rank() == 1 ? values.numel() : values.dim(-1);
  int64_t* y = c.out(0).data<int64_t>();
  visit_dtype(dtype_of_operand(sorted.dtype()), [&]<class T>() {
    if constexpr (!std::is_same_v<T, bool>) {
      const T *rows = sorted.data<T>(), *v = values.data<T>();
      const auto less = [](const T& a, const T& b) {
        if constexpr (std::is_integral_v<T>)
          return a < b;
        else
          return key_of(a) < key_of(b);
      };
      parallel_for(values.numel(), kGrainSlow * 4, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const T* row = rows + i / M * N;
          y[i] = (right ? std::upper_bound(row, row + N, v[i], less)
                        : std::lower_bound(row, row + N, v[i], less)) -
                 row;
        }
      });
    }
  });
}

constexpr Kernel kKernels[] = {
    {"sort", "digits", 10, row_major_inputs, nullptr, sort},
    {"argsort", "digits", 10, row_major_inputs, nullptr, argsort},
    {"topk", "heap", 10, row_major_inputs, nullptr, topk},
    {"searchsorted", "binary", 10, row_major_inputs, nullptr, searchsorted},
};

}  // namespace

KernelList kernels_sort() { return kKernels; }

}  // namespace suiren::cpu
