#include "backends/cpu/resample.h"

#include <algorithm>

#include "backends/cpu/scratch.h"
#include "backends/cpu/simd/targets.h"
#include "backends/cpu/stage.h"
#include "backends/cpu/walk.h"
#include "suiren/base/threads.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/resample.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// After foreach_target.h, so that it is compiled for each target.
#include "backends/cpu/simd/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace suiren::cpu::HWY_NAMESPACE {
namespace {

// y = w x, or y = y + w x.
void weigh_row(const float* x, float w, float* y, int64_t n, bool first) {
  const V scale = set(w);
  if (first)
    for_vectors(n, [=](auto in, auto out) SUIREN_STEP { out(hn::Mul(in(x), scale), y); });
  else
    for_vectors(n, [=](auto in, auto out) SUIREN_STEP { out(hn::MulAdd(in(x), scale, in(y)), y); });
}

}  // namespace
}  // namespace suiren::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace suiren::cpu {
namespace {

void add_weighted(const float* x, double w, float* y, int64_t n, bool first) {
  SUIREN_PICK(weigh_row)(x, static_cast<float>(w), y, n, first);
}
void add_weighted(const double* x, double w, double* y, int64_t n, bool first) {
  for (int64_t i = 0; i < n; ++i) y[i] = first ? w * x[i] : y[i] + w * x[i];
}

// A row of sums over the outer dimensions: maps 0 .. dims - 2 at output row `row`.
template <class T>
class RowSum {
 public:
  RowSum(const std::vector<AxisMap>& maps, T* sum) : maps_(maps), sum_(sum) {}
  const T* operator()(const T* plane, int64_t row) {
    const int outer = static_cast<int>(maps_.size()) - 1;
    for (int d = outer - 1; d >= 0; --d) {
      const int64_t extent = maps_[static_cast<size_t>(d)].out();
      at_[d] = row % extent;
      row /= extent;
    }
    found_ = nullptr, count_ = 0;
    collect(plane, 0, 0, 1);
    if (count_ == 0) std::fill_n(sum_, width(), T(0));
    return found_ ? found_ : sum_;
  }

 private:
  int64_t width() const { return maps_.back().in; }
  void collect(const T* plane, size_t d, int64_t row, double weight) {
    if (d + 1 == maps_.size()) {
      const T* from = plane + row * width();
      if (count_ == 0 && weight == 1) {
        found_ = from;  // used where it lies, unless more follows
      } else {
        if (found_) add_weighted(found_, 1, sum_, width(), true), found_ = nullptr;
        add_weighted(from, weight, sum_, width(), count_ == 0);
      }
      ++count_;
      return;
    }
    const AxisMap& m = maps_[d];
    const auto i = static_cast<size_t>(at_[d]);
    for (auto e = static_cast<size_t>(m.begin[i]); e < static_cast<size_t>(m.begin[i + 1]); ++e)
      collect(plane, d + 1, row * m.in + m.index[e], weight * m.weight[e]);
  }

  const std::vector<AxisMap>& maps_;
  T* sum_;
  int64_t at_[kMaxRank] = {};
  const T* found_ = nullptr;
  int64_t count_ = 0;
};

bool picks_one_each(const AxisMap& m) {
  if (static_cast<int64_t>(m.index.size()) != m.out()) return false;
  for (int64_t i = 0; i < m.out(); ++i)
    if (m.begin[static_cast<size_t>(i)] != i || m.weight[static_cast<size_t>(i)] != 1) return false;
  return true;
}

template <class T>
void apply(const AxisMap& m, const std::vector<T>& weight, bool pick, const T* x, T* y) {
  const int64_t n = m.out(), *begin = m.begin.data(), *index = m.index.data();
  if (pick) {
    for (int64_t i = 0; i < n; ++i) y[i] = x[index[i]];
    return;
  }
  for (int64_t i = 0; i < n; ++i) {
    T sum = 0;
    for (int64_t e = begin[i]; e < begin[i + 1]; ++e) sum += weight[static_cast<size_t>(e)] * x[index[e]];
    y[i] = sum;
  }
}

template <class T>
void resample_planes(const std::vector<AxisMap>& maps, int64_t planes, const T* x, T* y) {
  const AxisMap& inner = maps.back();
  int64_t rows = 1, in = 1;
  for (const AxisMap& m : maps) rows *= m.out(), in *= m.in;
  rows /= std::max<int64_t>(1, inner.out());
  const std::vector<T> weight(inner.weight.begin(), inner.weight.end());
  const bool pick = picks_one_each(inner);
  const int64_t work = std::max<int64_t>(1, (in / std::max<int64_t>(1, rows) + 2 * inner.out()));
  parallel_for(planes * rows, std::max<int64_t>(1, kGrainMath / work), [&](int64_t begin, int64_t end) {
    static thread_local Scratch<T> buffer;
    RowSum<T> sum(maps, buffer.get(std::max<int64_t>(1, inner.in)));
    for (int64_t i = begin; i < end; ++i)
      apply(inner, weight, pick, sum(x + i / rows * in, i % rows), y + i * inner.out());
  });
}

}  // namespace

AxisMap AxisMap::transposed() const {
  AxisMap t;
  t.in = out();
  std::vector<std::vector<std::pair<int64_t, double>>> sources(static_cast<size_t>(in));
  for (int64_t i = 0; i < out(); ++i)
    for (auto e = static_cast<size_t>(begin[static_cast<size_t>(i)]);
         e < static_cast<size_t>(begin[static_cast<size_t>(i) + 1]); ++e)
      sources[static_cast<size_t>(index[e])].emplace_back(i, weight[e]);
  for (const auto& list : sources) {
    for (const auto& [at, w] : list) t.add(at, w);
    t.end_output();
  }
  return t;
}

void resample(const std::vector<AxisMap>& maps, const Operand& x, const Operand& y) {
  if (y.numel() == 0) return;
  int64_t size = 1;
  for (const AxisMap& m : maps) size *= m.out();
  const int64_t planes = y.numel() / size;
  y.dtype() == SR_F64 ? resample_planes(maps, planes, x.data<double>(), y.data<double>())
                      : resample_planes(maps, planes, x.data<float>(), y.data<float>());
}

}  // namespace suiren::cpu
#endif
