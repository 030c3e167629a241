#pragma once
// A tensor split into the dimensions that a reduction keeps and those that it folds away.

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "backends/cpu/convert.h"
#include "backends/cpu/stage.h"
#include "backends/cpu/walk.h"

namespace suiren::cpu {

/// Dimensions with their strides in elements, outermost first.
struct Loops {
  int rank = 0;
  int64_t dims[kMaxRank], strides[kMaxRank], count = 1;

  void add(int64_t extent, int64_t stride) {
    count *= extent;
    if (extent != 1) dims[rank] = extent, strides[rank++] = stride;
  }
  Loops merged() const {
    Loops m;
    m.count = count;
    for (int d = 0; d < rank; ++d) {
      if (m.rank > 0 && m.strides[m.rank - 1] == strides[d] * dims[d])
        m.dims[m.rank - 1] *= dims[d], m.strides[m.rank - 1] = strides[d];
      else
        m.dims[m.rank] = dims[d], m.strides[m.rank++] = strides[d];
    }
    if (m.rank == 0) m.dims[0] = m.count, m.strides[0] = 1, m.rank = 1;
    return m;
  }
  int64_t offset(int64_t index) const {
    int64_t at = 0;
    for (int d = rank - 1; d >= 0; --d) {
      at += index % dims[d] * strides[d];
      index /= dims[d];
    }
    return at;
  }
};

/// x split into what is kept (a result each) and what is reduced. Attribute 0: axes.
struct Reduction {
  Loops kept, reduced;
  explicit Reduction(const Call& c) {
    const Operand x = c.in(0);
    bool gone[kMaxRank] = {};
    for (int i = 0; i < c.attr_list_size(0); ++i) gone[c.attr_list(0)[i]] = true;
    for (int d = 0; d < x.rank(); ++d) (gone[d] ? reduced : kept).add(x.dim(d), x.stride(d));
  }
};

/// True when neighbouring results come from neighbouring elements of x: then rows are read whole, in their
/// order.
inline bool side_by_side(const Reduction& r) {
  const Loops kept = r.kept.merged(), reduced = r.reduced.merged();
  return kept.dims[kept.rank - 1] >= 16 && kept.strides[kept.rank - 1] == 1 && reduced.count > 1 &&
         reduced.strides[reduced.rank - 1] != 1;
}
/// body(offset in x, index of the result, n) for runs of at most kColumnRun neighbouring results, kept
/// (merged) as side_by_side says; each reduces `count` elements.
inline constexpr int64_t kColumnRun = 256;
template <class Body>
void for_column_runs(const Loops& kept, int64_t count, Body body) {
  const int64_t width = kept.dims[kept.rank - 1], runs = (width + kColumnRun - 1) / kColumnRun;
  Loops outside = kept;
  --outside.rank;
  outside.count = kept.count / width;
  const int64_t work = std::max<int64_t>(1, count * std::min(width, kColumnRun));
  parallel_for(outside.count * runs, std::max<int64_t>(1, kGrainMath / work),
               [&](int64_t begin, int64_t end) {
                 for (int64_t i = begin; i < end; ++i) {
                   const int64_t o = i / runs, j = i % runs * kColumnRun;
                   body(outside.offset(o) + j, o * width + j, std::min(kColumnRun, width - j));
                 }
               });
}

/// y[o] = fold over the reduced elements, one element after another.
template <class T, class Y, class Fold>
void fold_each(const Call& c, const Reduction& r) {
  const T* x = c.in(0).data<T>();
  Y* y = c.out(0).data<Y>();
  const Loops reduced = r.reduced.merged();
  if (side_by_side(r))
    return for_column_runs(r.kept.merged(), reduced.count, [&](int64_t at, int64_t o, int64_t n) {
      Fold folds[kColumnRun] = {};
      for (int64_t k = 0; k < reduced.count; ++k) {
        const T* row = x + at + reduced.offset(k);
        for (int64_t j = 0; j < n; ++j) folds[j].take(row[j]);
      }
      for (int64_t j = 0; j < n; ++j) y[o + j] = convert<Y>(folds[j].value);
    });
  const int64_t n = reduced.dims[reduced.rank - 1], step = reduced.strides[reduced.rank - 1];
  Loops runs = reduced;
  --runs.rank;
  runs.count = n ? reduced.count / n : 0;
  parallel_for(r.kept.count, std::max<int64_t>(1, kGrainMath / std::max<int64_t>(1, reduced.count)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t o = begin; o < end; ++o) {
                   const T* from = x + r.kept.offset(o);
                   Fold fold;
                   for (int64_t i = 0; i < runs.count; ++i) {
                     const T* p = from + runs.offset(i);
                     for (int64_t k = 0; k < n; ++k) fold.take(p[k * step]);
                   }
                   y[o] = convert<Y>(fold.value);
                 }
               });
}

struct FloatSum {
  double value = 0;
  template <class T>
  void take(T x) {
    value += static_cast<double>(convert<std::conditional_t<is_half<T>, float, T>>(x));
  }
};
struct WholeSum {
  int64_t value = 0;
  template <class T>
  void take(T x) {
    value =
        static_cast<int64_t>(static_cast<uint64_t>(value) + static_cast<uint64_t>(static_cast<int64_t>(x)));
  }
};
/// body(first element of x, index of the result) for each line of x along the axis.
template <class T, class Body>
void for_lines(const Call& c, int64_t axis, Body body) {
  const Operand x = c.in(0);
  Loops others;
  for (int d = 0; d < x.rank(); ++d)
    if (d != axis) others.add(x.dim(d), x.stride(d));
  const int64_t grain =
      std::max<int64_t>(1, kGrainMath / std::max<int64_t>(1, x.dim(static_cast<int>(axis))));
  parallel_for(others.count, grain, [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) body(x.data<T>() + others.offset(o), o);
  });
}

}  // namespace suiren::cpu
