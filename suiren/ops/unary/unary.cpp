#include "suiren/ops/unary/unary.h"

#include <cmath>

#include "suiren/core/dispatch.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/common.h"

namespace suiren {
namespace {

constexpr Wide kTwoOverRootPi = 1.12837916709551257389615890312154517L;  // 2 / sqrt(pi)
constexpr Wide kRootHalf = 0.70710678118654752440084436210484904L;       // sqrt(1 / 2)
constexpr double kRootTwoPi = 2.5066282746310005024;                     // sqrt(2 pi)

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
Tensor silu_slope(const Tensor& x, const Tensor& s) { return s * (1 + x * (1 - s)); }  // s = sigmoid(x)

// clang-format off
UNARY(Neg,        "neg",        "y = -x",                          kNumbers,  -2,  2,  -x,                                     kNothing, -g)
UNARY(Abs,        "abs",        "y = |x|",                         kNumbers,  -2,  2,  std::fabs(x),                           kX, g * sign(x.detach()))
UNARY(Relu,       "relu",       "y = max(x, 0)",                   kNumbers,  -2,  2,  x <= 0 ? 0 : x,                         kY, g * sign(y.detach()))
UNARY(Exp,        "exp",        "y = e^x",                         kFloating, -4,  4,  std::exp(x),                            kY, g * y)
UNARY(Log,        "log",        "y = ln x",                        kFloating, 0.2, 4,  std::log(x),                            kX, g / x)
UNARY(Sqrt,       "sqrt",       "y = sqrt(x)",                     kFloating, 0.2, 4,  std::sqrt(x),                           kY, g * 0.5 / y)
UNARY(Rsqrt,      "rsqrt",      "y = 1 / sqrt(x)",                 kFloating, 0.2, 4,  1 / std::sqrt(x),                       kY, g * y * y * y * -0.5)
UNARY(Reciprocal, "reciprocal", "y = 1 / x",                       kFloating, 0.5, 4,  1 / x,                                  kY, -(g * y * y))
UNARY(Square,     "square",     "y = x^2",                         kFloating, -3,  3,  x * x,                                  kX, g * x * 2)
UNARY(Tanh,       "tanh",       "y = tanh(x)",                     kFloating, -3,  3,  std::tanh(x),                           kY, g * (1 - y * y))
UNARY(Sigmoid,    "sigmoid",    "y = 1 / (1 + e^-x)",              kFloating, -6,  6,  1 / (1 + std::exp(-x)),                 kY, g * (y * (1 - y)))
UNARY(Silu,       "silu",       "y = x / (1 + e^-x)",              kFloating, -6,  6,  x / (1 + std::exp(-x)),                 kX, g * silu_slope(x, sigmoid(x)))
UNARY(Gelu,       "gelu",       "y = x (1 + erf(x / sqrt 2)) / 2", kFloating, -3,  3,  x * (1 + std::erf(x * kRootHalf)) / 2,  kX, g * (normal_integral(x) + x * normal_density(x)))
UNARY(Erf,        "erf",        "y = erf(x)",                      kFloating, -3,  3,  std::erf(x),                            kX, g * exp(-square(x)) * static_cast<double>(kTwoOverRootPi))
UNARY(Sin,        "sin",        "y = sin(x)",                      kFloating, -6,  6,  std::sin(x),                            kX, g * cos(x))
UNARY(Cos,        "cos",        "y = cos(x)",                      kFloating, -6,  6,  std::cos(x),                            kX, -(g * sin(x)))
STEPS(Sign,       "sign",       "y = -1, 0 or 1: the sign of x",   kNumbers,  -2,  2,  x > 0 ? 1 : x < 0 ? -1 : x)
STEPS(Floor,      "floor",      "y = the largest integer <= x",    kFloating, -5,  5,  std::floor(x))
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

OpList ops_unary() {
  return {&op_info<Neg>(),        &op_info<Abs>(),    &op_info<Sign>(), &op_info<Relu>(),
          &op_info<Exp>(),        &op_info<Log>(),    &op_info<Sqrt>(), &op_info<Rsqrt>(),
          &op_info<Reciprocal>(), &op_info<Square>(), &op_info<Tanh>(), &op_info<Sigmoid>(),
          &op_info<Silu>(),       &op_info<Gelu>(),   &op_info<Erf>(),  &op_info<Sin>(),
          &op_info<Cos>(),        &op_info<Floor>()};
}

}  // namespace suiren
