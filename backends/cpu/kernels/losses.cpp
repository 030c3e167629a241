// Losses of two tensors element by element, interpolation and cosine similarity, over row-major f32. Other
// dtypes run as the parts that the ops are composed of.

#include <algorithm>
#include <cmath>

#include "backends/cpu/kernel_list.h"
#include "backends/cpu/simd/targets.h"
#include "backends/cpu/walk.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/losses.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// After foreach_target.h, so that it is compiled for each target.
#include "backends/cpu/simd/math-inl.h"

#ifndef SUIREN_LOSSES_ONCE
#define SUIREN_LOSSES_ONCE
namespace suiren::cpu {
namespace {

enum Loss : int { kMse, kL1, kHuber, kSmoothL1, kBce, kBceLogits, kKl, kKlLog, kLossCount };

}  // namespace
}  // namespace suiren::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace suiren::cpu::HWY_NAMESPACE {
namespace {

// `p`: delta of huber, beta > 0 of smooth l1.
template <int F>
HWY_INLINE V loss(V x, V t, V p) {
  const V half = set(0.5f), one = set(1.0f), zero = hn::Zero(F32()), d = hn::Sub(x, t);
  if constexpr (F == kMse) return hn::Mul(d, d);
  if constexpr (F == kL1) return hn::Abs(d);
  if constexpr (F == kHuber || F == kSmoothL1) {
    const V a = hn::Abs(d), square = hn::Mul(hn::Mul(a, a), half), line = hn::NegMulAdd(half, p, a);
    if constexpr (F == kHuber) return hn::IfThenElse(hn::Le(a, p), square, hn::Mul(p, line));
    return hn::IfThenElse(hn::Lt(a, p), hn::Div(square, p), line);
  }
  if constexpr (F == kBce) {
    const V least = set(-100.0f), yes = max_nan(log(x), least), no = max_nan(log(hn::Sub(one, x)), least);
    return hn::Neg(hn::MulAdd(t, yes, hn::Mul(hn::Sub(one, t), no)));
  }
  if constexpr (F == kBceLogits) {
    const V rest = log1p(exp(hn::Neg(hn::Abs(x))));
    const V yes = hn::Add(max_nan(hn::Neg(x), zero), rest), no = hn::Add(max_nan(x, zero), rest);
    return hn::MulAdd(t, yes, hn::Mul(hn::Sub(one, t), no));
  }
  if constexpr (F == kKlLog) return hn::Mul(exp(t), hn::Sub(t, x));
  const V entropy = hn::IfThenZeroElse(hn::Eq(t, zero), hn::Mul(t, log(t)));
  return hn::NegMulAdd(t, x, entropy);
}

template <int F>
void loss_row(const float* x, const float* t, float* y, int64_t n, float p) {
  const V vp = set(p);
  for_vectors(n, [=](auto in, auto out) SUIREN_STEP { out(loss<F>(in(x), in(t), vp), y); });
}

void lerp_row(const float* a, const float* b, const float* w, bool one_weight, float* y, int64_t n) {
  const V all = set(*w);
  for_vectors(n, [=](auto in, auto out) SUIREN_STEP {
    const V x = in(a);
    out(hn::MulAdd(one_weight ? all : in(w), hn::Sub(in(b), x), x), y);
  });
}

float dot_row(const float* a, const float* b, int64_t n) {
  return row_sum(n, [=](auto in) SUIREN_STEP { return hn::Mul(in(a), in(b)); });
}

using RowFunction = void (*)(const float*, const float*, float*, int64_t, float);
constexpr RowFunction loss_rows[kLossCount] = {loss_row<kMse>,      loss_row<kL1>,   loss_row<kHuber>,
                                               loss_row<kSmoothL1>, loss_row<kBce>,  loss_row<kBceLogits>,
                                               loss_row<kKl>,       loss_row<kKlLog>};

}  // namespace
}  // namespace suiren::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace suiren::cpu {
namespace {

Reason f32_rows(const Call& c) { return c.in(0).dtype() == SR_F32 ? row_major_inputs(c) : "dtype"; }

void run(const Call& c, int function, double parameter) {
  const auto row = SUIREN_PICK(loss_rows)[function];
  const float *x = c.in(0).data<float>(), *t = c.in(1).data<float>(), p = static_cast<float>(parameter);
  float* y = c.out(0).data<float>();
  parallel_for(c.in(0).numel(), function >= kBce ? kGrainMath : kGrainCheap,
               [=](int64_t begin, int64_t end) { row(x + begin, t + begin, y + begin, end - begin, p); });
}
template <int F>
void plain(const Call& c, void*) {
  run(c, F, 0);
}
template <int F>
void with_parameter(const Call& c, void*) {
  run(c, F, c.attr_f64(0));
}
void smooth_l1(const Call& c, void*) { run(c, c.attr_f64(0) == 0 ? kL1 : kSmoothL1, c.attr_f64(0)); }
void kl_div(const Call& c, void*) { run(c, c.attr_i64(0) != 0 ? kKlLog : kKl, 0); }
Reason without_weight(const Call& c) { return c.inputs() == 2 ? f32_rows(c) : "pos_weight"; }

// One shape for all, or one weight.
Reason accepts_lerp(const Call& c) {
  const int64_t n = c.out(0).numel();
  if (c.in(0).numel() != n || c.in(1).numel() != n || (c.in(2).numel() != n && c.in(2).numel() != 1))
    return "broadcast";
  return f32_rows(c);
}
void lerp(const Call& c, void*) {
  const auto row = SUIREN_PICK(lerp_row);
  const float *a = c.in(0).data<float>(), *b = c.in(1).data<float>(), *w = c.in(2).data<float>();
  const bool one = c.in(2).numel() == 1;
  float* y = c.out(0).data<float>();
  parallel_for(c.out(0).numel(), kGrainCheap, [=](int64_t begin, int64_t end) {
    row(a + begin, b + begin, one ? w : w + begin, one, y + begin, end - begin);
  });
}

// Attributes: axis, eps.
Reason accepts_cosine(const Call& c) {
  return c.attr_i64(0) == c.in(0).rank() - 1 ? f32_rows(c) : "only the last axis";
}
void cosine_similarity(const Call& c, void*) {
  const int64_t n = c.in(0).dim(-1), rows = c.out(0).numel();
  const double eps = c.attr_f64(1);
  const float *a = c.in(0).data<float>(), *b = c.in(1).data<float>();
  float* y = c.out(0).data<float>();
  const auto dot = SUIREN_PICK(dot_row);
  const auto length = [=](const float* x) {
    const double l = std::sqrt(static_cast<double>(dot(x, x, n)));
    return l < eps ? eps : l;
  };
  parallel_for(rows, std::max<int64_t>(1, kGrainCheap / std::max<int64_t>(1, n)),
               [=](int64_t begin, int64_t end) {
                 for (int64_t i = begin; i < end; ++i)
                   y[i] = static_cast<float>(static_cast<double>(dot(a + i * n, b + i * n, n)) /
                                             (length(a + i * n) * length(b + i * n)));
               });
}

constexpr Kernel kKernels[] = {
    {"mse_loss", "elementwise", 10, f32_rows, nullptr, plain<kMse>},
    {"l1_loss", "elementwise", 10, f32_rows, nullptr, plain<kL1>},
    {"huber_loss", "elementwise", 10, f32_rows, nullptr, with_parameter<kHuber>},
    {"smooth_l1_loss", "elementwise", 10, f32_rows, nullptr, smooth_l1},
    {"binary_cross_entropy", "elementwise", 10, f32_rows, nullptr, plain<kBce>},
    {"bce_with_logits", "elementwise", 10, without_weight, nullptr, plain<kBceLogits>},
    {"kl_div", "elementwise", 10, f32_rows, nullptr, kl_div},
    {"lerp", "elementwise", 10, accepts_lerp, nullptr, lerp},
    {"cosine_similarity", "rows", 10, accepts_cosine, nullptr, cosine_similarity},
};

}  // namespace

KernelList kernels_losses() { return kKernels; }

}  // namespace suiren::cpu
#endif
