#include "suiren/ops/variance/variance.h"

#include <algorithm>

#include "suiren/core/dispatch.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/compare/compare.h"
#include "suiren/ops/full/full.h"
#include "suiren/ops/reduce/axes.h"
#include "suiren/ops/reduce/reduce.h"
#include "suiren/ops/unary/unary.h"
#include "suiren/ops/where/where.h"

namespace suiren {
namespace {

struct VarianceAttrs : ReduceAttrs {
  double correction;
};

// What both share; Row::finish(variance).
template <class Row>
struct Variance {
  using Attrs = VarianceAttrs;
  static constexpr auto fields =
      std::tuple{field<Attrs, Dims>("axes", &Attrs::axes), field<Attrs, bool>("keep", &Attrs::keep),
                 field("correction", &Attrs::correction)};
  static constexpr DTypes dtypes = kFloating;
  static Specs infer(const Attrs& a, const TensorSpec& x) {
    check_dtype(dtypes, "x", x);
    return {{x.dtype, Reduce::result_shape(a, x), x.device}};
  }
  static Tensor decompose(const Attrs& a, const Tensor& x) {
    const Tensor h = cast(x, accumulator(x.dtype()));
    const Tensor d = h - mean(h, a.axes, true);
    const double n = static_cast<double>(reduced_count(a.axes, x.shape())) - a.correction;
    return cast(Row::finish(sum(square(d), a.axes, a.keep) / std::max(0.0, n)), x.dtype());
  }
  static Samples samples() {
    return {
        sample(Attrs{{{1}, false}, 1}, {real({3, 5})}),
        sample(Attrs{{{0}, true}, 0}, {real({3, 5})}),
        sample(Attrs{{{0, 1}, false}, 1}, {real({3, 5})}),
        sample(Attrs{{{0, 2}, true}, 1}, {real({2, 3, 4})}),
        sample(Attrs{{{1}, false}, 0.5}, {real({2, 37})}),
        sample(Attrs{{{1}, false}, 1}, {real({2, 50}, 100, 101)}),  // far from 0
        sample(Attrs{{{1}, false}, 1}, {real({0, 4})}),
        undefined({{{0}, false}, 1}, {1}),
        bad(Attrs{{{2}, false}, 1}, {real({3, 5})}, "axes [2] are no set of dimensions of [3, 5]"),
        bad(Attrs{{{0}, false}, 1}, {boolean({3})}, "x is bool, expected a floating type; cast it first")};
  }
  // 0 / 0: NaN.
  static Sample undefined(const Attrs& a, const Shape& shape) {
    Sample s = sample(a, {real(shape)});
    s.gradient = false;
    return s;
  }
};

struct Var : Variance<Var> {
  static constexpr OpName name = "var";
  static constexpr const char* doc = "y = sum of (x - mean)^2 over axes / max(0, n - correction)";
  static Tensor finish(const Tensor& v) { return v; }
};

struct Std : Variance<Std> {
  static constexpr OpName name = "std";
  static constexpr const char* doc = "y = sqrt(var(x))";
  // sqrt rises infinitely fast at 0; where the variance is 0 the gradient is 0, as PyTorch's.
  static Tensor finish(const Tensor& v) {
    const auto number = [&v](double x) { return full({}, x, v.dtype(), v.device()); };
    const Tensor positive = gt(v.detach(), number(0));
    return where(positive, sqrt(where(positive, v, number(1))), v);
  }
};

}  // namespace

Tensor var(const Tensor& x, const Dims& axes, double correction, bool keep) {
  return dispatch<Var>({{resolved(axes, x.rank()), keep}, correction}, x);
}
Tensor stddev(const Tensor& x, const Dims& axes, double correction, bool keep) {
  return dispatch<Std>({{resolved(axes, x.rank()), keep}, correction}, x);
}

OpList ops_variance() { return {&op_info<Var>(), &op_info<Std>()}; }

}  // namespace suiren
