// y = f(x), element by element. f32 runs in vectors, bf16 and f16 through f32, the rest in plain loops.

#include <cmath>
#include <cstdlib>
#include <type_traits>

#include "backends/cpu/convert.h"
#include "backends/cpu/simd/targets.h"
#include "backends/cpu/stage.h"
#include "backends/cpu/walk.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/unary.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// After foreach_target.h, so that it is compiled for each target.
#include "backends/cpu/simd/vector-inl.h"

#ifndef SUIREN_UNARY_ONCE
#define SUIREN_UNARY_ONCE
namespace suiren::cpu {
namespace {

/// The functions, by place in the tables below.
enum Unary : int {
  kNeg,
  kAbs,
  kExp,
  kLog,
  kSqrt,
  kRsqrt,
  kReciprocal,
  kSquare,
  kTanh,
  kSigmoid,
  kSilu,
  kRelu,
  kGelu,
  kErf,
  kSin,
  kCos,
  kSign,
  kFloor,
  kUnaryCount
};

// f(x) in T, for the dtypes without vector code and the functions without vector form.
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
    if constexpr (F == kSquare) return x * x;
    if constexpr (F == kExp) return std::exp(x);
    if constexpr (F == kLog) return std::log(x);
    if constexpr (F == kSqrt) return std::sqrt(x);
    if constexpr (F == kRsqrt) return 1 / std::sqrt(x);
    if constexpr (F == kReciprocal) return 1 / x;
    if constexpr (F == kTanh) return std::tanh(x);
    if constexpr (F == kSigmoid) return 1 / (1 + std::exp(-x));
    if constexpr (F == kSilu) return x / (1 + std::exp(-x));
    if constexpr (F == kGelu) return T(0.5) * x * std::erfc(-x * T(0.70710678118654752440));
    if constexpr (F == kErf) return std::erf(x);
    if constexpr (F == kSin) return std::sin(x);
    if constexpr (F == kCos) return std::cos(x);
    if constexpr (F == kFloor) return std::floor(x);
  }
  return x;
}

}  // namespace
}  // namespace suiren::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace suiren::cpu::HWY_NAMESPACE {
namespace {

template <int F>
HWY_INLINE V apply(V x) {
  const V zero = hn::Zero(F32()), one = set(1.0f);
  if constexpr (F == kNeg) return hn::Neg(x);
  if constexpr (F == kAbs) return hn::Abs(x);
  if constexpr (F == kExp) return exp(x);
  if constexpr (F == kLog) return log(x);
  if constexpr (F == kSqrt) return hn::Sqrt(x);
  if constexpr (F == kRsqrt) return hn::Div(one, hn::Sqrt(x));
  if constexpr (F == kReciprocal) return hn::Div(one, x);
  if constexpr (F == kSquare) return hn::Mul(x, x);
  if constexpr (F == kTanh) return tanh(x);
  if constexpr (F == kSigmoid) return sigmoid(x);
  if constexpr (F == kSilu) return hn::Div(x, hn::Add(one, exp(hn::Neg(x))));
  if constexpr (F == kRelu) return hn::IfThenElse(hn::Le(x, zero), zero, x);
  if constexpr (F == kSign)
    return hn::IfThenElse(hn::Gt(x, zero), one, hn::IfThenElse(hn::Lt(x, zero), set(-1.0f), x));
  return hn::Floor(x);
}

template <int F>
void unary_row(const float* x, float* y, int64_t n) {
  for_vectors(n, [x, y](auto in, auto out) SUIREN_STEP { out(apply<F>(in(x)), y); });
}
template <int F>
void scalar_row(const float* x, float* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = static_cast<float>(scalar<F>(static_cast<double>(x[i])));
}

void clamp_row(const float* x, float* y, int64_t n, float low, float high) {
  const V l = set(low), h = set(high);
  for_vectors(n, [=](auto in, auto out) SUIREN_STEP { out(hn::Min(h, hn::Max(l, in(x))), y); });
}

using RowFunction = void (*)(const float*, float*, int64_t);
constexpr RowFunction unary_rows[kUnaryCount] = {
    unary_row<kNeg>,   unary_row<kAbs>,        unary_row<kExp>,    unary_row<kLog>,  unary_row<kSqrt>,
    unary_row<kRsqrt>, unary_row<kReciprocal>, unary_row<kSquare>, unary_row<kTanh>, unary_row<kSigmoid>,
    unary_row<kSilu>,  unary_row<kRelu>,       scalar_row<kGelu>,  scalar_row<kErf>, scalar_row<kSin>,
    scalar_row<kCos>,  unary_row<kSign>,       unary_row<kFloor>};

}  // namespace
}  // namespace suiren::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace suiren::cpu {
namespace {

// row(x, y, n) over an operand that computes in f32, staged where it has to be.
void through_f32(const Call& c, int64_t grain, FunctionRef<void(const float*, float*, int64_t)> row) {
  const DType dtype = dtype_of_operand(c.in(0).dtype());
  const Walk walk({c.out(0), c.in(0)}, {dtype.size(), dtype.size()});
  walk.run(grain, [&](int64_t n, char* const* p, const int64_t* s) {
    if (dtype == kF32 && s[1] == 4)
      return row(reinterpret_cast<const float*>(p[1]), reinterpret_cast<float*>(p[0]), n);
    float x[kStage], y[kStage];
    for (int64_t i = 0; i < n; i += kStage) {
      const int64_t part = std::min(kStage, n - i);
      stage(dtype, p[1] + i * s[1], s[1], x, part);
      row(x, y, part);
      unstage(dtype, y, p[0] + i * s[0], s[0], part);
    }
  });
}

template <int F, class T>
void plain_row(int64_t n, char* const* p, const int64_t* s) {
  T* y = reinterpret_cast<T*>(p[0]);
  for (int64_t i = 0; i < n; ++i) y[i] = scalar<F>(*reinterpret_cast<const T*>(p[1] + i * s[1]));
}

constexpr int64_t grain_of(int f) {
  return f == kGelu || f == kErf || f == kSin || f == kCos        ? kGrainSlow
         : f == kExp || (f >= kLog && f <= kSilu && f != kSquare) ? kGrainMath
                                                                  : kGrainCheap;
}
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

constexpr Kernel kKernels[] = {
    unary<kNeg>("neg"),
    unary<kAbs>("abs"),
    unary<kExp>("exp"),
    unary<kLog>("log"),
    unary<kSqrt>("sqrt"),
    unary<kRsqrt>("rsqrt"),
    unary<kReciprocal>("reciprocal"),
    unary<kSquare>("square"),
    unary<kTanh>("tanh"),
    unary<kSigmoid>("sigmoid"),
    unary<kSilu>("silu"),
    unary<kRelu>("relu"),
    unary<kGelu>("gelu"),
    unary<kErf>("erf"),
    unary<kSin>("sin"),
    unary<kCos>("cos"),
    unary<kSign>("sign"),
    unary<kFloor>("floor"),
    {"clamp", "elementwise", 10, accepts_numbers, nullptr, clamp},
};

}  // namespace

KernelList kernels_unary() { return kKernels; }

}  // namespace suiren::cpu
#endif
