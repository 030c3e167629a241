#include "suiren/ops/norm/norm.h"

#include <cmath>

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

struct NormAttrs : ReduceAttrs {
  double p;
};

struct Norm {
  static constexpr OpName name = "norm";
  static constexpr const char* doc = "y = (sum of |x|^p over axes)^(1/p); the largest |x| for p = inf";
  using Attrs = NormAttrs;
  static constexpr auto fields = std::tuple{field<Attrs, Dims>("axes", &Attrs::axes),
                                            field<Attrs, bool>("keep", &Attrs::keep), field("p", &Attrs::p)};
  static constexpr DTypes dtypes = kFloating;
  static constexpr uint32_t saved_inputs = 1, saved_outputs = 1;
  static Specs infer(const Attrs& a, const TensorSpec& x) {
    check_dtype(dtypes, "x", x);
    SR_CHECK(!std::isnan(a.p) && a.p != 0, "p is {}, expected a number other than 0", a.p);
    const Shape shape = Reduce::result_shape(a, x);
    SR_CHECK_AS(kShape, !std::isinf(a.p) || shape.numel() == 0 || reduced_count(a.axes, x.shape) > 0,
                "x with shape {} has no elements along axes {} to choose from", x.shape, a.axes);
    return {{x.dtype, shape, x.device}};
  }
  static Tensor decompose(const Attrs& a, const Tensor& x) {
    const Tensor h = cast(x, accumulator(x.dtype()));
    return cast(in_accumulator(a, h), x.dtype());
  }
  static Tensor in_accumulator(const Attrs& a, const Tensor& x) {
    if (std::isinf(a.p)) return a.p > 0 ? max(abs(x), a.axes, a.keep) : min(abs(x), a.axes, a.keep);
    if (a.p == 1) return sum(abs(x), a.axes, a.keep);
    if (a.p == 2) return sqrt(sum(square(x), a.axes, a.keep));
    return pow(sum(pow(abs(x), a.p), a.axes, a.keep), 1 / a.p);
  }
  // sign(x) |x|^(p-1) / y^(p-1) where y > 0; for infinite p those that are as large as y share the gradient.
  static Grads vjp(const Attrs& a, const Vjp& c) {
    const Tensor x = cast(c.in(0), accumulator(c.in(0).dtype())), y = spread(a, c.out(0), x),
                 g = spread(a, c.grad(), x);
    const Tensor zero = zeros({}, x.dtype(), x.device()), one = ones({}, x.dtype(), x.device());
    const Tensor safe = where(gt(y.detach(), zero), y, one), size = abs(x);
    Tensor slope;
    if (std::isinf(a.p)) {
      const Tensor hit = cast(eq(size.detach(), y.detach()), x.dtype());
      slope = sign(x.detach()) * hit / sum(hit, a.axes, true);
    } else if (a.p == 1) {
      slope = sign(x.detach());
    } else if (a.p == 2) {
      slope = x / safe;
    } else {
      slope = sign(x.detach()) * pow(where(gt(size.detach(), zero), size / safe, one), a.p - 1);
    }
    return {cast(g * where(gt(y.detach(), zero), slope, zero), c.in(0).dtype())};
  }
  // In the dtype and with the shape of x.
  static Tensor spread(const Attrs& a, const Tensor& y, const Tensor& x) {
    return Reduce::spread(a, cast(y, x.dtype()), x.shape());
  }
  static Samples samples() {
    const double inf = INFINITY;
    return {
        sample(Attrs{{{0}, false}, 2}, {real({1})}),
        sample(Attrs{{{1}, false}, 2}, {real({3, 5})}),
        sample(Attrs{{{0}, true}, 1}, {real({3, 5})}),
        sample(Attrs{{{0, 2}, true}, 2}, {real({2, 3, 4})}),
        sample(Attrs{{{0, 1}, false}, 1}, {real({5, 7})}),
        sample(Attrs{{{1}, false}, inf}, {distinct({3, 5}, 1, 9)}),
        sample(Attrs{{{0}, true}, -inf}, {distinct({5, 3}, -9, -1)}),
        sample(Attrs{{{1}, false}, 3}, {real({4, 5}, 0.2, 2)}),
        sample(Attrs{{{1}, false}, 0.5}, {real({4, 5}, 0.2, 2)}),
        sample(Attrs{{{1}, false}, 2}, {real({0, 4})}),
        sample(Attrs{{{0}, false}, 1}, {real({0, 4})}),
        zero({{{1}, false}, 2}),
        zero({{{1}, false}, 1}),
        bad(Attrs{{{0}, false}, 0}, {real({3})}, "p is 0, expected a number other than 0"),
        bad(Attrs{{{0}, false}, inf}, {real({0, 4})},
            "x with shape [0, 4] has no elements along axes [0] to choose from"),
        bad(Attrs{{{2}, false}, 2}, {real({3, 5})}, "axes [2] are no set of dimensions of [3, 5]"),
        bad(Attrs{{{0}, false}, 2}, {boolean({3})}, "x is bool, expected a floating type; cast it first")};
  }
  // A norm of 0 has a kink there.
  static Sample zero(const Attrs& a) {
    Sample s = sample(a, {real({2, 3}, 0, 0)});
    s.gradient = false;
    return s;
  }
};

}  // namespace

Tensor norm(const Tensor& x, double p, const Dims& axes, bool keep) {
  return dispatch<Norm>({{resolved(axes, x.rank()), keep}, p}, x);
}

OpList ops_norm() { return {&op_info<Norm>()}; }

}  // namespace suiren
