#pragma once
// What reductions over a set of dimensions share: attributes, shapes, samples. For rooms, not for callers.

#include "suiren/ops/common.h"
#include "suiren/ops/view/view.h"

namespace suiren {

struct ReduceAttrs {
  Dims axes;  // ascending; never empty unless x is a scalar
  bool keep;
};

/// x's shape with the reduced dimensions of extent 1.
inline Shape kept_shape(const Dims& axes, const Shape& x) {
  Shape kept = x;
  for (int64_t d : axes) kept[static_cast<int>(d)] = 1;
  return kept;
}

inline int64_t reduced_count(const Dims& axes, const Shape& x) {
  int64_t n = 1;
  for (int64_t d : axes) n *= x[static_cast<int>(d)];
  return n;
}

/// What all reductions over axes share.
struct Reduce {
  using Attrs = ReduceAttrs;
  static constexpr auto fields = std::tuple{field("axes", &Attrs::axes), field("keep", &Attrs::keep)};

  static Shape result_shape(const Attrs& a, const TensorSpec& x) {
    Shape shape = x.shape;
    int64_t before = -1;
    for (int64_t d : a.axes) {
      SR_CHECK_AS(kShape, d > before && d < x.rank(), "axes {} are no set of dimensions of {}", a.axes,
                  x.shape);
      before = d;
    }
    for (int i = a.axes.rank() - 1; i >= 0; --i) {
      const int d = static_cast<int>(a.axes[i]);
      if (a.keep)
        shape[d] = 1;
      else
        shape.erase(d);
    }
    return shape;
  }
  /// A gradient or result, shown with x's shape.
  static Tensor spread(const Attrs& a, const Tensor& y, const Shape& x) {
    return broadcast_to(reshape(y, kept_shape(a.axes, x)), x);
  }
  static Samples samples_of(SampleInput input(Shape, double, double)) {
    const auto x = [&](Shape s) { return input(s, -2, 2); };
    return {sample(Attrs{{}, false}, {x({})}),
            sample(Attrs{{0}, false}, {x({1})}),
            sample(Attrs{{0}, false}, {x({17})}),
            sample(Attrs{{1}, false}, {x({3, 5})}),
            sample(Attrs{{0}, true}, {x({3, 5})}),
            sample(Attrs{{0, 1}, false}, {x({3, 5})}),
            sample(Attrs{{0, 2}, true}, {x({2, 3, 4})}),
            sample(Attrs{{1}, false}, {x({2, 3, 4})}),
            sample(Attrs{{1, 3}, false}, {x({2, 3, 1, 4})}),
            sample(Attrs{{1}, false}, {x({0, 4})}),
            bad(Attrs{{2}, false}, {x({3, 5})}, "axes [2] are no set of dimensions of [3, 5]"),
            bad(Attrs{{1, 1}, false}, {x({3, 5})}, "axes [1, 1] are no set of dimensions of [3, 5]")};
  }
};

/// Ascending positive axes; all of them when none are named.
inline Dims resolved(const Dims& axes, int rank) {
  bool reduced[kMaxRank] = {};
  for (int64_t d : axes) {
    bool& seen = reduced[normalize_axis(d, rank)];
    SR_CHECK_AS(kShape, !seen, "axes {} name dimension {} twice", axes, normalize_axis(d, rank));
    seen = true;
  }
  Dims out;
  for (int d = 0; d < rank; ++d)
    if (axes.empty() || reduced[d]) out.push_back(d);
  return out;
}

/// Products of integers wrap modulo 2^64; products of floats are formed in Wide.
inline Wide multiply_wide(DType d, Wide a, Wide b) {
  if (d.is_floating()) return a * b;
  return static_cast<Wide>(static_cast<int64_t>(static_cast<uint64_t>(static_cast<int64_t>(a)) *
                                                static_cast<uint64_t>(static_cast<int64_t>(b))));
}

}  // namespace suiren
