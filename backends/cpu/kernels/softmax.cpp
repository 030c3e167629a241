// Softmax, its logarithm, logsumexp and cross entropy over rows of f32 (the last axis). Other axes and dtypes
// run as the parts that the ops are composed of.

#include <algorithm>
#include <cmath>

#include "backends/cpu/kernel_list.h"
#include "backends/cpu/simd/targets.h"
#include "suiren/base/error.h"
#include "suiren/base/threads.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/softmax.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// After foreach_target.h, so that it is compiled for each target.
#include "backends/cpu/simd/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace suiren::cpu::HWY_NAMESPACE {
namespace {

// sum of exp(x - top) over a row.
HWY_INLINE float exp_sum(const float* x, int64_t n, float top) {
  const V m = set(top);
  const int64_t whole = n / width() * width();
  float sum = row_sum(whole, [=](auto in) SUIREN_STEP { return exp_nonpositive(hn::Sub(in(x), m)); });
  if (whole < n) {  // lanes past the end would count as exp(0 - top)
    const auto part = hn::FirstN(F32(), static_cast<size_t>(n - whole));
    sum += lanes_sum(hn::IfThenElseZero(part, exp_nonpositive(hn::Sub(load_part(x + whole, n - whole), m))));
  }
  return sum;
}

void softmax_row(const float* x, float* y, int64_t n) {
  const V m = set(row_max(x, n));
  for_vectors(n, [=](auto in, auto out) SUIREN_STEP { out(exp_nonpositive(hn::Sub(in(x), m)), y); });
  const V scale = set(1 / row_sum(n, [=](auto in) SUIREN_STEP { return in(y); }));
  for_vectors(n, [=](auto in, auto out) SUIREN_STEP { out(hn::Mul(in(y), scale), y); });
}

void log_softmax_row(const float* x, float* y, int64_t n) {
  const float top = row_max(x, n);
  const V m = set(top), l = set(std::log(exp_sum(x, n, top)));
  for_vectors(n, [=](auto in, auto out) SUIREN_STEP { out(hn::Sub(hn::Sub(in(x), m), l), y); });
}

// An infinite maximum is not subtracted: inf - inf would be NaN.
float logsumexp_row(const float* x, int64_t n) {
  const float top = row_max(x, n);
  if (top == INFINITY) return top;
  if (top == -INFINITY) return top;
  return top + std::log(exp_sum(x, n, top));
}

// y = exp(x - lse) * scale.
void scaled_exp_row(const float* x, float* y, int64_t n, float lse, float scale) {
  const V l = set(lse), s = set(scale);
  for_vectors(n, [=](auto in, auto out) SUIREN_STEP { out(hn::Mul(exp(hn::Sub(in(x), l)), s), y); });
}

}  // namespace
}  // namespace suiren::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace suiren::cpu {
namespace {

constexpr int64_t kGrain = 32768;

Reason f32_rows(const Call& c) { return c.in(0).dtype() == SR_F32 ? row_major_inputs(c) : "dtype"; }
// Attribute 0: axis.
Reason last_axis(const Call& c) {
  return c.attr_i64(0) == c.in(0).rank() - 1 ? f32_rows(c) : "only the last axis";
}

// body(row) for every row of x; a row is never cut.
void for_rows(const Operand& x, FunctionRef<void(int64_t)> body) {
  if (x.numel() == 0) return;
  const int64_t n = x.dim(-1);
  parallel_for(x.numel() / n, std::max<int64_t>(1, kGrain / n), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) body(i);
  });
}

void map_rows(const Call& c, void (*row)(const float*, float*, int64_t)) {
  const Operand x = c.in(0);
  const float* from = x.data<float>();
  float* to = c.out(0).data<float>();
  for_rows(x, [&](int64_t i) { row(from + i * x.dim(-1), to + i * x.dim(-1), x.dim(-1)); });
}
void softmax(const Call& c, void*) { map_rows(c, SUIREN_PICK(softmax_row)); }
void log_softmax(const Call& c, void*) { map_rows(c, SUIREN_PICK(log_softmax_row)); }
void logsumexp(const Call& c, void*) {
  const Operand x = c.in(0);
  const float* from = x.data<float>();
  float* to = c.out(0).data<float>();
  const auto row = SUIREN_PICK(logsumexp_row);
  for_rows(x, [&](int64_t i) { to[i] = row(from + i * x.dim(-1), x.dim(-1)); });
}

int64_t target(const Operand& targets, int64_t i, int64_t V) {
  const int64_t t = targets.dtype() == SR_I32 ? targets.data<int32_t>()[i] : targets.data<int64_t>()[i];
  SR_CHECK(t >= 0 && t < V, "[cross_entropy] target {} of row {} is out of range for {} classes", t, i, V);
  return t;
}

// Inputs logits [N, V], targets [N]; outputs loss [N], lse [N].
void cross_entropy(const Call& c, void*) {
  const Operand x = c.in(0), targets = c.in(1);
  const int64_t V = x.dim(-1);
  const float* from = x.data<float>();
  float *loss = c.out(0).data<float>(), *lse = c.out(1).data<float>();
  const auto row = SUIREN_PICK(logsumexp_row);
  for_rows(x, [&](int64_t i) {
    const int64_t t = target(targets, i, V);
    lse[i] = row(from + i * V, V);
    loss[i] = lse[i] - from[i * V + t];
  });
}

// Inputs logits, targets, lse, g, g_lse; dlogits = exp(logits - lse) (g + g_lse) - onehot g.
void cross_entropy_backward(const Call& c, void*) {
  const Operand x = c.in(0), targets = c.in(1);
  const int64_t V = x.dim(-1);
  const float *from = x.data<float>(), *lse = c.in(2).data<float>(), *g = c.in(3).data<float>(),
              *g_lse = c.in(4).data<float>();
  float* to = c.out(0).data<float>();
  const auto row = SUIREN_PICK(scaled_exp_row);
  for_rows(x, [&](int64_t i) {
    const int64_t t = target(targets, i, V);
    row(from + i * V, to + i * V, V, lse[i], g[i] + g_lse[i]);
    to[i * V + t] -= g[i];
  });
}

Reason accepts_backward(const Call& c) {
  for (int i = 2; i < 5; ++i)
    if (c.in(i).dtype() != SR_F32) return "dtype";
  return f32_rows(c);
}

constexpr Kernel kKernels[] = {
    {"softmax", "rows", 10, last_axis, nullptr, softmax},
    {"log_softmax", "rows", 10, last_axis, nullptr, log_softmax},
    {"logsumexp", "rows", 10, last_axis, nullptr, logsumexp},
    {"cross_entropy", "rows", 10, f32_rows, nullptr, cross_entropy},
    {"cross_entropy_backward", "rows", 10, accepts_backward, nullptr, cross_entropy_backward},
};

}  // namespace

KernelList kernels_softmax() { return kKernels; }

}  // namespace suiren::cpu
#endif
