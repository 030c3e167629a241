// y = f(x), element by element. f32 runs in vectors, bf16 and f16 through f32, the rest in plain loops.

#include <cmath>
#include <cstdlib>
#include <type_traits>

#include "backends/cpu/convert.h"
#include "backends/cpu/elementwise.h"
#include "backends/cpu/simd/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/unary.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// After foreach_target.h, so that it is compiled for each target.
#include "backends/cpu/simd/math-inl.h"

#ifndef SUIREN_UNARY_ONCE
#define SUIREN_UNARY_ONCE
namespace suiren::cpu {
namespace {

// ROW(function, op) for each: first those that cost little, then those that cost an exp or more.
// clang-format off
#define SUIREN_UNARY(ROW) \
  ROW(kNeg, "neg") ROW(kAbs, "abs") ROW(kSign, "sign") ROW(kRelu, "relu") ROW(kFloor, "floor")              \
  ROW(kCeil, "ceil") ROW(kTrunc, "trunc") ROW(kRound, "round") ROW(kSquare, "square")                       \
  ROW(kSoftsign, "softsign") ROW(kHardsigmoid, "hardsigmoid") ROW(kHardswish, "hardswish")                  \
  ROW(kSqrt, "sqrt") ROW(kRsqrt, "rsqrt") ROW(kReciprocal, "reciprocal") ROW(kExp, "exp")                   \
  ROW(kExp2, "exp2") ROW(kExpm1, "expm1") ROW(kLog, "log") ROW(kLog1p, "log1p") ROW(kLog2, "log2")          \
  ROW(kLog10, "log10") ROW(kTanh, "tanh") ROW(kSinh, "sinh") ROW(kCosh, "cosh") ROW(kAsinh, "asinh")        \
  ROW(kAcosh, "acosh") ROW(kAtanh, "atanh") ROW(kSin, "sin") ROW(kCos, "cos") ROW(kTan, "tan")              \
  ROW(kAsin, "asin") ROW(kAcos, "acos") ROW(kAtan, "atan") ROW(kErf, "erf") ROW(kErfc, "erfc")              \
  ROW(kSigmoid, "sigmoid") ROW(kSilu, "silu") ROW(kGelu, "gelu") ROW(kGeluTanh, "gelu_tanh")                \
  ROW(kLogSigmoid, "log_sigmoid") ROW(kMish, "mish") ROW(kSelu, "selu")
// clang-format on

#define ROW(function, op) function,
enum Unary : int { SUIREN_UNARY(ROW) kUnaryCount };
#undef ROW

constexpr double kSeluScale = 1.0507009873554804934, kSeluAlpha = 1.6732632423543772848;

// f(x) of floats, for functions of the C library and what is made of them.
template <int F, class T>
T library(T x) {
  if constexpr (F == kExp) return std::exp(x);
  if constexpr (F == kExp2) return std::exp2(x);
  if constexpr (F == kExpm1) return std::expm1(x);
  if constexpr (F == kLog) return std::log(x);
  if constexpr (F == kLog1p) return std::log1p(x);
  if constexpr (F == kLog2) return std::log2(x);
  if constexpr (F == kLog10) return std::log10(x);
  if constexpr (F == kTanh) return std::tanh(x);
  if constexpr (F == kSinh) return std::sinh(x);
  if constexpr (F == kCosh) return std::cosh(x);
  if constexpr (F == kAsinh) return std::asinh(x);
  if constexpr (F == kAcosh) return std::acosh(x);
  if constexpr (F == kAtanh) return std::atanh(x);
  if constexpr (F == kSin) return std::sin(x);
  if constexpr (F == kCos) return std::cos(x);
  if constexpr (F == kTan) return std::tan(x);
  if constexpr (F == kAsin) return std::asin(x);
  if constexpr (F == kAcos) return std::acos(x);
  if constexpr (F == kAtan) return std::atan(x);
  if constexpr (F == kErf) return std::erf(x);
  if constexpr (F == kErfc) return std::erfc(x);
  if constexpr (F == kSigmoid) return 1 / (1 + std::exp(-x));
  if constexpr (F == kSilu) return x / (1 + std::exp(-x));
  if constexpr (F == kGelu) return T(0.5) * x * std::erfc(-x * T(0.70710678118654752440));
  if constexpr (F == kGeluTanh)
    return x / (1 + std::exp(T(-2 * 0.79788456080286535588) * (x + T(0.044715) * x * x * x)));
  if constexpr (F == kLogSigmoid) return x < 0 ? x - std::log1p(std::exp(x)) : -std::log1p(std::exp(-x));
  if constexpr (F == kMish) return x * std::tanh(std::log1p(std::exp(x)));
  if constexpr (F == kSelu) return T(kSeluScale) * (x > 0 ? x : T(kSeluAlpha) * std::expm1(x));
  return x;
}

// min(max(x + 3, 0), 6); NaN passes.
template <class T>
T six(T x) {
  const T y = x + 3;
  return y < 0 ? T(0) : y > 6 ? T(6) : y;
}

// f(x) in T, for the dtypes without vector code.
template <int F, class T>
T scalar(T x) {
  constexpr bool real = std::is_floating_point_v<T>;
  using U = std::conditional_t<real, T, std::make_unsigned_t<std::conditional_t<real, int, T>>>;
  if constexpr (F == kNeg) return real ? -x : static_cast<T>(U(0) - static_cast<U>(x));
  if constexpr (F == kAbs) {
    if constexpr (real) return std::fabs(x);
    return x < T(0) ? static_cast<T>(U(0) - static_cast<U>(x)) : x;
  }
  if constexpr (F == kSign) return x > T(0) ? T(1) : x < T(0) ? T(-1) : x;
  if constexpr (F == kRelu) return x <= T(0) ? T(0) : x;
  if constexpr (real) {
    if constexpr (F == kFloor) return std::floor(x);
    if constexpr (F == kCeil) return std::ceil(x);
    if constexpr (F == kTrunc) return std::trunc(x);
    if constexpr (F == kRound) return std::nearbyint(x);
    if constexpr (F == kSquare) return x * x;
    if constexpr (F == kSoftsign) return x / (1 + std::fabs(x));
    if constexpr (F == kHardsigmoid) return six(x) / 6;
    if constexpr (F == kHardswish) return x * six(x) / 6;
    if constexpr (F == kSqrt) return std::sqrt(x);
    if constexpr (F == kRsqrt) return 1 / std::sqrt(x);
    if constexpr (F == kReciprocal) return 1 / x;
    return library<F>(x);
  }
  return x;
}

}  // namespace
}  // namespace suiren::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace suiren::cpu::HWY_NAMESPACE {
namespace {

// Functions made of others.
template <int F>
HWY_INLINE V composed(V x) {
  const V zero = hn::Zero(F32()), one = set(1.0f);
  if constexpr (F == kSoftsign) return hn::Div(x, hn::Add(one, hn::Abs(x)));
  if constexpr (F == kSilu) return hn::Div(x, hn::Add(one, exp(hn::Neg(x))));
  if constexpr (F == kGelu) {
    const V half = hn::Mul(set(0.5f), erfc_positive(hn::Mul(hn::Abs(x), set(0.707106781186547524f))));
    return hn::Mul(x, hn::IfThenElse(hn::Lt(x, zero), half, hn::Sub(one, half)));
  }
  if constexpr (F == kGeluTanh) {
    const V u = hn::Mul(x, hn::MulAdd(hn::Mul(x, x), set(0.044715f), one));
    return hn::Div(x, hn::Add(one, exp(hn::Mul(u, set(-1.59576912160573071f)))));
  }
  if constexpr (F == kLogSigmoid) {
    const V rest = log1p(exp(hn::Neg(hn::Abs(x))));
    return hn::Sub(hn::IfThenElse(hn::Gt(x, zero), zero, x), rest);
  }
  if constexpr (F == kMish) {  // tanh(ln(1 + e)) = (e^2 + 2 e) / (e^2 + 2 e + 2)
    const V e = exp(hn::Min(set(20.0f), x)), n = hn::Mul(e, hn::Add(e, set(2.0f)));
    return hn::Mul(x, hn::Div(n, hn::Add(n, set(2.0f))));
  }
  if constexpr (F == kSelu) {
    const V scale = set(static_cast<float>(kSeluScale));
    const V low = set(static_cast<float>(kSeluScale * kSeluAlpha));
    return hn::IfThenElse(hn::Gt(x, zero), hn::Mul(scale, x), hn::Mul(low, expm1(x)));
  }
  const V bounded = min_nan(max_nan(hn::Add(x, set(3.0f)), zero), set(6.0f));
  const V sixth = set(0.166666666666666667f);
  return F == kHardswish ? hn::Mul(hn::Mul(x, bounded), sixth) : hn::Mul(bounded, sixth);
}

template <int F>
HWY_INLINE V apply(V x) {
  const V zero = hn::Zero(F32()), one = set(1.0f);
  if constexpr (F == kNeg) return hn::Neg(x);
  if constexpr (F == kAbs) return hn::Abs(x);
  if constexpr (F == kSign)
    return hn::IfThenElse(hn::Gt(x, zero), one, hn::IfThenElse(hn::Lt(x, zero), set(-1.0f), x));
  if constexpr (F == kRelu) return hn::IfThenElse(hn::Le(x, zero), zero, x);
  if constexpr (F == kFloor) return hn::Floor(x);
  if constexpr (F == kCeil) return hn::Ceil(x);
  if constexpr (F == kTrunc) return hn::Trunc(x);
  if constexpr (F == kRound) return hn::Round(x);
  if constexpr (F == kSquare) return hn::Mul(x, x);
  if constexpr (F == kSqrt) return hn::Sqrt(x);
  if constexpr (F == kRsqrt) return hn::Div(one, hn::Sqrt(x));
  if constexpr (F == kReciprocal) return hn::Div(one, x);
  if constexpr (F == kExp) return exp(x);
  if constexpr (F == kExp2) return exp2(x);
  if constexpr (F == kExpm1) return expm1(x);
  if constexpr (F == kLog) return log(x);
  if constexpr (F == kLog1p) return log1p(x);
  if constexpr (F == kLog2) return log2(x);
  if constexpr (F == kLog10) return log10(x);
  if constexpr (F == kTanh) return tanh(x);
  if constexpr (F == kSinh) return sinh(x);
  if constexpr (F == kCosh) return cosh(x);
  if constexpr (F == kAsinh) return asinh(x);
  if constexpr (F == kAcosh) return acosh(x);
  if constexpr (F == kAtanh) return atanh(x);
  if constexpr (F == kSin) return sin(x);
  if constexpr (F == kCos) return cos(x);
  if constexpr (F == kTan) return tan(x);
  if constexpr (F == kAsin) return asin(x);
  if constexpr (F == kAcos) return acos(x);
  if constexpr (F == kAtan) return atan(x);
  if constexpr (F == kErf) return erf(x);
  if constexpr (F == kErfc) return erfc(x);
  if constexpr (F == kSigmoid) return sigmoid(x);
  return composed<F>(x);
}

template <int F>
void unary_row(const float* x, float* y, int64_t n) {
  for_vectors(n, [x, y](auto in, auto out) SUIREN_STEP { out(apply<F>(in(x)), y); });
}

void clamp_row(const float* x, float* y, int64_t n, float low, float high) {
  const V l = set(low), h = set(high);
  for_vectors(n, [=](auto in, auto out) SUIREN_STEP { out(hn::Min(h, hn::Max(l, in(x))), y); });
}

using RowFunction = void (*)(const float*, float*, int64_t);
#define ROW(function, op) unary_row<function>,
constexpr RowFunction unary_rows[kUnaryCount] = {SUIREN_UNARY(ROW)};
#undef ROW

}  // namespace
}  // namespace suiren::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace suiren::cpu {
namespace {

template <int F, class T>
void plain_row(int64_t n, char* const* p, const int64_t* s) {
  T* y = reinterpret_cast<T*>(p[0]);
  for (int64_t i = 0; i < n; ++i) y[i] = scalar<F>(*reinterpret_cast<const T*>(p[1] + i * s[1]));
}

constexpr int64_t grain_of(int f) { return f <= kHardswish ? kGrainCheap : kGrainMath; }
constexpr bool takes_integers(int f) { return f == kNeg || f == kAbs || f == kSign || f == kRelu; }

template <int F>
Reason accepts(const Call& c) {
  const DType d = dtype_of_operand(c.in(0).dtype());
  return d.is_floating() || (d.is_integer() && takes_integers(F)) ? nullptr : "dtype";
}

template <int F>
void launch(const Call& c, void*) {
  const DType d = dtype_of_operand(c.in(0).dtype());
  if (computes_in_f32(d)) return through_f32(c, grain_of(F), SUIREN_PICK(unary_rows)[F]);
  const Walk walk({c.out(0), c.in(0)}, {d.size(), d.size()});
  visit_dtype(d, [&]<class T>() {
    if constexpr (std::is_same_v<T, double> ||
                  (takes_integers(F) && std::is_integral_v<T> && !std::is_same_v<T, bool>))
      walk.run(grain_of(F), &plain_row<F, T>);
  });
}

template <int F>
constexpr Kernel unary(const char* op) {
  return {op, "elementwise", 10, accepts<F>, nullptr, launch<F>};
}

// Attributes: low, high.
void clamp(const Call& c, void*) {
  const DType d = dtype_of_operand(c.in(0).dtype());
  const double low = c.attr_f64(0), high = c.attr_f64(1);
  if (computes_in_f32(d)) {
    const auto row = SUIREN_PICK(clamp_row);
    const float l = static_cast<float>(low), h = static_cast<float>(high);
    return through_f32(c, kGrainCheap, [=](const float* x, float* y, int64_t n) { row(x, y, n, l, h); });
  }
  const Walk walk({c.out(0), c.in(0)}, {d.size(), d.size()});
  visit_dtype(d, [&]<class T>() {
    if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>)
      walk.run(kGrainCheap, [low, high](int64_t n, char* const* p, const int64_t* s) {
        for (int64_t i = 0; i < n; ++i) {
          const T x = *reinterpret_cast<const T*>(p[1] + i * s[1]);
          const auto wide = static_cast<long double>(x);  // holds every i64 and every f64
          reinterpret_cast<T*>(p[0])[i] = wide < low ? convert<T>(low) : wide > high ? convert<T>(high) : x;
        }
      });
  });
}

Reason accepts_numbers(const Call& c) { return c.in(0).dtype() == SR_BOOL ? "dtype" : nullptr; }

#define ROW(function, op) unary<function>(op),
constexpr Kernel kKernels[] = {
    SUIREN_UNARY(ROW){"clamp", "elementwise", 10, accepts_numbers, nullptr, clamp},
};
#undef ROW

}  // namespace

KernelList kernels_unary() { return kKernels; }

}  // namespace suiren::cpu
#endif
