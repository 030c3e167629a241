// What depends on values: masked_select, nonzero, unique, one_hot, bincount.

#include <algorithm>
#include <cstring>
#include <vector>

#include "backends/cpu/indexed.h"
#include "backends/cpu/move.h"
#include "backends/cpu/order.h"
#include "backends/cpu/stage.h"
#include "backends/cpu/word.h"

namespace suiren::cpu {
namespace {

constexpr int64_t kBlock = 65536;  // elements that are counted, and then placed, by one thread

// Calls place(begin, end, how many are chosen before begin) for every block; returns how many there are.
template <class Count, class Place>
int64_t in_blocks(int64_t n, Count count, Place place) {
  const int64_t blocks = (n + kBlock - 1) / kBlock;
  std::vector<int64_t> before(static_cast<size_t>(blocks) + 1);
  parallel_tasks(blocks, [&](int64_t b) {
    before[static_cast<size_t>(b) + 1] = count(b * kBlock, std::min(n, (b + 1) * kBlock));
  });
  for (size_t b = 1; b < before.size(); ++b) before[b] += before[b - 1];
  parallel_tasks(blocks, [&](int64_t b) {
    place(b * kBlock, std::min(n, (b + 1) * kBlock), before[static_cast<size_t>(b)]);
  });
  return before.back();
}

// Inputs x, mask; results values, count.
void masked_select(const Call& c, void*) {
  const Operand x = c.in(0), values = c.out(0);
  const int64_t n = x.numel(), size = dtype_of_operand(x.dtype()).size();
  const uint8_t* mask = c.in(1).data<uint8_t>();
  int64_t count = 0;
  with_word(size, [&]<class W>() {
    const W* from = x.data<W>();
    W* to = values.data<W>();
    count = in_blocks(
        n,
        [=](int64_t b, int64_t e) {
          return std::count_if(mask + b, mask + e, [](uint8_t m) { return m != 0; });
        },
        [=](int64_t b, int64_t e, int64_t at) {
          for (int64_t i = b; i < e; ++i)
            if (mask[i]) to[at++] = from[i];
        });
  });
  clear(values.data<char>() + count * size, (n - count) * size);
  *c.out(1).data<int64_t>() = count;
}

// Input x; results values [N, rank], count.
void nonzero(const Call& c, void*) {
  const Operand x = c.in(0);
  const int64_t n = x.numel();
  const int rank = x.rank();
  int64_t* to = c.out(0).data<int64_t>();
  int64_t count = 0;
  visit_dtype(dtype_of_operand(x.dtype()), [&]<class T>() {
    const T* from = x.data<T>();
    const auto there = [=](int64_t i) { return from[i] != T(0); };
    count = in_blocks(
        n,
        [=](int64_t b, int64_t e) {
          int64_t found = 0;
          for (int64_t i = b; i < e; ++i) found += there(i);
          return found;
        },
        [=](int64_t b, int64_t e, int64_t at) {
          for (int64_t i = b; i < e; ++i) {
            if (!there(i)) continue;
            for (int64_t d = rank - 1, rest = i; d >= 0; --d) {
              const int64_t extent = x.dim(static_cast<int>(d));
              to[at * rank + d] = rest % extent;
              rest /= extent;
            }
            ++at;
          }
        });
  });
  std::fill(to + count * rank, to + n * rank, -1);
  *c.out(1).data<int64_t>() = count;
}

// Input x; results values, inverse, counts, count.
template <class T, class K>
void unique_of(const T* x, int64_t n, T* values, int64_t* inverse, int64_t* counts, int64_t* count) {
  std::vector<Entry<K>> one(static_cast<size_t>(n)), two(one.size());
  parallel_for(n, kGrainCheap, [&](int64_t b, int64_t e) {
    for (int64_t i = b; i < e; ++i) one[static_cast<size_t>(i)] = {key_of(x[i]), static_cast<K>(i)};
  });
  const Entry<K>* sorted = sort_entries(one.data(), two.data(), n);
  int64_t found = 0;
  for (int64_t i = 0; i < n; ++i) {
    const auto place = static_cast<int64_t>(sorted[i].place);
    const bool differs = i == 0 || sorted[i].key != sorted[i - 1].key || x[place] != x[place];
    if (differs) values[found] = x[place], counts[found++] = 0;
    ++counts[found - 1];
    inverse[place] = found - 1;
  }
  std::fill(values + found, values + n, T(0));
  std::fill(counts + found, counts + n, 0);
  *count = found;
}

void unique(const Call& c, void*) {
  const Operand x = c.in(0);
  const int64_t n = x.numel();
  visit_dtype(dtype_of_operand(x.dtype()), [&]<class T>() {
    if constexpr (!std::is_same_v<T, bool>) {
      const auto run = [&]<class K>() {
        unique_of<T, K>(x.data<T>(), n, c.out(0).data<T>(), c.out(1).data<int64_t>(),
                        c.out(2).data<int64_t>(), c.out(3).data<int64_t>());
      };
      if (n > std::numeric_limits<uint32_t>::max()) return run.template operator()<uint64_t>();
      run.template operator()<KeyOf<T>>();
    }
  });
}

void check_ids(const Indices& id, int64_t n, int64_t classes) {
  for (int64_t i = 0; i < n; ++i)
    SR_CHECK(id[i] >= 0 && id[i] < classes, "id {} at position {} is out of range for {} classes", id[i], i,
             classes);
}

// Input ids; attribute: classes.
void one_hot(const Call& c, void*) {
  const Operand ids = c.in(0), y = c.out(0);
  const Indices id(ids);
  const int64_t classes = y.dim(-1);
  check_ids(id, ids.numel(), classes);
  visit_dtype(dtype_of_operand(y.dtype()), [&]<class T>() {
    T* to = y.data<T>();
    parallel_for(ids.numel(), std::max<int64_t>(1, kGrainCheap / std::max<int64_t>(classes, 1)),
                 [&](int64_t b, int64_t e) {
                   std::fill(to + b * classes, to + e * classes, convert<T>(0.0));
                   for (int64_t i = b; i < e; ++i) to[i * classes + id[i]] = convert<T>(1.0);
                 });
  });
}

// Input ids; attribute: bins.
void bincount(const Call& c, void*) {
  const Operand ids = c.in(0), y = c.out(0);
  const Indices id(ids);
  check_ids(id, ids.numel(), y.numel());
  int64_t* to = y.data<int64_t>();
  std::fill(to, to + y.numel(), 0);
  for (int64_t i = 0; i < ids.numel(); ++i) ++to[id[i]];
}

constexpr Kernel kKernels[] = {
    {"masked_select", "blocks", 10, row_major_inputs, nullptr, masked_select},
    {"nonzero", "blocks", 10, row_major_inputs, nullptr, nonzero},
    {"unique", "digits", 10, row_major_inputs, nullptr, unique},
    {"one_hot", "rows", 10, row_major_inputs, nullptr, one_hot},
    {"bincount", "loop", 10, row_major_inputs, nullptr, bincount},
};

}  // namespace

KernelList kernels_compact() { return kKernels; }

}  // namespace suiren::cpu
