#include "suiren/ops/softmax/softmax.h"

#include <limits>

#include "suiren/core/dispatch.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/common.h"
#include "suiren/ops/compare/compare.h"
#include "suiren/ops/copy/copy.h"
#include "suiren/ops/full/full.h"
#include "suiren/ops/reduce/reduce.h"
#include "suiren/ops/unary/unary.h"
#include "suiren/ops/view/view.h"
#include "suiren/ops/where/where.h"

namespace suiren {
namespace {

void check_input(const TensorSpec& x, int64_t axis) {
  check_dtype(kFloating, "x", x);
  check_axis(axis, x);
}

struct Softmax {
  static constexpr OpName name = "softmax";
  static constexpr const char* doc = "y = exp(x) / sum(exp(x)) along axis";
  struct Attrs {
    int64_t axis;
  };
  static constexpr auto fields = std::tuple{field("axis", &Attrs::axis)};
  static constexpr DTypes dtypes = kFloating;
  static constexpr uint32_t saved_inputs = 0, saved_outputs = 1;
  static Specs infer(const Attrs& a, const TensorSpec& x) {
    check_input(x, a.axis);
    return {x};
  }
  static Tensor decompose(const Attrs& a, const Tensor& x) {
    if (x.numel() == 0) return copy(x);
    const Tensor h = widen(x);
    const Tensor e = exp(h - max(h, {a.axis}, true));
    return cast(e / sum(e, {a.axis}, true), x.dtype());
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    const Tensor y = widen(c.out(0)), g = widen(c.grad());
    return {cast(y * (g - sum(g * y, {a.axis}, true)), c.grad().dtype())};
  }
  static Samples samples() {
    return {sample(Attrs{1}, {real({4, 7})}),
            sample(Attrs{0}, {real({5, 3})}),
            sample(Attrs{1}, {real({2, 5, 3})}),
            sample(Attrs{1}, {real({3, 1})}),
            sample(Attrs{0}, {real({1})}),
            sample(Attrs{1}, {real({0, 4})}),
            sample(Attrs{1}, {real({2, 0})}),
            sample(Attrs{1}, {real({2, 70}, 80, 90)}),  // exp of these overflows f32 without the maximum
            bad(Attrs{2}, {real({2, 3})}, "dimension 2 is out of range for x with shape [2, 3]"),
            bad(Attrs{0}, {index({3}, 0, 4)}, "x is i64, expected a floating type")};
  }
};

struct LogSoftmax {
  static constexpr OpName name = "log_softmax";
  static constexpr const char* doc = "y = x - log(sum(exp(x))) along axis";
  using Attrs = Softmax::Attrs;
  static constexpr auto fields = Softmax::fields;
  static constexpr DTypes dtypes = kFloating;
  static constexpr uint32_t saved_inputs = 0, saved_outputs = 1;
  static Specs infer(const Attrs& a, const TensorSpec& x) { return Softmax::infer(a, x); }
  static Tensor decompose(const Attrs& a, const Tensor& x) {
    if (x.numel() == 0) return copy(x);
    const Tensor h = widen(x);
    const Tensor shifted = h - max(h, {a.axis}, true);
    return cast(shifted - log(sum(exp(shifted), {a.axis}, true)), x.dtype());
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    const Tensor y = widen(c.out(0)), g = widen(c.grad());
    return {cast(g - exp(y) * sum(g, {a.axis}, true), c.grad().dtype())};
  }
  static Samples samples() { return Softmax::samples(); }
};

struct LogSumExp {
  static constexpr OpName name = "logsumexp";
  static constexpr const char* doc = "y = log(sum(exp(x))) along axis";
  struct Attrs {
    int64_t axis;
    bool keep;
  };
  static constexpr auto fields = std::tuple{field("axis", &Attrs::axis), field("keep", &Attrs::keep)};
  static constexpr DTypes dtypes = kFloating;
  static constexpr uint32_t saved_outputs = 1;
  static Specs infer(const Attrs& a, const TensorSpec& x) {
    check_input(x, a.axis);
    const int axis = static_cast<int>(a.axis);
    SR_CHECK_AS(kShape, x.dim(axis) > 0, "x has shape {}: dimension {} is empty", x.shape, axis);
    Shape shape = x.shape;
    if (a.keep)
      shape[axis] = 1;
    else
      shape.erase(axis);
    return {{x.dtype, shape, x.device}};
  }
  static Tensor decompose(const Attrs& a, const Tensor& x) {
    const Tensor h = widen(x), top = max(h, {a.axis}, true);
    const double inf = std::numeric_limits<double>::infinity();
    const Tensor finite = lt(abs(top), full({}, inf, top.dtype(), top.device()));
    const Tensor m = where(finite, top, zeros({}, top.dtype(), top.device()));  // inf - inf would be NaN
    const Tensor y = m + log(sum(exp(h - m), {a.axis}, true));
    return cast(a.keep ? y : squeeze(y, a.axis), x.dtype());
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    const auto kept = [&](const Tensor& t) { return widen(a.keep ? t : unsqueeze(t, a.axis)); };
    const Tensor p = exp(widen(c.in(0)) - kept(c.out(0)));
    return {cast(p * kept(c.grad()), c.grad().dtype())};
  }
  static Samples samples() {
    return {sample(Attrs{1, false}, {real({4, 7})}),
            sample(Attrs{0, true}, {real({5, 3})}),
            sample(Attrs{1, true}, {real({2, 5, 3})}),
            sample(Attrs{0, false}, {real({1})}),
            sample(Attrs{1, false}, {real({0, 4})}),
            sample(Attrs{1, false}, {real({2, 70}, 80, 90)}),  // exp of these overflows f32
            bad(Attrs{1, false}, {real({2, 0})}, "x has shape [2, 0]: dimension 1 is empty"),
            bad(Attrs{2, false}, {real({2, 3})}, "dimension 2 is out of range for x with shape [2, 3]")};
  }
};

}  // namespace

Tensor softmax(const Tensor& x, int64_t axis) {
  return dispatch<Softmax>({normalize_axis(axis, x.rank())}, x);
}
Tensor log_softmax(const Tensor& x, int64_t axis) {
  return dispatch<LogSoftmax>({normalize_axis(axis, x.rank())}, x);
}
Tensor logsumexp(const Tensor& x, int64_t axis, bool keep) {
  return dispatch<LogSumExp>({normalize_axis(axis, x.rank()), keep}, x);
}

OpList ops_softmax() { return {&op_info<Softmax>(), &op_info<LogSoftmax>(), &op_info<LogSumExp>()}; }

}  // namespace suiren
