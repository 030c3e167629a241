// dx = g f'(x), element by element, for the functions of one tensor whose gradient is an op: one pass in
// place of several. f32 runs in vectors, bf16 and f16 through f32, f64 in a plain loop.

#include <cmath>

#include "backends/cpu/elementwise.h"
#include "backends/cpu/simd/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/unary_backward.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// After foreach_target.h, so that it is compiled for each target.
#include "backends/cpu/simd/math-inl.h"

#ifndef SUIREN_UNARY_BACKWARD_ONCE
#define SUIREN_UNARY_BACKWARD_ONCE
namespace suiren::cpu {
namespace {

// ROW(function, op): first those that cost little. Of relu, tanh, sigmoid and selu the second input is y, not
// x.
#define SUIREN_SLOPES(ROW)                  \
  ROW(kRelu, "relu_backward")               \
  ROW(kHardsigmoid, "hardsigmoid_backward") \
  ROW(kHardswish, "hardswish_backward")     \
  ROW(kTanh, "tanh_backward")               \
  ROW(kSigmoid, "sigmoid_backward")         \
  ROW(kSelu, "selu_backward")               \
  ROW(kSilu, "silu_backward")               \
  ROW(kLogSigmoid, "log_sigmoid_backward")  \
  ROW(kMish, "mish_backward")               \
  ROW(kGelu, "gelu_backward")               \
  ROW(kGeluTanh, "gelu_tanh_backward")

#define ROW(function, op) function,
enum Slope : int { SUIREN_SLOPES(ROW) kSlopeCount };
#undef ROW

constexpr double kSeluScale = 1.0507009873554804934, kSeluLow = 1.7580993408473766,
                 kRootHalf = 0.70710678118654752440, kRootTwoPi = 2.5066282746310005024,
                 kRootTwoOverPi = 0.79788456080286535588, kCubic = 0.044715;

template <int F>
double scalar(double g, double x) {
  if constexpr (F == kRelu) return x <= 0 ? 0 : g;
  if constexpr (F == kHardsigmoid) return std::fabs(x) < 3 ? g / 6 : 0;
  if constexpr (F == kHardswish) return std::fabs(x) < 3 ? g * (x / 3 + 0.5) : x >= 3 ? g : 0;
  if constexpr (F == kTanh) return g * (1 - x * x);
  if constexpr (F == kSigmoid) return g * (x * (1 - x));
  if constexpr (F == kSelu) return g * (x > 0 ? kSeluScale : x + kSeluLow);
  const double s = 1 / (1 + std::exp(-x));
  if constexpr (F == kSilu) return g * (s * (1 + x * (1 - s)));
  if constexpr (F == kLogSigmoid) return g / (1 + std::exp(x));
  if constexpr (F == kMish) {
    const double t = std::tanh(std::log1p(std::exp(x)));
    return g * (t + x * (1 - t * t) * s);
  }
  if constexpr (F == kGelu)
    return g * (0.5 * std::erfc(-x * kRootHalf) + x * (std::exp(-0.5 * x * x) / kRootTwoPi));
  const double z = x * x, t = std::tanh(x * (z * kCubic + 1) * kRootTwoOverPi);
  return g * ((t + 1) * 0.5 + x * (1 - t * t) * (z * (3 * kCubic) + 1) * (0.5 * kRootTwoOverPi));
}

}  // namespace
}  // namespace suiren::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace suiren::cpu::HWY_NAMESPACE {
namespace {

HWY_INLINE V mish_slope(V x) {
  const V two = set(2.0f), e = exp(hn::Min(set(20.0f), x)), n = hn::Mul(e, hn::Add(e, two));
  const V t = hn::Div(n, hn::Add(n, two));
  return hn::MulAdd(hn::Mul(x, hn::NegMulAdd(t, t, set(1.0f))), sigmoid(x), t);
}
HWY_INLINE V gelu_slope(V x) {
  const V half = hn::Mul(set(0.5f), erfc_positive(hn::Mul(hn::Abs(x), set(static_cast<float>(kRootHalf)))));
  const V integral = hn::IfThenElse(hn::Lt(x, hn::Zero(F32())), half, hn::Sub(set(1.0f), half));
  const V density = hn::Mul(exp(hn::Mul(hn::Mul(x, x), set(-0.5f))), set(static_cast<float>(1 / kRootTwoPi)));
  return hn::MulAdd(x, density, integral);
}
HWY_INLINE V gelu_tanh_slope(V x) {
  const V one = set(1.0f), half = set(0.5f), z = hn::Mul(x, x);
  const V inner = hn::MulAdd(z, set(static_cast<float>(kCubic)), one);
  const V t = tanh(hn::Mul(hn::Mul(x, inner), set(static_cast<float>(kRootTwoOverPi))));
  const V bend = hn::Mul(hn::MulAdd(z, set(static_cast<float>(3 * kCubic)), one),
                         set(static_cast<float>(0.5 * kRootTwoOverPi)));
  return hn::MulAdd(hn::Mul(x, hn::NegMulAdd(t, t, one)), bend, hn::MulAdd(t, half, half));
}

template <int F>
HWY_INLINE V apply(V g, V x) {
  const V zero = hn::Zero(F32()), one = set(1.0f), three = set(3.0f);
  if constexpr (F == kRelu) return hn::IfThenElse(hn::Le(x, zero), zero, g);
  if constexpr (F == kHardsigmoid)
    return hn::IfThenElseZero(hn::Lt(hn::Abs(x), three), hn::Mul(g, set(0.166666666666666667f)));
  if constexpr (F == kHardswish) {
    const V bent = hn::Mul(g, hn::MulAdd(x, set(0.333333333333333333f), set(0.5f)));
    return hn::IfThenElse(hn::Lt(hn::Abs(x), three), bent, hn::IfThenElseZero(hn::Ge(x, three), g));
  }
  if constexpr (F == kTanh) return hn::Mul(g, hn::NegMulAdd(x, x, one));
  if constexpr (F == kSigmoid) return hn::Mul(g, hn::Mul(x, hn::Sub(one, x)));
  if constexpr (F == kSelu) {
    const V low = hn::Add(x, set(static_cast<float>(kSeluLow)));
    return hn::Mul(g, hn::IfThenElse(hn::Gt(x, zero), set(static_cast<float>(kSeluScale)), low));
  }
  if constexpr (F == kSilu) {
    const V s = sigmoid(x);
    return hn::Mul(g, hn::Mul(s, hn::MulAdd(x, hn::Sub(one, s), one)));
  }
  if constexpr (F == kLogSigmoid) return hn::Mul(g, sigmoid(hn::Neg(x)));
  if constexpr (F == kMish) return hn::Mul(g, mish_slope(x));
  return hn::Mul(g, F == kGelu ? gelu_slope(x) : gelu_tanh_slope(x));
}

template <int F>
void slope_row(const float* g, const float* x, float* y, int64_t n) {
  for_vectors(n, [=](auto in, auto out) SUIREN_STEP { out(apply<F>(in(g), in(x)), y); });
}

using RowFunction = void (*)(const float*, const float*, float*, int64_t);
#define ROW(function, op) slope_row<function>,
constexpr RowFunction slope_rows[kSlopeCount] = {SUIREN_SLOPES(ROW)};
#undef ROW

}  // namespace
}  // namespace suiren::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace suiren::cpu {
namespace {

template <int F>
void plain_row(int64_t n, char* const* p, const int64_t* s) {
  auto* y = reinterpret_cast<double*>(p[0]);
  for (int64_t i = 0; i < n; ++i)
    y[i] = scalar<F>(*reinterpret_cast<const double*>(p[1] + i * s[1]),
                     *reinterpret_cast<const double*>(p[2] + i * s[2]));
}

template <int F>
void launch(const Call& c, void*) {
  constexpr int64_t grain = F <= kHardswish ? kGrainCheap : kGrainMath;
  if (computes_in_f32(dtype_of_operand(c.in(0).dtype())))
    return pairs_through_f32(c, grain, SUIREN_PICK(slope_rows)[F]);
  Walk({c.out(0), c.in(0), c.in(1)}, {8, 8, 8}).run(grain, &plain_row<F>);
}

#define ROW(function, op) {op, "elementwise", 10, nullptr, nullptr, launch<function>},
constexpr Kernel kKernels[] = {SUIREN_SLOPES(ROW)};
#undef ROW

}  // namespace

KernelList kernels_unary_backward() { return kKernels; }

}  // namespace suiren::cpu
#endif
