#pragma once
// Where the elements of an index lead to, for gather, scatter and their kind: x and the index seen from one
// axis as [outer, extent, inner], walked in rows. Row-major operands.

#include <algorithm>
#include <numeric>
#include <string>
#include <type_traits>
#include <vector>

#include "backends/cpu/walk.h"
#include "suiren/base/error.h"

namespace suiren::cpu {

// An index operand of i32 or i64, row-major.
class Indices {
 public:
  explicit Indices(const Operand& x) : data_(x.data<char>()), wide_(x.dtype() == SR_I64) {}
  int64_t operator[](int64_t i) const {
    return wide_ ? reinterpret_cast<const int64_t*>(data_)[i] : reinterpret_cast<const int32_t*>(data_)[i];
  }
  /// f(pointer to the elements).
  template <class F>
  void visit(F&& f) const {
    if (wide_)
      f(reinterpret_cast<const int64_t*>(data_));
    else
      f(reinterpret_cast<const int32_t*>(data_));
  }

 private:
  const char* data_;
  bool wide_;
};

[[noreturn]] inline void out_of_range(const Operand& x, int64_t chosen, int axis) {
  std::string shape;
  for (int d = 0; d < x.rank(); ++d) shape += (d ? ", " : "") + std::to_string(x.dim(d));
  fail(ErrorCode::kInvalid, "index {} is out of range for dimension {} of x with shape [{}]", chosen, axis,
       shape);
}

class Indexed {
 public:
  /// `index` has x's rank (an entry for each element) or is a list [n] (an entry for each slice along axis).
  Indexed(const Operand& x, const Operand& index, int axis, bool list = false)
      : x_(x), id_(index), axis_(axis), count_(list ? index.numel() : index.dim(axis)), extent_(x.dim(axis)) {
    for (int d = 0; d < x.rank(); ++d) {
      const int64_t n = list || d == axis ? x.dim(d) : index.dim(d);
      if (d < axis) outers_ *= n;
      if (d > axis) inners_ *= n, x_inners_ *= x.dim(d);
    }
    if (list) return;
    place(index, axis + 1, x.rank(), inners_, inner_at_);
    place(index, 0, axis, outers_, outer_at_);
  }
  int64_t numel() const { return outers_ * count_ * inners_; }

  /// one(at, i) for every entry i, which leads to x[at], in any order; no list.
  template <class One>
  void each(One one) const {
    if (numel() == 0) return;
    parallel_for(outers_ * count_, std::max<int64_t>(1, kGrainMath / inners_), [&](int64_t b, int64_t e) {
      for (int64_t o = b / count_; b < e; ++o) {
        const int64_t end = std::min(e, (o + 1) * count_);
        range(o, b - o * count_, end - o * count_, 0, inners_, one);
        b = end;
      }
    });
  }

  /// Likewise, but the entries that lead to one place come in ascending order, and all on one thread. A list
  /// comes in rows: one(at, i, n) for entries i .. i + n - 1, which lead to x[at] .. x[at + n - 1].
  template <class One>
  void each_in_order(One one) const {
    if (numel() == 0) return;
    if (outers_ > 1)
      return parallel_for(outers_, std::max<int64_t>(1, kGrainMath / (count_ * inners_)),
                          [&](int64_t b, int64_t e) {
                            for (int64_t o = b; o < e; ++o) range(o, 0, count_, 0, inners_, one);
                          });
    if constexpr (std::is_invocable_v<One, int64_t, int64_t, int64_t>)
      if (inners_ >= kLine && by_place(one)) return;
    parallel_for(inners_, std::max<int64_t>(kLine, kGrainMath / count_),
                 [&](int64_t b, int64_t e) { range(0, 0, count_, b, e, one); });
  }

 private:
  static constexpr int64_t kLine =
      16;  // elements of a cache line: threads that share one slow each other down

  // A list over the first dimension: each thread has some places of x, with about as many entries as the
  // others, and takes their rows whole. False (and nothing done) when one place has more than a thread's
  // share.
  template <class One>
  bool by_place(One one) const {
    std::vector<int64_t> first(static_cast<size_t>(extent_) + 1);  // entries that lead to places before each
    int64_t most = 0;
    for (int64_t k = 0; k < count_; ++k)
      most = std::max(most, ++first[static_cast<size_t>(checked(id_[k])) + 1]);
    if (most * thread_count() > 2 * count_) return false;
    std::partial_sum(first.begin(), first.end(), first.begin());
    parallel_for(count_, std::max<int64_t>(1, kGrainMath / inners_), [&](int64_t b, int64_t e) {
      const auto place = [&](int64_t entry) {
        return std::lower_bound(first.begin(), first.end() - 1, entry) - first.begin();
      };
      const int64_t low = place(b), high = place(e);
      id_.visit([&](const auto* id) {
        for (int64_t k = 0; k < count_; ++k)
          if (id[k] >= low && id[k] < high) one(id[k] * x_inners_, k * inners_, inners_);
      });
    });
    return true;
  }
  // One outer position, slices [begin, end) and inner positions [first, last).
  template <class One>
  void range(int64_t o, int64_t begin, int64_t end, int64_t first, int64_t last, One one) const {
    id_.visit([&](const auto* id) {
      const int64_t base = (outer_at_.empty() ? o : outer_at_[static_cast<size_t>(o)]) * extent_ * x_inners_;
      const int64_t start = o * count_;
      if constexpr (std::is_invocable_v<One, int64_t, int64_t, int64_t>) {
        for (int64_t k = begin; k < end; ++k)
          one(base + checked(id[k]) * x_inners_ + first, (start + k) * inners_ + first, last - first);
      } else if (inners_ == 1 && x_inners_ == 1) {
        for (int64_t i = start + begin; i < start + end; ++i) one(base + checked(id[i]), i);
      } else {
        const int64_t* at = inner_at_.empty() ? nullptr : inner_at_.data();
        for (int64_t k = begin; k < end; ++k) {
          const int64_t i = (start + k) * inners_;
          for (int64_t j = first; j < last; ++j)
            one(base + checked(id[i + j]) * x_inners_ + (at ? at[j] : j), i + j);
        }
      }
    });
  }
  int64_t checked(int64_t id) const {
    if (static_cast<uint64_t>(id) >= static_cast<uint64_t>(extent_)) [[unlikely]]
      out_of_range(x_, id, axis_);
    return id;
  }
  // at[p] = the place in x, over its dimensions [from, to), of position p of the index over the same.
  void place(const Operand& index, int from, int to, int64_t positions, std::vector<int64_t>& at) const {
    bool same = true;
    for (int d = from; d < to; ++d) same = same && index.dim(d) == x_.dim(d);
    if (same) return;
    at.resize(static_cast<size_t>(positions));
    for (int64_t p = 0; p < positions; ++p) {
      int64_t rest = p, step = 1, sum = 0;
      for (int d = to - 1; d >= from; --d) {
        sum += rest % index.dim(d) * step;
        rest /= index.dim(d);
        step *= x_.dim(d);
      }
      at[static_cast<size_t>(p)] = sum;
    }
  }

  const Operand& x_;
  Indices id_;
  int axis_;
  int64_t count_, extent_, outers_ = 1, inners_ = 1, x_inners_ = 1;
  std::vector<int64_t> inner_at_, outer_at_;
};

}  // namespace suiren::cpu
