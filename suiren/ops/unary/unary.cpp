#include "suiren/ops/unary/unary.h"

#include <cmath>

#include "suiren/core/dispatch.h"
#include "suiren/ops/activation/activation.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/common.h"
#include "suiren/ops/compare/compare.h"
#include "suiren/ops/full/full.h"
#include "suiren/ops/where/where.h"

namespace suiren {
namespace {

constexpr Wide kTwoOverRootPi = 1.12837916709551257389615890312154517L;  // 2 / sqrt(pi)
constexpr Wide kRootHalf = 0.70710678118654752440084436210484904L;       // sqrt(1 / 2)
constexpr double kRootTwoPi = 2.5066282746310005024;                     // sqrt(2 pi)
constexpr Wide kLn2 = 0.69314718055994530941723212145817657L, kLn10 = 2.30258509299404568401799145468436421L;
constexpr Wide kRootTwoOverPi = 0.79788456080286535587989211986876374L;  // sqrt(2 / pi)
constexpr Wide kCubic = 0.044715L;                                       // of gelu's tanh form
constexpr Wide kSeluScale = 1.0507009873554804934193349852946L,
               kSeluAlpha = 1.6732632423543772848170429916717L;

// What every row of the table shares.
template <class Row>
struct Unary {
  using Attrs = NoAttrs;
  static constexpr auto fields = std::tuple{};
  static Specs infer(const NoAttrs&, const TensorSpec& x) {
    check_dtype(Row::dtypes, "x", x);
    return {x};
  }
  static void reference(const NoAttrs&, std::span<const HostArray> in, std::span<HostArray> out) {
    for (int64_t i = 0; i < out[0].numel(); ++i) out[0][i] = Row::value(in[0][i]);
  }
  static Samples samples() {
    Samples all;
    for (const Shape& s :
         {Shape{}, Shape{1}, Shape{37}, Shape{0, 3}, Shape{5, 7}, Shape{2, 3, 4}, Shape{2, 1, 3, 4}})
      all.push_back(sample(NoAttrs{}, {real(s, Row::low, Row::high)}));
    all.push_back(bad(NoAttrs{}, {boolean({2})},
                      fmt::format("x is bool, expected {}; cast it first", describe(Row::dtypes))));
    return all;
  }
};

// The gradient of such a row: of g and of what the row keeps, its x or its y.
template <class Row>
struct Backward {
  static constexpr OpName name = Row::backward;
  static constexpr const char* doc = Row::backward_doc;
  using Attrs = NoAttrs;
  static constexpr auto fields = std::tuple{};
  static constexpr DTypes dtypes = kFloating;
  static Specs infer(const NoAttrs&, const TensorSpec& g, const TensorSpec& kept) {
    check_dtype(dtypes, "g", g);
    check_same_dtype("x", kept, "g", g);
    check_same_shape("x", kept, "g", g);
    return {g};
  }
  static Tensor decompose(const NoAttrs&, const Tensor& g, const Tensor& kept) {
    const DType wide = accumulator(g.dtype());
    return cast(Row::gradient_of(cast(g, wide), cast(kept, wide)), g.dtype());
  }
  static Samples samples() {
    const NoAttrs a;
    Samples all;
    for (const Shape& s : {Shape{1}, Shape{37}, Shape{0, 3}, Shape{2, 3, 4}})
      all.push_back(sample(a, {real(s), real(s, Row::low, Row::high)}));
    all.push_back(bad(a, {boolean({2}), boolean({2})}, "g is bool, expected a floating type; cast it first"));
    all.push_back(bad(a, {real({2}), real({3})}, "x has shape [3], g has shape [2]; expected the same"));
    return all;
  }
};

enum Keeps : uint32_t { kNothing = 0, kX = 1, kY = 2 };  // what the tape keeps for the gradient

// Step functions have no gradient, so those below that need one read a detached value.
// Type, name, formula; dtypes; where samples are drawn; f(x); what is kept; gradient from g, x and y by ops.
#define UNARY(Type, op, formula, types, from, to, f, keeps, gradient)                      \
  struct Type : Unary<Type> {                                                              \
    static constexpr OpName name = op;                                                     \
    static constexpr const char* doc = formula;                                            \
    static constexpr DTypes dtypes = types;                                                \
    static constexpr double low = from, high = to;                                         \
    static constexpr uint32_t saved_inputs = (keeps) == kX, saved_outputs = (keeps) == kY; \
    static Wide value(Wide x) { return f; }                                                \
    static Grads vjp(const NoAttrs&, const Vjp& c) {                                       \
      const Tensor& g = c.grad();                                                          \
      [[maybe_unused]] const Tensor x = saved_inputs ? c.in(0) : Tensor();                 \
      [[maybe_unused]] const Tensor y = saved_outputs ? c.out(0) : Tensor();               \
      return {gradient};                                                                   \
    }                                                                                      \
  };
// The same for a function whose gradient is an op of its own, so that a kernel may form it in one pass;
// `slope` is what it computes, in words.
#define FUSED(Type, op, formula, types, from, to, f, keeps, slope, gradient)               \
  struct Type : Unary<Type> {                                                              \
    static constexpr OpName name = op, backward = op "_backward";                          \
    static constexpr const char *doc = formula, *backward_doc = slope;                     \
    static constexpr DTypes dtypes = types;                                                \
    static constexpr double low = from, high = to;                                         \
    static constexpr uint32_t saved_inputs = (keeps) == kX, saved_outputs = (keeps) == kY; \
    static Wide value(Wide x) { return f; }                                                \
    static Tensor gradient_of(const Tensor& g, const Tensor& kept) {                       \
      [[maybe_unused]] const Tensor &x = kept, &y = kept;                                  \
      return gradient;                                                                     \
    }                                                                                      \
    static Grads vjp(const NoAttrs&, const Vjp& c) {                                       \
      return {dispatch<Backward<Type>>({}, c.grad(), saved_inputs ? c.in(0) : c.out(0))};  \
    }                                                                                      \
  };
// The same for a step function, which has no gradient.
#define STEPS(Type, op, formula, types, from, to, f)                               \
  struct Type : Unary<Type> {                                                      \
    static constexpr OpName name = op;                                             \
    static constexpr const char* doc = formula;                                    \
    static constexpr DTypes dtypes = types;                                        \
    static constexpr double low = from, high = to;                                 \
    static constexpr const char* no_gradient = "it is constant between its steps"; \
    static Wide value(Wide x) { return f; }                                        \
  };

// The density of the standard normal distribution, and its integral.
Tensor normal_density(const Tensor& x) { return exp(square(x) * -0.5) / kRootTwoPi; }
Tensor normal_integral(const Tensor& x) { return (erf(x * static_cast<double>(kRootHalf)) + 1) * 0.5; }
Tensor erf_slope(const Tensor& x) { return exp(-square(x)) * static_cast<double>(kTwoOverRootPi); }
Tensor silu_slope(const Tensor& x, const Tensor& s) { return s * (1 + x * (1 - s)); }  // s = sigmoid(x)

Wide gelu_argument(Wide x) { return kRootTwoOverPi * (x + kCubic * x * x * x); }
// t = tanh(u), u = sqrt(2 / pi) (x + 0.044715 x^3): (1 + t) / 2 + x (1 - t^2) u' / 2.
Tensor gelu_tanh_slope(const Tensor& x) {
  constexpr auto root = static_cast<double>(kRootTwoOverPi), cubic = static_cast<double>(kCubic);
  const Tensor z = square(x), t = tanh(x * (z * cubic + 1) * root);
  return (t + 1) * 0.5 + x * (1 - square(t)) * (z * (3 * cubic) + 1) * (0.5 * root);
}
// t = tanh(softplus(x)): t + x (1 - t^2) sigmoid(x).
Tensor mish_slope(const Tensor& x) {
  const Tensor t = tanh(softplus(x));
  return t + x * (1 - square(t)) * sigmoid(x);
}
Tensor number(double value, const Tensor& beside) { return full({}, value, beside.dtype(), beside.device()); }
Tensor selu_slope(const Tensor& y) {
  const Tensor positive = gt(y.detach(), number(0, y));
  return where(positive, number(static_cast<double>(kSeluScale), y),
               y + static_cast<double>(kSeluScale * kSeluAlpha));
}
Tensor relu_gradient(const Tensor& g, const Tensor& y) {
  return where(le(y.detach(), number(0, y)), number(0, y), g);
}
// Where the hard functions bend.
Tensor bends(const Tensor& x) { return lt(abs(x.detach()), number(3, x)); }
Tensor hardswish_gradient(const Tensor& g, const Tensor& x) {
  const Tensor straight = where(ge(x.detach(), number(3, x)), g, number(0, x));
  return where(bends(x), g * (x / 3 + 0.5), straight);
}
Wide six(Wide x) { return std::isnan(x) ? x : std::fmin(std::fmax(x + 3, Wide{0}), Wide{6}); }

// clang-format off
UNARY(Neg,        "neg",        "y = -x",                          kNumbers,  -2,  2,  -x,                                     kNothing, -g)
UNARY(Abs,        "abs",        "y = |x|",                         kNumbers,  -2,  2,  std::fabs(x),                           kX, g * sign(x.detach()))
FUSED(Relu,       "relu",       "y = max(x, 0)",                   kNumbers,  -2,  2,  x <= 0 ? 0 : x,                         kY, "dx = y > 0 ? g : 0", relu_gradient(g, y))
UNARY(Exp,        "exp",        "y = e^x",                         kFloating, -4,  4,  std::exp(x),                            kY, g * y)
UNARY(Log,        "log",        "y = ln x",                        kFloating, 0.2, 4,  std::log(x),                            kX, g / x)
UNARY(Sqrt,       "sqrt",       "y = sqrt(x)",                     kFloating, 0.2, 4,  std::sqrt(x),                           kY, g * 0.5 / y)
UNARY(Rsqrt,      "rsqrt",      "y = 1 / sqrt(x)",                 kFloating, 0.2, 4,  1 / std::sqrt(x),                       kY, g * y * y * y * -0.5)
UNARY(Reciprocal, "reciprocal", "y = 1 / x",                       kFloating, 0.5, 4,  1 / x,                                  kY, -(g * y * y))
UNARY(Square,     "square",     "y = x^2",                         kFloating, -3,  3,  x * x,                                  kX, g * x * 2)
FUSED(Tanh,       "tanh",       "y = tanh(x)",                     kFloating, -3,  3,  std::tanh(x),                           kY, "dx = g (1 - y^2)", g * (1 - y * y))
FUSED(Sigmoid,    "sigmoid",    "y = 1 / (1 + e^-x)",              kFloating, -6,  6,  1 / (1 + std::exp(-x)),                 kY, "dx = g y (1 - y)", g * (y * (1 - y)))
FUSED(Silu,       "silu",       "y = x / (1 + e^-x)",              kFloating, -6,  6,  x / (1 + std::exp(-x)),                 kX, "s = sigmoid(x): dx = g s (1 + x (1 - s))", g * silu_slope(x, sigmoid(x)))
FUSED(Gelu,       "gelu",       "y = x (1 + erf(x / sqrt 2)) / 2", kFloating, -3,  3,  x * (1 + std::erf(x * kRootHalf)) / 2,  kX, "dx = g (Phi(x) + x phi(x)) of the standard normal distribution", g * (normal_integral(x) + x * normal_density(x)))
UNARY(Erf,        "erf",        "y = erf(x)",                      kFloating, -3,  3,  std::erf(x),                            kX, g * erf_slope(x))
UNARY(Sin,        "sin",        "y = sin(x)",                      kFloating, -6,  6,  std::sin(x),                            kX, g * cos(x))
UNARY(Cos,        "cos",        "y = cos(x)",                      kFloating, -6,  6,  std::cos(x),                            kX, -(g * sin(x)))
UNARY(Exp2,       "exp2",       "y = 2^x",                         kFloating, -4,  4,  std::exp2(x),                           kY, g * y * static_cast<double>(kLn2))
UNARY(Expm1,      "expm1",      "y = e^x - 1",                     kFloating, -3,  3,  std::expm1(x),                          kY, g * (y + 1))
UNARY(Log1p,      "log1p",      "y = ln(1 + x)",                   kFloating, -0.8, 4, std::log1p(x),                          kX, g / (x + 1))
UNARY(Log2,       "log2",       "y = log2 x",                      kFloating, 0.2, 4,  std::log2(x),                           kX, g / (x * static_cast<double>(kLn2)))
UNARY(Log10,      "log10",      "y = log10 x",                     kFloating, 0.2, 4,  std::log10(x),                          kX, g / (x * static_cast<double>(kLn10)))
UNARY(Tan,        "tan",        "y = tan(x)",                      kFloating, -1.2, 1.2, std::tan(x),                          kY, g * (square(y) + 1))
UNARY(Asin,       "asin",       "y = arcsin(x)",                   kFloating, -0.9, 0.9, std::asin(x),                         kX, g * rsqrt(1 - square(x)))
UNARY(Acos,       "acos",       "y = arccos(x)",                   kFloating, -0.9, 0.9, std::acos(x),                         kX, -(g * rsqrt(1 - square(x))))
UNARY(Atan,       "atan",       "y = arctan(x)",                   kFloating, -4,  4,  std::atan(x),                           kX, g / (square(x) + 1))
UNARY(Sinh,       "sinh",       "y = (e^x - e^-x) / 2",            kFloating, -3,  3,  std::sinh(x),                           kX, g * cosh(x))
UNARY(Cosh,       "cosh",       "y = (e^x + e^-x) / 2",            kFloating, -3,  3,  std::cosh(x),                           kX, g * sinh(x))
UNARY(Asinh,      "asinh",      "y = ln(x + sqrt(x^2 + 1))",       kFloating, -4,  4,  std::asinh(x),                          kX, g * rsqrt(square(x) + 1))
UNARY(Acosh,      "acosh",      "y = ln(x + sqrt(x^2 - 1))",       kFloating, 1.3, 5,  std::acosh(x),                          kX, g * rsqrt(square(x) - 1))
UNARY(Atanh,      "atanh",      "y = ln((1 + x) / (1 - x)) / 2",   kFloating, -0.9, 0.9, std::atanh(x),                        kX, g / (1 - square(x)))
UNARY(Erfc,       "erfc",       "y = 1 - erf(x)",                  kFloating, -3,  3,  std::erfc(x),                           kX, -(g * erf_slope(x)))
FUSED(GeluTanh,   "gelu_tanh",  "y = x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2", kFloating, -3, 3, x * (1 + std::tanh(gelu_argument(x))) / 2, kX, "t = tanh(u), u = sqrt(2 / pi) (x + 0.044715 x^3): dx = g ((1 + t) / 2 + x (1 - t^2) u' / 2)", g * gelu_tanh_slope(x))
FUSED(LogSigmoid, "log_sigmoid", "y = -ln(1 + e^-x)",              kFloating, -6,  6,  x < 0 ? x - std::log1p(std::exp(x)) : -std::log1p(std::exp(-x)), kX, "dx = g sigmoid(-x)", g * sigmoid(x * -1.0))
UNARY(Softsign,   "softsign",   "y = x / (1 + |x|)",               kFloating, -4,  4,  x / (1 + std::fabs(x)),                 kX, g / square(abs(x) + 1))
FUSED(Mish,       "mish",       "y = x tanh(ln(1 + e^x))",         kFloating, -5,  5,  x * std::tanh(std::log1p(std::exp(x))), kX, "t = tanh(ln(1 + e^x)): dx = g (t + x (1 - t^2) sigmoid(x))", g * mish_slope(x))
FUSED(Selu,       "selu",       "y = 1.0507 (x > 0 ? x : 1.6733 (e^x - 1))", kFloating, -3, 3, kSeluScale * (x > 0 ? x : kSeluAlpha * std::expm1(x)), kY, "dx = g (y > 0 ? 1.0507 : y + 1.7581)", g * selu_slope(y))
FUSED(Hardsigmoid, "hardsigmoid", "y = min(max(x + 3, 0), 6) / 6", kFloating, -5,  5,  six(x) / 6,                             kX, "dx = |x| < 3 ? g / 6 : 0", where(bends(x), g / 6, number(0, x)))
FUSED(Hardswish,  "hardswish",  "y = x min(max(x + 3, 0), 6) / 6", kFloating, -5,  5,  x * six(x) / 6,                         kX, "dx = |x| < 3 ? g (x / 3 + 1/2) : x >= 3 ? g : 0", hardswish_gradient(g, x))
STEPS(Sign,       "sign",       "y = -1, 0 or 1: the sign of x",   kNumbers,  -2,  2,  x > 0 ? 1 : x < 0 ? -1 : x)
STEPS(Floor,      "floor",      "y = the largest integer <= x",    kFloating, -5,  5,  std::floor(x))
STEPS(Ceil,       "ceil",       "y = the smallest integer >= x",   kFloating, -5,  5,  std::ceil(x))
STEPS(Trunc,      "trunc",      "y = x cut toward zero",           kFloating, -5,  5,  std::trunc(x))
STEPS(Round,      "round",      "y = the nearest integer; halves to the even one", kFloating, -5, 5, std::nearbyint(x))
// clang-format on

}  // namespace

Tensor neg(const Tensor& x) { return dispatch<Neg>({}, x); }
Tensor operator-(const Tensor& x) { return neg(x); }
Tensor abs(const Tensor& x) { return dispatch<Abs>({}, x); }
Tensor sign(const Tensor& x) { return dispatch<Sign>({}, x); }
Tensor relu(const Tensor& x) { return dispatch<Relu>({}, x); }
Tensor exp(const Tensor& x) { return dispatch<Exp>({}, x); }
Tensor log(const Tensor& x) { return dispatch<Log>({}, x); }
Tensor sqrt(const Tensor& x) { return dispatch<Sqrt>({}, x); }
Tensor rsqrt(const Tensor& x) { return dispatch<Rsqrt>({}, x); }
Tensor reciprocal(const Tensor& x) { return dispatch<Reciprocal>({}, x); }
Tensor square(const Tensor& x) { return dispatch<Square>({}, x); }
Tensor tanh(const Tensor& x) { return dispatch<Tanh>({}, x); }
Tensor sigmoid(const Tensor& x) { return dispatch<Sigmoid>({}, x); }
Tensor silu(const Tensor& x) { return dispatch<Silu>({}, x); }
Tensor gelu(const Tensor& x) { return dispatch<Gelu>({}, x); }
Tensor erf(const Tensor& x) { return dispatch<Erf>({}, x); }
Tensor sin(const Tensor& x) { return dispatch<Sin>({}, x); }
Tensor cos(const Tensor& x) { return dispatch<Cos>({}, x); }
Tensor floor(const Tensor& x) { return dispatch<Floor>({}, x); }
Tensor exp2(const Tensor& x) { return dispatch<Exp2>({}, x); }
Tensor expm1(const Tensor& x) { return dispatch<Expm1>({}, x); }
Tensor log1p(const Tensor& x) { return dispatch<Log1p>({}, x); }
Tensor log2(const Tensor& x) { return dispatch<Log2>({}, x); }
Tensor log10(const Tensor& x) { return dispatch<Log10>({}, x); }
Tensor tan(const Tensor& x) { return dispatch<Tan>({}, x); }
Tensor asin(const Tensor& x) { return dispatch<Asin>({}, x); }
Tensor acos(const Tensor& x) { return dispatch<Acos>({}, x); }
Tensor atan(const Tensor& x) { return dispatch<Atan>({}, x); }
Tensor sinh(const Tensor& x) { return dispatch<Sinh>({}, x); }
Tensor cosh(const Tensor& x) { return dispatch<Cosh>({}, x); }
Tensor asinh(const Tensor& x) { return dispatch<Asinh>({}, x); }
Tensor acosh(const Tensor& x) { return dispatch<Acosh>({}, x); }
Tensor atanh(const Tensor& x) { return dispatch<Atanh>({}, x); }
Tensor erfc(const Tensor& x) { return dispatch<Erfc>({}, x); }
Tensor gelu_tanh(const Tensor& x) { return dispatch<GeluTanh>({}, x); }
Tensor log_sigmoid(const Tensor& x) { return dispatch<LogSigmoid>({}, x); }
Tensor softsign(const Tensor& x) { return dispatch<Softsign>({}, x); }
Tensor mish(const Tensor& x) { return dispatch<Mish>({}, x); }
Tensor selu(const Tensor& x) { return dispatch<Selu>({}, x); }
Tensor hardsigmoid(const Tensor& x) { return dispatch<Hardsigmoid>({}, x); }
Tensor hardswish(const Tensor& x) { return dispatch<Hardswish>({}, x); }
Tensor ceil(const Tensor& x) { return dispatch<Ceil>({}, x); }
Tensor trunc(const Tensor& x) { return dispatch<Trunc>({}, x); }
Tensor round(const Tensor& x) { return dispatch<Round>({}, x); }

OpList ops_unary() {
  return {&op_info<Neg>(),
          &op_info<Abs>(),
          &op_info<Sign>(),
          &op_info<Relu>(),
          &op_info<Exp>(),
          &op_info<Log>(),
          &op_info<Sqrt>(),
          &op_info<Rsqrt>(),
          &op_info<Reciprocal>(),
          &op_info<Square>(),
          &op_info<Tanh>(),
          &op_info<Sigmoid>(),
          &op_info<Silu>(),
          &op_info<Gelu>(),
          &op_info<Erf>(),
          &op_info<Sin>(),
          &op_info<Cos>(),
          &op_info<Floor>(),
          &op_info<Exp2>(),
          &op_info<Expm1>(),
          &op_info<Log1p>(),
          &op_info<Log2>(),
          &op_info<Log10>(),
          &op_info<Tan>(),
          &op_info<Asin>(),
          &op_info<Acos>(),
          &op_info<Atan>(),
          &op_info<Sinh>(),
          &op_info<Cosh>(),
          &op_info<Asinh>(),
          &op_info<Acosh>(),
          &op_info<Atanh>(),
          &op_info<Erfc>(),
          &op_info<GeluTanh>(),
          &op_info<LogSigmoid>(),
          &op_info<Softsign>(),
          &op_info<Mish>(),
          &op_info<Selu>(),
          &op_info<Hardsigmoid>(),
          &op_info<Hardswish>(),
          &op_info<Ceil>(),
          &op_info<Trunc>(),
          &op_info<Round>(),
          &op_info<Backward<Relu>>(),
          &op_info<Backward<Tanh>>(),
          &op_info<Backward<Sigmoid>>(),
          &op_info<Backward<Silu>>(),
          &op_info<Backward<Gelu>>(),
          &op_info<Backward<GeluTanh>>(),
          &op_info<Backward<LogSigmoid>>(),
          &op_info<Backward<Mish>>(),
          &op_info<Backward<Selu>>(),
          &op_info<Backward<Hardsigmoid>>(),
          &op_info<Backward<Hardswish>>()};
}

}  // namespace suiren
