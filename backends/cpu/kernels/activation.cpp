// Activations with parameters: y = f(x; a, b) element by element, and glu over row-major f32.

#include <cmath>

#include "backends/cpu/elementwise.h"
#include "backends/cpu/simd/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/activation.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// After foreach_target.h, so that it is compiled for each target.
#include "backends/cpu/simd/math-inl.h"

#ifndef SUIREN_ACTIVATION_ONCE
#define SUIREN_ACTIVATION_ONCE
namespace suiren::cpu {
namespace {

enum Activation : int { kLeakyRelu, kElu, kSoftplus, kActivationCount };

// Of a and b: leaky_relu(slope), elu(alpha, the divisor of x), softplus(beta, threshold).
template <int F>
double scalar(double x, double a, double b) {
  if constexpr (F == kLeakyRelu) return x > 0 ? x : a * x;
  if constexpr (F == kElu) return x > 0 ? x : a * std::expm1(x / b);
  const double z = a * x;
  return z > b ? x : (z > 0 ? z + std::log1p(std::exp(-z)) : std::log1p(std::exp(z))) / a;
}

}  // namespace
}  // namespace suiren::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace suiren::cpu::HWY_NAMESPACE {
namespace {

template <int F>
HWY_INLINE V apply(V x, V a, V b) {
  const V zero = hn::Zero(F32());
  if constexpr (F == kLeakyRelu) return hn::IfThenElse(hn::Gt(x, zero), x, hn::Mul(a, x));
  if constexpr (F == kElu) return hn::IfThenElse(hn::Gt(x, zero), x, hn::Mul(a, expm1(hn::Div(x, b))));
  const V z = hn::Mul(a, x), rest = log1p(exp(hn::Neg(hn::Abs(z))));
  const V y = hn::Div(hn::Add(hn::IfThenElse(hn::Gt(z, zero), z, zero), rest), a);
  return hn::IfThenElse(hn::Gt(z, b), x, y);
}

template <int F>
void activation_row(const float* x, float* y, int64_t n, float a, float b) {
  const V va = set(a), vb = set(b);
  for_vectors(n, [=](auto in, auto out) SUIREN_STEP { out(apply<F>(in(x), va, vb), y); });
}

void leaky_slope_row(const float* g, const float* x, float* y, int64_t n, float slope) {
  const V s = set(slope), zero = hn::Zero(F32());
  for_vectors(n, [=](auto in, auto out) SUIREN_STEP {
    const V v = in(g);
    out(hn::IfThenElse(hn::Gt(in(x), zero), v, hn::Mul(v, s)), y);
  });
}

void glu_row(const float* a, const float* b, float* y, int64_t n) {
  for_vectors(n, [=](auto in, auto out) SUIREN_STEP { out(hn::Mul(in(a), sigmoid(in(b))), y); });
}

using RowFunction = void (*)(const float*, float*, int64_t, float, float);
constexpr RowFunction activation_rows[kActivationCount] = {activation_row<kLeakyRelu>, activation_row<kElu>,
                                                           activation_row<kSoftplus>};

}  // namespace
}  // namespace suiren::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace suiren::cpu {
namespace {

template <int F>
void run(const Call& c, double a, double b) {
  constexpr int64_t grain = F == kLeakyRelu ? kGrainCheap : kGrainMath;
  if (computes_in_f32(dtype_of_operand(c.in(0).dtype()))) {
    const auto row = SUIREN_PICK(activation_rows)[F];
    const auto fa = static_cast<float>(a), fb = static_cast<float>(b);
    return through_f32(c, grain, [=](const float* x, float* y, int64_t n) { row(x, y, n, fa, fb); });
  }
  Walk({c.out(0), c.in(0)}, {8, 8}).run(grain, [=](int64_t n, char* const* p, const int64_t* s) {
    auto* y = reinterpret_cast<double*>(p[0]);
    for (int64_t i = 0; i < n; ++i) y[i] = scalar<F>(*reinterpret_cast<const double*>(p[1] + i * s[1]), a, b);
  });
}

void leaky_relu(const Call& c, void*) { run<kLeakyRelu>(c, c.attr_f64(0), 0); }
// Inputs g, x.
void leaky_relu_backward(const Call& c, void*) {
  const double slope = c.attr_f64(0);
  if (computes_in_f32(dtype_of_operand(c.in(0).dtype()))) {
    const auto row = SUIREN_PICK(leaky_slope_row);
    return pairs_through_f32(c, kGrainCheap, [=](const float* g, const float* x, float* y, int64_t n) {
      row(g, x, y, n, static_cast<float>(slope));
    });
  }
  Walk({c.out(0), c.in(0), c.in(1)}, {8, 8, 8})
      .run(kGrainCheap, [=](int64_t n, char* const* p, const int64_t* s) {
        auto* y = reinterpret_cast<double*>(p[0]);
        for (int64_t i = 0; i < n; ++i) {
          const double g = *reinterpret_cast<const double*>(p[1] + i * s[1]);
          y[i] = *reinterpret_cast<const double*>(p[2] + i * s[2]) > 0 ? g : slope * g;
        }
      });
}
void elu(const Call& c, void*) { run<kElu>(c, c.attr_f64(0), 1); }
void celu(const Call& c, void*) { run<kElu>(c, c.attr_f64(0), c.attr_f64(0)); }
void softplus(const Call& c, void*) { run<kSoftplus>(c, c.attr_f64(0), c.attr_f64(1)); }

// Attribute: axis. The halves of x lie `block` elements apart, for each index of the dimensions before it.
void glu(const Call& c, void*) {
  const Operand x = c.in(0);
  int64_t block = 1;
  for (int d = static_cast<int>(c.attr_i64(0)); d < x.rank(); ++d) block *= x.dim(d);
  block /= 2;
  const auto row = SUIREN_PICK(glu_row);
  parallel_for(c.out(0).numel(), kGrainMath, [&](int64_t begin, int64_t end) {
    while (begin < end) {
      const int64_t at = begin % block, n = std::min(block - at, end - begin);
      const float* a = x.data<float>() + begin / block * 2 * block + at;
      row(a, a + block, c.out(0).data<float>() + begin, n);
      begin += n;
    }
  });
}
Reason accepts_glu(const Call& c) { return c.in(0).dtype() == SR_F32 ? row_major_inputs(c) : "dtype"; }

constexpr Kernel kKernels[] = {
    {"leaky_relu", "elementwise", 10, nullptr, nullptr, leaky_relu},
    {"leaky_relu_backward", "elementwise", 10, nullptr, nullptr, leaky_relu_backward},
    {"elu", "elementwise", 10, nullptr, nullptr, elu},
    {"celu", "elementwise", 10, nullptr, nullptr, celu},
    {"softplus", "elementwise", 10, nullptr, nullptr, softplus},
    {"glu", "rows", 10, accepts_glu, nullptr, glu},
};

}  // namespace

KernelList kernels_activation() { return kKernels; }

}  // namespace suiren::cpu
#endif
