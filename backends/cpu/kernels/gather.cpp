// Rows and elements by index: embedding, gather, scatter_add, index_select.

#include <algorithm>
#include <cstring>
#include <numeric>
#include <string>
#include <type_traits>
#include <vector>

#include "backends/cpu/convert.h"
#include "backends/cpu/stage.h"
#include "backends/cpu/walk.h"
#include "suiren/base/error.h"

namespace suiren::cpu {
namespace {

// An index operand of i32 or i64, row-major.
class Indices {
 public:
  explicit Indices(const Operand& x) : data_(x.data<char>()), wide_(x.dtype() == SR_I64) {}
  int64_t operator[](int64_t i) const {
    return wide_ ? reinterpret_cast<const int64_t*>(data_)[i] : reinterpret_cast<const int32_t*>(data_)[i];
  }

 private:
  const char* data_;
  bool wide_;
};

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
  for (int64_t i = 0; i < n; ++i) sum[i] += static_cast<A>(x[i]);
}

// dweight[v] = sum of g[p] over the positions p with ids[p] = v: ascending within an entry of the first
// dimension of ids (a sequence), then the entries in ascending order.
template <class T>
void sum_by_id(const T* g, const Indices& id, int64_t positions, int64_t per_sequence, int64_t V, int64_t D,
               T* to) {
  using A = std::conditional_t<std::is_same_v<T, double>, double, float>;
  std::vector<int64_t> order(static_cast<size_t>(positions)), starts;
  std::iota(order.begin(), order.end(), 0);
  for (int64_t p = 0; p < positions; ++p) checked_id(id[p], p, V);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return id[a] < id[b]; });
  for (int64_t i = 0; i < positions; ++i)
    if (i == 0 || id[order[static_cast<size_t>(i)]] != id[order[static_cast<size_t>(i - 1)]])
      starts.push_back(i);
  starts.push_back(positions);
  parallel_for(V * D, kGrainCheap, [&](int64_t b, int64_t e) { std::fill(to + b, to + e, T(0.0f)); });
  parallel_for(static_cast<int64_t>(starts.size()) - 1, std::max<int64_t>(1, kGrainMath / D),
               [&](int64_t b, int64_t e) {
                 std::vector<A> total(static_cast<size_t>(D)), part(static_cast<size_t>(D));
                 for (int64_t s = b; s < e; ++s) {
                   const int64_t begin = starts[static_cast<size_t>(s)],
                                 end = starts[static_cast<size_t>(s + 1)];
                   std::fill(total.begin(), total.end(), A(0));
                   for (int64_t i = begin; i < end;) {
                     const int64_t sequence = order[static_cast<size_t>(i)] / per_sequence;
                     std::fill(part.begin(), part.end(), A(0));
                     for (; i < end && order[static_cast<size_t>(i)] / per_sequence == sequence; ++i)
                       add(part.data(), g + order[static_cast<size_t>(i)] * D, D);
                     add(total.data(), part.data(), D);
                   }
                   T* row = to + id[order[static_cast<size_t>(begin)]] * D;
                   for (int64_t d = 0; d < D; ++d) row[d] = convert<T>(total[static_cast<size_t>(d)]);
                 }
               });
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

// Where elements of an index lead to in x, when x and index are row-major.
class Lead {
 public:
  Lead(const Operand& x, const Operand& index, int axis) : x_(x), index_(index), id_(index), axis_(axis) {}
  int64_t operator()(int64_t i) const {
    const int64_t chosen = id_[i];
    if (chosen < 0 || chosen >= x_.dim(axis_)) out_of_range(x_, chosen, axis_);
    int64_t at = 0, step = 1;
    for (int d = x_.rank() - 1; d >= 0; --d) {
      at += (d == axis_ ? chosen : i % index_.dim(d)) * step;
      i /= index_.dim(d);
      step *= x_.dim(d);
    }
    return at;
  }
  [[noreturn]] static void out_of_range(const Operand& x, int64_t chosen, int axis) {
    std::string shape;
    for (int d = 0; d < x.rank(); ++d) shape += (d ? ", " : "") + std::to_string(x.dim(d));
    fail(ErrorCode::kInvalid, "index {} is out of range for dimension {} of x with shape [{}]", chosen, axis,
         shape);
  }

 private:
  const Operand &x_, &index_;
  Indices id_;
  int axis_;
};

// Inputs x, index; attribute: axis.
void gather(const Call& c, void*) {
  const Operand x = c.in(0), index = c.in(1);
  const Lead lead(x, index, static_cast<int>(c.attr_i64(0)));
  const int64_t size = dtype_of_operand(x.dtype()).size();
  const char* from = x.data<char>();
  char* to = c.out(0).data<char>();
  parallel_for(index.numel(), kGrainMath, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      std::memcpy(to + i * size, from + lead(i) * size, static_cast<size_t>(size));
  });
}

// Inputs x, index, src; attribute: axis. One thread, in row-major order of the index: equal targets add up in
// order.
void scatter_add(const Call& c, void*) {
  const Operand x = c.in(0), index = c.in(1);
  const Lead lead(x, index, static_cast<int>(c.attr_i64(0)));
  visit_dtype(dtype_of_operand(x.dtype()), [&]<class T>() {
    if constexpr (is_half<T>) {
      std::vector<float> sum(static_cast<size_t>(x.numel()));
      for (size_t i = 0; i < sum.size(); ++i) sum[i] = x.data<T>()[i];
      for (int64_t i = 0; i < index.numel(); ++i) sum[static_cast<size_t>(lead(i))] += c.in(2).data<T>()[i];
      for (size_t i = 0; i < sum.size(); ++i) c.out(0).data<T>()[i] = T(sum[i]);
    } else if constexpr (!std::is_same_v<T, bool>) {
      T* y = c.out(0).data<T>();
      std::memcpy(y, x.data<T>(), static_cast<size_t>(x.numel()) * sizeof(T));
      const T* src = c.in(2).data<T>();
      for (int64_t i = 0; i < index.numel(); ++i) {
        T& sum = y[lead(i)];
        if constexpr (std::is_integral_v<T>)
          sum = static_cast<T>(static_cast<uint64_t>(sum) + static_cast<uint64_t>(src[i]));
        else
          sum += src[i];
      }
    }
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
    if (id[i] < 0 || id[i] >= extent) Lead::out_of_range(x, id[i], axis);
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
    {"gather", "elements", 10, row_major_inputs, nullptr, gather},
    {"scatter_add", "elements", 10, row_major_inputs, nullptr, scatter_add},
    {"index_select", "rows", 10, row_major_inputs, nullptr, index_select},
};

}  // namespace

KernelList kernels_gather() { return kKernels; }

}  // namespace suiren::cpu
