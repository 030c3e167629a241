#include "suiren/ops/activation/activation.h"

#include <cmath>

#include "suiren/core/dispatch.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/clamp/clamp.h"
#include "suiren/ops/common.h"
#include "suiren/ops/compare/compare.h"
#include "suiren/ops/full/full.h"
#include "suiren/ops/unary/unary.h"
#include "suiren/ops/view/view.h"
#include "suiren/ops/where/where.h"

namespace suiren {
namespace {

Tensor number(double value, const Tensor& beside) { return full({}, value, beside.dtype(), beside.device()); }
Tensor positive(const Tensor& x) { return gt(x.detach(), number(0, x)); }
Tensor negative_part(const Tensor& x) { return -relu(-x); }

// What the rows share. A row states its attributes, value(attrs, x) and slope(attrs, x), or a vjp of its own.
template <class Row, class A>
struct Activation {
  using Attrs = A;
  static constexpr DTypes dtypes = kFloating;
  static constexpr uint32_t saved_inputs = 1;
  static Specs infer(const A& a, const TensorSpec& x) {
    check_dtype(dtypes, "x", x);
    Row::check(a);
    return {x};
  }
  static void check(const A&) {}
  static void reference(const A& a, std::span<const HostArray> in, std::span<HostArray> out) {
    for (int64_t i = 0; i < out[0].numel(); ++i) out[0][i] = Row::value(a, in[0][i]);
  }
  static Grads vjp(const A& a, const Vjp& c) { return {c.grad() * Row::slope(a, c.in(0))}; }
  static Samples samples_of(std::initializer_list<A> attrs) {
    Samples all;
    for (const A& a : attrs)
      for (const Shape& s : {Shape{1}, Shape{37}, Shape{2, 3, 4}}) all.push_back(sample(a, {real(s, -4, 4)}));
    all.push_back(sample(*attrs.begin(), {real({})}));
    all.push_back(sample(*attrs.begin(), {real({0, 3})}));
    all.push_back(sample(*attrs.begin(), {real({2, 1, 5, 3}, -60, 60)}));  // saturated
    all.push_back(bad(*attrs.begin(), {boolean({2})}, "x is bool, expected a floating type; cast it first"));
    return all;
  }
};

struct AlphaAttrs {
  double alpha;
};

struct LeakyReluAttrs {
  double slope;
};
struct LeakyReluBackward {
  static constexpr OpName name = "leaky_relu_backward";
  static constexpr const char* doc = "dx = x > 0 ? g : slope g";
  using Attrs = LeakyReluAttrs;
  static constexpr auto fields = std::tuple{field("slope", &Attrs::slope)};
  static constexpr DTypes dtypes = kFloating;
  static Specs infer(const Attrs&, const TensorSpec& g, const TensorSpec& x) {
    check_dtype(dtypes, "g", g);
    check_same_dtype("g", g, "x", x);
    check_same_shape("g", g, "x", x);
    return {x};
  }
  static Tensor decompose(const Attrs& a, const Tensor& g, const Tensor& x) {
    return where(positive(x), g, g * number(a.slope, g));
  }
  static Samples samples() {
    Samples all;
    for (const double slope : {0.01, 0.0, -0.5})
      for (const Shape& s : {Shape{}, Shape{37}, Shape{2, 3, 4}, Shape{0, 3}})
        all.push_back(sample(Attrs{slope}, {real(s), real(s, -4, 4)}));
    all.push_back(bad(Attrs{0.1}, {real({2}), real({3})}, "g has shape [2], x has shape [3]"));
    all.push_back(bad(Attrs{0.1}, {boolean({2}), boolean({2})}, "g is bool, expected a floating type"));
    return all;
  }
};
struct LeakyRelu : Activation<LeakyRelu, LeakyReluAttrs> {
  static constexpr OpName name = "leaky_relu";
  static constexpr const char* doc = "y = x > 0 ? x : slope x";
  static constexpr auto fields = std::tuple{field("slope", &Attrs::slope)};
  static Wide value(const Attrs& a, Wide x) { return x > 0 ? x : a.slope * x; }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    return {dispatch<LeakyReluBackward>(a, c.grad(), c.in(0))};
  }
  static Samples samples() { return samples_of({{0.01}, {0}, {-0.5}}); }
};

struct Elu : Activation<Elu, AlphaAttrs> {
  static constexpr OpName name = "elu";
  static constexpr const char* doc = "y = x > 0 ? x : alpha (e^x - 1)";
  static constexpr auto fields = std::tuple{field("alpha", &Attrs::alpha)};
  static Wide value(const Attrs& a, Wide x) { return x > 0 ? x : a.alpha * std::expm1(x); }
  static Tensor slope(const Attrs& a, const Tensor& x) {
    return where(positive(x), number(1, x), exp(negative_part(x)) * a.alpha);
  }
  static Samples samples() { return samples_of({{1}, {0.3}, {-2}}); }
};

struct Celu : Activation<Celu, AlphaAttrs> {
  static constexpr OpName name = "celu";
  static constexpr const char* doc = "y = x > 0 ? x : alpha (e^(x / alpha) - 1)";
  static constexpr auto fields = std::tuple{field("alpha", &Attrs::alpha)};
  static void check(const Attrs& a) { SR_CHECK(a.alpha > 0, "alpha is {}, expected more than 0", a.alpha); }
  static Wide value(const Attrs& a, Wide x) { return x > 0 ? x : a.alpha * std::expm1(x / a.alpha); }
  static Tensor slope(const Attrs& a, const Tensor& x) { return exp(negative_part(x) / a.alpha); }
  static Samples samples() {
    Samples all = samples_of({{1}, {0.5}, {3}});
    all.push_back(bad(Attrs{0}, {real({2})}, "alpha is 0, expected more than 0"));
    return all;
  }
};

struct SoftplusAttrs {
  double beta, threshold;
};
struct Softplus : Activation<Softplus, SoftplusAttrs> {
  static constexpr OpName name = "softplus";
  static constexpr const char* doc = "y = beta x > threshold ? x : ln(1 + e^(beta x)) / beta";
  static constexpr auto fields =
      std::tuple{field("beta", &Attrs::beta), field("threshold", &Attrs::threshold)};
  static void check(const Attrs& a) { SR_CHECK(a.beta > 0, "beta is {}, expected more than 0", a.beta); }
  static Wide value(const Attrs& a, Wide x) {
    return a.beta * x > a.threshold ? x : std::log1p(std::exp(a.beta * x)) / a.beta;
  }
  static Tensor slope(const Attrs& a, const Tensor& x) {
    const Tensor z = x * a.beta;
    return where(gt(z.detach(), number(a.threshold, x)), number(1, x), sigmoid(z));
  }
  static Samples samples() {
    Samples all = samples_of({{1, 20}, {2, 20}, {0.5, 1}});
    all.push_back(bad(Attrs{0, 20}, {real({2})}, "beta is 0, expected more than 0"));
    return all;
  }
};

struct Prelu {
  static constexpr OpName name = "prelu";
  static constexpr const char* doc = "y = x > 0 ? x : weight x; weight is broadcast to x";
  using Attrs = NoAttrs;
  static constexpr auto fields = std::tuple{};
  static constexpr DTypes dtypes = kFloating;
  static Specs infer(const Attrs&, const TensorSpec& x, const TensorSpec& weight) {
    check_dtype(dtypes, "x", x);
    check_same_dtype("x", x, "weight", weight);
    SR_CHECK_AS(kShape, broadcast(x.shape, weight.shape) == x.shape,
                "weight with shape {} does not broadcast to x with shape {}", weight.shape, x.shape);
    return {x};
  }
  static Tensor decompose(const Attrs&, const Tensor& x, const Tensor& weight) {
    return where(positive(x), x, x * weight);
  }
  static Samples samples() {
    const Attrs a;
    return {
        sample(a, {real({2, 3, 4}), real({3, 1})}),
        sample(a, {real({5, 7}), real({7})}),
        sample(a, {real({37}), real({1})}),
        sample(a, {real({1}), real({1})}),
        sample(a, {real({2, 3}), real({})}),
        sample(a, {real({0, 3}), real({3})}),
        bad(a, {real({2, 3}), real({2})}, "shapes [2, 3] and [2] do not broadcast"),
        bad(a, {real({3}), real({2, 3})}, "weight with shape [2, 3] does not broadcast to x with shape [3]"),
        bad(a, {boolean({3}), boolean({3})}, "x is bool, expected a floating type; cast it first")};
  }
};

struct GluAttrs {
  int64_t axis;
};
struct Glu {
  static constexpr OpName name = "glu";
  static constexpr const char* doc = "y = a sigmoid(b) for the halves a, b of x along axis";
  using Attrs = GluAttrs;
  static constexpr auto fields = std::tuple{field("axis", &Attrs::axis)};
  static constexpr DTypes dtypes = kFloating;
  static Specs infer(const Attrs& a, const TensorSpec& x) {
    check_dtype(dtypes, "x", x);
    check_axis(a.axis, x);
    const int axis = static_cast<int>(a.axis);
    SR_CHECK_AS(kShape, x.dim(axis) % 2 == 0, "x has shape {}: dimension {} is odd and has no halves",
                x.shape, a.axis);
    TensorSpec y = x;
    y.shape[axis] /= 2;
    return {y};
  }
  static Tensor decompose(const Attrs& a, const Tensor& x) {
    const Tensor h = cast(x, accumulator(x.dtype()));
    const int64_t half = x.dim(static_cast<int>(a.axis)) / 2;
    return cast(slice(h, a.axis, 0, half) * sigmoid(slice(h, a.axis, half, 2 * half)), x.dtype());
  }
  static Samples samples() {
    return {sample(Attrs{0}, {real({2})}),
            sample(Attrs{1}, {real({3, 14})}),
            sample(Attrs{0}, {real({4, 5})}),
            sample(Attrs{1}, {real({2, 6, 3})}),
            sample(Attrs{1}, {real({2, 10}, -60, 60)}),
            sample(Attrs{1}, {real({0, 4})}),
            sample(Attrs{1}, {real({3, 0})}),
            bad(Attrs{1}, {real({2, 3})}, "x has shape [2, 3]: dimension 1 is odd and has no halves"),
            bad(Attrs{2}, {real({2, 3})}, "dimension 2 is out of range for x with shape [2, 3]")};
  }
};

}  // namespace

Tensor leaky_relu(const Tensor& x, double slope) { return dispatch<LeakyRelu>({slope}, x); }
Tensor elu(const Tensor& x, double alpha) { return dispatch<Elu>({alpha}, x); }
Tensor celu(const Tensor& x, double alpha) { return dispatch<Celu>({alpha}, x); }
Tensor softplus(const Tensor& x, double beta, double threshold) {
  return dispatch<Softplus>({beta, threshold}, x);
}
Tensor hardtanh(const Tensor& x, double low, double high) { return clamp(x, low, high); }
Tensor relu6(const Tensor& x) { return clamp(x, 0, 6); }

Tensor prelu(const Tensor& x, const Tensor& weight) {
  SR_CHECK_AS(kShape, weight.rank() == 1, "[prelu] weight has shape {}, expected [channels] or [1]",
              weight.shape());
  Shape shape = weight.shape();
  for (int d = 2; d < x.rank(); ++d) shape.push_back(1);
  return dispatch<Prelu>({}, x, reshape(weight, shape));
}
Tensor glu(const Tensor& x, int64_t axis) { return dispatch<Glu>({normalize_axis(axis, x.rank())}, x); }

OpList ops_activation() {
  return {&op_info<LeakyRelu>(), &op_info<LeakyReluBackward>(), &op_info<Elu>(),
          &op_info<Celu>(),      &op_info<Softplus>(),          &op_info<Prelu>(),
          &op_info<Glu>()};
}

}  // namespace suiren
