#include "suiren/ops/loss/loss.h"

#include <limits>

#include "suiren/core/dispatch.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/clamp/clamp.h"
#include "suiren/ops/common.h"
#include "suiren/ops/compare/compare.h"
#include "suiren/ops/full/full.h"
#include "suiren/ops/reduce/reduce.h"
#include "suiren/ops/unary/unary.h"
#include "suiren/ops/where/where.h"

namespace suiren {
namespace {

Tensor number(double value, const Tensor& beside) { return full({}, value, beside.dtype(), beside.device()); }

void check_pair(const TensorSpec& x, const TensorSpec& target) {
  check_dtype(kFloating, "x", x);
  check_same_dtype("x", x, "target", target);
  check_same_shape("x", x, "target", target);
}

// What losses of two tensors share; Row::loss(attrs, x, t) in the accumulator's dtype.
template <class Row, class A>
struct PairLoss {
  using Attrs = A;
  static constexpr DTypes dtypes = kFloating;
  static Specs infer(const A& a, const TensorSpec& x, const TensorSpec& target) {
    check_pair(x, target);
    Row::check(a);
    return {x};
  }
  static void check(const A&) {}
  static Tensor decompose(const A& a, const Tensor& x, const Tensor& target) {
    return cast(Row::loss(a, widen(x), widen(target)), x.dtype());
  }
  // `low` and `high` bound x, `t_low` and `t_high` the targets.
  static Samples samples_of(const A& a, double low, double high, double t_low, double t_high) {
    const auto call = [&](const Shape& s) { return sample(a, {real(s, low, high), real(s, t_low, t_high)}); };
    return {call({}),
            call({1}),
            call({37}),
            call({2, 3, 4}),
            call({0, 3}),
            bad(a, {real({2, 3}), real({3})}, "x has shape [2, 3], target has shape [3]; expected the same"),
            bad(a, {boolean({2}), boolean({2})}, "x is bool, expected a floating type; cast it first")};
  }
};

// Of d = x - t alone: Row::slope(attrs, d) is its derivative.
template <class Row, class A>
struct DifferenceLoss : PairLoss<Row, A> {
  static Grads vjp(const A& a, const Vjp& c) {
    const Tensor slope = Row::slope(a, widen(c.in(0)) - widen(c.in(1)));
    const Tensor dx = cast(widen(c.grad()) * slope, c.in_spec(0).dtype);
    return {dx, c.needs(1) ? neg(dx) : Tensor()};
  }
};

struct MseLoss : DifferenceLoss<MseLoss, NoAttrs> {
  static constexpr OpName name = "mse_loss";
  static constexpr const char* doc = "y = (x - t)^2";
  static constexpr auto fields = std::tuple{};
  static Tensor loss(const NoAttrs&, const Tensor& x, const Tensor& t) { return square(x - t); }
  static Tensor slope(const NoAttrs&, const Tensor& d) { return d * 2.0; }
  static Samples samples() { return samples_of({}, -2, 2, -2, 2); }
};

struct L1Loss : DifferenceLoss<L1Loss, NoAttrs> {
  static constexpr OpName name = "l1_loss";
  static constexpr const char* doc = "y = |x - t|";
  static constexpr auto fields = std::tuple{};
  static Tensor loss(const NoAttrs&, const Tensor& x, const Tensor& t) { return abs(x - t); }
  static Tensor slope(const NoAttrs&, const Tensor& d) { return sign(d.detach()); }
  static Samples samples() { return samples_of({}, -2, 2, -2, 2); }
};

struct HuberAttrs {
  double delta;
};
struct HuberLoss : DifferenceLoss<HuberLoss, HuberAttrs> {
  static constexpr OpName name = "huber_loss";
  static constexpr const char* doc = "d = |x - t|: y = d <= delta ? d^2 / 2 : delta (d - delta / 2)";
  static constexpr auto fields = std::tuple{field("delta", &HuberAttrs::delta)};
  static void check(const Attrs& a) { SR_CHECK(a.delta > 0, "delta is {}, expected more than 0", a.delta); }
  static Tensor loss(const Attrs& a, const Tensor& x, const Tensor& t) {
    const Tensor d = abs(x - t);
    return where(le(d.detach(), number(a.delta, d)), square(d) * 0.5, (d - a.delta / 2) * a.delta);
  }
  static Tensor slope(const Attrs& a, const Tensor& d) { return clamp(d, -a.delta, a.delta); }
  static Samples samples() {
    Samples all = samples_of({1}, -2, 2, -2, 2);
    all.push_back(sample(Attrs{0.3}, {real({5, 7}), real({5, 7})}));
    all.push_back(bad(Attrs{0}, {real({3}), real({3})}, "delta is 0, expected more than 0"));
    return all;
  }
};

struct SmoothL1Attrs {
  double beta;
};
struct SmoothL1Loss : DifferenceLoss<SmoothL1Loss, SmoothL1Attrs> {
  static constexpr OpName name = "smooth_l1_loss";
  static constexpr const char* doc = "d = |x - t|: y = d < beta ? d^2 / (2 beta) : d - beta / 2";
  static constexpr auto fields = std::tuple{field("beta", &SmoothL1Attrs::beta)};
  static void check(const Attrs& a) { SR_CHECK(a.beta >= 0, "beta is {}, expected at least 0", a.beta); }
  static Tensor loss(const Attrs& a, const Tensor& x, const Tensor& t) {
    const Tensor d = abs(x - t);
    if (a.beta == 0) return d;
    return where(lt(d.detach(), number(a.beta, d)), square(d) * (0.5 / a.beta), d - a.beta / 2);
  }
  static Tensor slope(const Attrs& a, const Tensor& d) {
    return a.beta == 0 ? sign(d.detach()) : clamp(d / a.beta, -1, 1);
  }
  static Samples samples() {
    Samples all = samples_of({1}, -2, 2, -2, 2);
    all.push_back(sample(Attrs{0.3}, {real({5, 7}), real({5, 7})}));
    all.push_back(sample(Attrs{0}, {real({5, 7}), real({5, 7})}));
    all.push_back(bad(Attrs{-1}, {real({3}), real({3})}, "beta is -1, expected at least 0"));
    return all;
  }
};

struct BinaryCrossEntropy : PairLoss<BinaryCrossEntropy, NoAttrs> {
  static constexpr OpName name = "binary_cross_entropy";
  static constexpr const char* doc = "y = -(t max(ln x, -100) + (1 - t) max(ln(1 - x), -100))";
  static constexpr auto fields = std::tuple{};
  static Tensor loss(const NoAttrs&, const Tensor& x, const Tensor& t) {
    constexpr double most = std::numeric_limits<double>::infinity();
    return (t * clamp(log(x), -100, most) + (1 - t) * clamp(log(1 - x), -100, most)) * -1.0;
  }
  static Samples samples() {
    Samples all = samples_of({}, 0.05, 0.95, 0, 1);
    Sample certain = sample(NoAttrs{}, {real({3, 4}, 0, 0), real({3, 4}, 0, 1)});  // ln 0
    certain.gradient = false;
    all.push_back(certain);
    return all;
  }
};

struct BceWithLogits {
  static constexpr OpName name = "bce_with_logits";
  static constexpr const char* doc =
      "y = -(w t ln s(x) + (1 - t) ln s(-x)), s the sigmoid; w is a third input, or 1";
  using Attrs = NoAttrs;
  static constexpr auto fields = std::tuple{};
  static constexpr DTypes dtypes = kFloating;
  static Specs infer(const Attrs&, std::span<const TensorSpec> in) {
    SR_CHECK_AS(kShape, in.size() == 2 || in.size() == 3,
                "{} inputs are given, expected x, target[, pos_weight]", in.size());
    check_pair(in[0], in[1]);
    if (in.size() == 3) {
      check_same_dtype("x", in[0], "pos_weight", in[2]);
      SR_CHECK_AS(kShape, broadcast(in[0].shape, in[2].shape) == in[0].shape,
                  "pos_weight with shape {} does not broadcast to x with shape {}", in[2].shape, in[0].shape);
    }
    return {in[0]};
  }
  static Tensor decompose(const Attrs&, std::span<const Tensor> in) {
    const Tensor x = widen(in[0]), t = widen(in[1]);
    const Tensor right = t * log_sigmoid(x), wrong = (1 - t) * log_sigmoid(x * -1.0);
    return cast(((in.size() == 3 ? right * widen(in[2]) : right) + wrong) * -1.0, in[0].dtype());
  }
  // dy/dx = s(x) (1 - t + w t) - w t; dy/dt = ln s(-x) - w ln s(x), which is -x for w = 1.
  static Grads vjp(const Attrs&, const Vjp& c) {
    const DType dtype = c.in_spec(0).dtype;
    const Tensor x = widen(c.in(0)), t = widen(c.in(1)), g = widen(c.grad());
    if (c.inputs() == 2)
      return {c.needs(0) ? cast(g * (sigmoid(x) - t), dtype) : Tensor(),
              c.needs(1) ? cast(neg(g * x), dtype) : Tensor()};
    const Tensor w = widen(c.in(2)), yes = w * t, rest = log_sigmoid(x);
    return {c.needs(0) ? cast(g * (sigmoid(x) * (1 - t + yes) - yes), dtype) : Tensor(),
            c.needs(1) ? cast(g * (log_sigmoid(neg(x)) - w * rest), dtype) : Tensor(),
            c.needs(2) ? cast(sum_to(neg(g * t * rest), c.in_spec(2).shape), dtype) : Tensor()};
  }
  static Samples samples() {
    const Attrs a;
    const auto t = [](Shape s) { return real(s, 0, 1); };
    return {sample(a, {real({}), t({})}),
            sample(a, {real({1}), t({1})}),
            sample(a, {real({37}, -6, 6), t({37})}),
            sample(a, {real({2, 3, 4}), t({2, 3, 4})}),
            sample(a, {real({2, 3, 4}), t({2, 3, 4}), real({4}, 0.5, 3)}),
            sample(a, {real({5, 7}), t({5, 7}), real({5, 1}, 0.5, 3)}),
            sample(a, {real({4, 9}, -80, 80), t({4, 9})}),  // e^x overflows f32
            sample(a, {real({0, 3}), t({0, 3})}),
            bad(a, {real({2, 3})}, "1 inputs are given, expected x, target[, pos_weight]"),
            bad(a, {real({2, 3}), t({3})}, "x has shape [2, 3], target has shape [3]; expected the same"),
            bad(a, {real({3}), t({3}), real({2, 3})},
                "pos_weight with shape [2, 3] does not broadcast to x with shape [3]")};
  }
};

struct KlDivAttrs {
  bool log_target;
};
struct KlDiv : PairLoss<KlDiv, KlDivAttrs> {
  static constexpr OpName name = "kl_div";
  static constexpr const char* doc = "y = t (ln t - x), 0 where t = 0; log_target: y = e^t (t - x)";
  static constexpr auto fields = std::tuple{field("log_target", &KlDivAttrs::log_target)};
  static Tensor loss(const Attrs& a, const Tensor& x, const Tensor& t) {
    if (a.log_target) return exp(t) * (t - x);
    const Tensor none = eq(t.detach(), number(0, t));  // ln 0 is kept out of the gradient as well
    return t * log(where(none, number(1, t), t)) - t * x;
  }
  static Samples samples() {
    Samples all = samples_of({false}, -3, 0, 0.05, 1);
    const Samples logarithms = samples_of({true}, -3, 0, -3, 0);
    all.insert(all.end(), logarithms.begin(), logarithms.end());
    Sample zero = sample(Attrs{false}, {real({3, 4}, -3, 0), real({3, 4}, 0, 0)});
    zero.gradient = false;
    all.push_back(zero);
    return all;
  }
};

}  // namespace

Tensor reduced(const Tensor& losses, Reduction reduction) {
  return reduction == Reduction::kNone ? losses : reduction == Reduction::kSum ? sum(losses) : mean(losses);
}

Tensor mse_loss(const Tensor& x, const Tensor& target, Reduction reduction) {
  return reduced(dispatch<MseLoss>({}, x, target), reduction);
}
Tensor l1_loss(const Tensor& x, const Tensor& target, Reduction reduction) {
  return reduced(dispatch<L1Loss>({}, x, target), reduction);
}
Tensor huber_loss(const Tensor& x, const Tensor& target, Reduction reduction, double delta) {
  return reduced(dispatch<HuberLoss>({delta}, x, target), reduction);
}
Tensor smooth_l1_loss(const Tensor& x, const Tensor& target, Reduction reduction, double beta) {
  return reduced(dispatch<SmoothL1Loss>({beta}, x, target), reduction);
}
Tensor binary_cross_entropy(const Tensor& x, const Tensor& target, Reduction reduction) {
  return reduced(dispatch<BinaryCrossEntropy>({}, x, target), reduction);
}
Tensor bce_with_logits(const Tensor& x, const Tensor& target, const Tensor& pos_weight, Reduction reduction) {
  return reduced(pos_weight.defined() ? dispatch<BceWithLogits>({}, x, target, pos_weight)
                                      : dispatch<BceWithLogits>({}, x, target),
                 reduction);
}
Tensor kl_div(const Tensor& x, const Tensor& target, Reduction reduction, bool log_target) {
  return reduced(dispatch<KlDiv>({log_target}, x, target), reduction);
}

OpList ops_loss() {
  return {&op_info<MseLoss>(),
          &op_info<L1Loss>(),
          &op_info<HuberLoss>(),
          &op_info<SmoothL1Loss>(),
          &op_info<BinaryCrossEntropy>(),
          &op_info<BceWithLogits>(),
          &op_info<KlDiv>()};
}

}  // namespace suiren
