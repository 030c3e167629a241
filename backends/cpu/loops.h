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

/// y[o] = fold over the reduced elements, one element after another.
template <class T, class Y, class Fold>
void fold_each(const Call& c, const Reduction& r) {
  const T* x = c.in(0).data<T>();
  Y* y = c.out(0).data<Y>();
  const Loops reduced = r.reduced.merged();
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
