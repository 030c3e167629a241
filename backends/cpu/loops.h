#pragma once
// A tensor split into the dimensions that a reduction keeps and those that it folds away.

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <vector>

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

/// A fold of n elements, `step` apart: chain k % kChains takes the k-th, chains are joined in ascending
/// order. One that has it takes neighbours by its own `take_row`.
template <class Fold, class T>
Fold fold_run(const T* x, int64_t step, int64_t n) {
  constexpr int64_t kChains = 8;
  Fold chain[kChains] = {};
  int64_t k = 0;
  const auto chains = [&](int64_t apart) {
    for (; k + kChains <= n; k += kChains)
      for (int64_t j = 0; j < kChains; ++j) chain[j].take(x[(k + j) * apart]);
  };
  if constexpr (requires(Fold f) { f.take_row(x, n); })
    if (step == 1) return chain[0].take_row(x, n), chain[0];
  step == 1 ? chains(1) : chains(step);
  for (; k < n; ++k) chain[0].take(x[k * step]);
  for (int64_t j = 1; j < kChains; ++j) chain[0].join(chain[j]);
  return chain[0];
}

/// y[o] = what run(first element, step, n) folds of blocks of at most kFoldBlock elements along the innermost
/// reduced dimension: the blocks joined in ascending order, kFoldGroup at a time.
inline constexpr int64_t kFoldBlock = 4096, kFoldGroup = 8;
template <class Fold, class T, class Y, class Run>
void fold_runs(const T* x, const Reduction& r, Y* y, Run run) {
  const Loops reduced = r.reduced.merged();
  const int64_t n = reduced.dims[reduced.rank - 1], step = reduced.strides[reduced.rank - 1];
  Loops lines = reduced;
  --lines.rank;
  lines.count = n ? reduced.count / n : 0;
  const int64_t in_line = (n + kFoldBlock - 1) / kFoldBlock, blocks = lines.count * in_line,
                groups = (blocks + kFoldGroup - 1) / kFoldGroup;
  const auto group = [&](const T* from, int64_t g) {
    Fold part;
    for (int64_t b = g * kFoldGroup; b < std::min(blocks, (g + 1) * kFoldGroup); ++b) {
      const int64_t k = b % in_line * kFoldBlock;
      part.join(run(from + lines.offset(b / in_line) + k * step, step, std::min(kFoldBlock, n - k)));
    }
    return part;
  };
  const int64_t work = std::max<int64_t>(1, reduced.count), kept = r.kept.count;
  if (kept > 8 || groups < 2)
    return parallel_for(kept, std::max<int64_t>(1, kGrainMath / work), [&](int64_t begin, int64_t end) {
      for (int64_t o = begin; o < end; ++o) {
        const T* from = x + r.kept.offset(o);
        Fold total;
        if (blocks == 1)
          total = run(from, step, n);
        else
          for (int64_t g = 0; g < groups; ++g) total.join(group(from, g));
        y[o] = convert<Y>(total.result());
      }
    });
  std::vector<Fold> parts(static_cast<size_t>(kept * groups));
  parallel_for(kept * groups, std::max<int64_t>(1, kGrainMath * groups / work), [&](int64_t b, int64_t e) {
    for (int64_t i = b; i < e; ++i)
      parts[static_cast<size_t>(i)] = group(x + r.kept.offset(i / groups), i % groups);
  });
  for (int64_t o = 0; o < kept; ++o) {
    Fold total;
    for (int64_t g = 0; g < groups; ++g) total.join(parts[static_cast<size_t>(o * groups + g)]);
    y[o] = convert<Y>(total.result());
  }
}

/// y[o] = fold over the reduced elements: of columns side by side one after another, else as fold_runs has
/// it.
template <class T, class Y, class Fold>
void fold_each(const Call& c, const Reduction& r) {
  const T* x = c.in(0).data<T>();
  Y* y = c.out(0).data<Y>();
  if (!side_by_side(r))
    return fold_runs<Fold>(x, r, y,
                           [](const T* p, int64_t step, int64_t n) { return fold_run<Fold>(p, step, n); });
  constexpr int64_t kAtOnce = 16;  // a fixed number, which the compiler makes vectors of
  const Loops reduced = r.reduced.merged();
  for_column_runs(r.kept.merged(), reduced.count, [&](int64_t at, int64_t o, int64_t n) {
    Fold folds[kColumnRun] = {};
    for (int64_t k = 0; k < reduced.count; ++k) {
      const T* row = x + at + reduced.offset(k);
      int64_t j = 0;
      for (; j + kAtOnce <= n; j += kAtOnce)
        for (int64_t i = 0; i < kAtOnce; ++i) folds[j + i].take(row[j + i]);
      for (; j < n; ++j) folds[j].take(row[j]);
    }
    for (int64_t j = 0; j < n; ++j) y[o + j] = convert<Y>(folds[j].result());
  });
}

/// Rows of f32 whose elements lie side by side, each block by `row`, a function of one target.
template <class Fold, class Row>
void fold_rows(const Call& c, const Reduction& r, Row row) {
  fold_runs<Fold>(c.in(0).data<float>(), r, c.out(0).data<float>(), [=](const float* p, int64_t, int64_t n) {
    Fold fold;
    fold.take(row(p, n));
    return fold;
  });
}
/// True for f32 where fold_rows may be used.
inline bool over_rows(const Call& c, const Reduction& r) {
  const Loops reduced = r.reduced.merged();
  const int last = reduced.rank - 1;
  return c.in(0).dtype() == SR_F32 && reduced.count > 0 &&
         (reduced.strides[last] == 1 || reduced.dims[last] == 1);
}

struct FloatSum {
  double value = 0;
  template <class T>
  void take(T x) {
    value += static_cast<double>(convert<std::conditional_t<is_half<T>, float, T>>(x));
  }
  void join(FloatSum o) { value += o.value; }
  double result() const { return value; }
};
struct WholeSum {
  int64_t value = 0;
  template <class T>
  void take(T x) {
    value =
        static_cast<int64_t>(static_cast<uint64_t>(value) + static_cast<uint64_t>(static_cast<int64_t>(x)));
  }
  void join(WholeSum o) { take(o.value); }
  int64_t result() const { return value; }
};
/// Lines along the axis of a row-major x that lie side by side, at least 16 of them: they are read together,
/// row by row. body(place of the first element, index of the result, n) for runs of n <= kLineRun lines;
/// neighbours along a line are `line_step` apart.
inline constexpr int64_t kLineRun = 128;
inline int64_t line_step(const Operand& x, int64_t axis) {
  int64_t step = 1;
  for (int d = static_cast<int>(axis) + 1; d < x.rank(); ++d) step *= x.dim(d);
  return step;
}
inline bool lines_side_by_side(const Operand& x, int64_t axis) {
  return x.contiguous() && line_step(x, axis) >= 16;
}
template <class Body>
void for_line_runs(const Operand& x, int64_t axis, Body body) {
  const int64_t n = x.dim(static_cast<int>(axis)), inner = line_step(x, axis);
  const int64_t runs = (inner + kLineRun - 1) / kLineRun, all = x.numel() / (n * inner) * runs;
  parallel_for(all, std::max<int64_t>(1, kGrainMath / (n * kLineRun)), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t o = i / runs, j = i % runs * kLineRun;
      body(o * n * inner + j, o * inner + j, std::min(kLineRun, inner - j));
    }
  });
}

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
