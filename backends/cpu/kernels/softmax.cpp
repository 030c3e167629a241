// Softmax, its logarithm, logsumexp and cross entropy over rows (the last axis), in f32; bf16 and f16 are
// widened and rounded a row at a time. Other axes and f64 run as the parts that the ops are composed of.

#include <algorithm>
#include <cmath>

#include "backends/cpu/cross_entropy_rows.h"
#include "backends/cpu/rows.h"
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

// x = exp(x - top) in place; returns their sum.
HWY_INLINE float exp_in_place(float* x, int64_t n, float top) {
  const V m = set(top);
  const auto step = [=](int64_t at) SUIREN_STEP {
    const V e = exp_nonpositive(hn::Sub(load(x + at), m));
    store(e, x + at);
    return e;
  };
  const int64_t w = width(), whole = n / w * w;
  V s0 = hn::Zero(F32()), s1 = s0, s2 = s0, s3 = s0;
  int64_t i = 0;
  for (; i + 4 * w <= whole; i += 4 * w) {
    s0 = hn::Add(s0, step(i));
    s1 = hn::Add(s1, step(i + w));
    s2 = hn::Add(s2, step(i + 2 * w));
    s3 = hn::Add(s3, step(i + 3 * w));
  }
  for (; i < whole; i += w) s0 = hn::Add(s0, step(i));
  V sum = hn::Add(hn::Add(s0, s1), hn::Add(s2, s3));
  if (whole < n) {  // lanes past the end would count as exp(0 - top)
    const auto part = hn::FirstN(F32(), static_cast<size_t>(n - whole));
    const V e = hn::IfThenElseZero(part, exp_nonpositive(hn::Sub(load_part(x + whole, n - whole), m)));
    store_part(e, x + whole, n - whole);
    sum = hn::Add(sum, e);
  }
  return lanes_sum(sum);
}

// y = exp(x - lse) * scale.
void scaled_exp_row(const float* x, float* y, int64_t n, float lse, float scale) {
  const V l = set(lse), s = set(scale);
  for_vectors(n, [=](auto in, auto out) SUIREN_STEP { out(hn::Mul(exp(hn::Sub(in(x), l)), s), y); });
}

// x = softmax(x) * scale in place; returns logsumexp(x).
float scaled_softmax_row(float* x, int64_t n, float scale) {
  const float top = row_max(x, n);
  if (std::isinf(top)) {
    scaled_exp_row(x, x, n, top, scale);
    return top;
  }
  const float sum = exp_in_place(x, n, top);
  const V s = set(scale / sum);
  for_vectors(n, [=](auto in, auto out) SUIREN_STEP { out(hn::Mul(in(x), s), x); });
  return top + std::log(sum);
}

}  // namespace
}  // namespace suiren::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace suiren::cpu {

int64_t target_class(const Operand& targets, int64_t i, int64_t classes) {
  const int64_t t = targets.dtype() == SR_I32 ? targets.data<int32_t>()[i] : targets.data<int64_t>()[i];
  SR_CHECK(t >= 0 && t < classes, "target {} of row {} is out of range for {} classes", t, i, classes);
  return t;
}
float logsumexp_row(const float* x, int64_t n) { return SUIREN_PICK(logsumexp_row)(x, n); }
float cross_entropy_row(float* x, int64_t n, int64_t target, float g) {
  const float right = x[target];
  const float lse = SUIREN_PICK(scaled_softmax_row)(x, n, g);
  x[target] -= g;
  return lse - right;
}

namespace {

constexpr int64_t kGrain = 32768;

// Attribute 0: axis.
Reason last_axis(const Call& c) {
  return c.attr_i64(0) == c.in(0).rank() - 1 ? row_major_in_f32(c) : "only the last axis";
}

// body(x[i], i) for every row of x; a row is never cut.
template <class Body>
void for_rows(const Operand& x, Body body) {
  if (x.numel() == 0) return;
  const int64_t n = x.dim(-1);
  parallel_for(x.numel() / n, std::max<int64_t>(1, kGrain / n), [&](int64_t begin, int64_t end) {
    ReadRows from(x, n);
    for (int64_t i = begin; i < end; ++i) body(from.get(i, 1), i);
  });
}
// body(x[i], y[i], i), and y gets what body wrote.
template <class Body>
void map_rows(const Operand& x, const Operand& y, Body body) {
  if (x.numel() == 0) return;
  const int64_t n = x.dim(-1);
  parallel_for(x.numel() / n, std::max<int64_t>(1, kGrain / n), [&](int64_t begin, int64_t end) {
    ReadRows from(x, n);
    WriteRows to(y, n);
    for (int64_t i = begin; i < end; ++i) {
      body(from.get(i, 1), to.get(i, 1), i);
      to.put();
    }
  });
}

void map_each(const Call& c, void (*row)(const float*, float*, int64_t)) {
  const int64_t n = c.in(0).dim(-1);
  map_rows(c.in(0), c.out(0), [=](const float* x, float* y, int64_t) { row(x, y, n); });
}
void softmax(const Call& c, void*) { map_each(c, SUIREN_PICK(softmax_row)); }
void log_softmax(const Call& c, void*) { map_each(c, SUIREN_PICK(log_softmax_row)); }
void logsumexp(const Call& c, void*) {
  const int64_t n = c.in(0).dim(-1);
  const auto row = SUIREN_PICK(logsumexp_row);
  const DType dtype = dtype_of_operand(c.out(0).dtype());
  char* to = c.out(0).data<char>();
  for_rows(c.in(0), [&](const float* x, int64_t i) {
    const float y = row(x, n);
    unstage(dtype, &y, to + i * dtype.size(), dtype.size(), 1);
  });
}

// Inputs logits [N, V], targets [N]; outputs loss [N], lse [N], which are f32.
void cross_entropy(const Call& c, void*) {
  const Operand x = c.in(0), targets = c.in(1);
  const int64_t V = x.dim(-1);
  float *loss = c.out(0).data<float>(), *lse = c.out(1).data<float>();
  const auto row = SUIREN_PICK(logsumexp_row);
  for_rows(x, [&](const float* logits, int64_t i) {
    const int64_t t = target_class(targets, i, V);
    lse[i] = row(logits, V);
    loss[i] = lse[i] - logits[t];
  });
}

// Inputs logits, targets, lse, g, g_lse; dlogits = exp(logits - lse) (g + g_lse) - onehot g.
void cross_entropy_backward(const Call& c, void*) {
  const Operand x = c.in(0), targets = c.in(1);
  const int64_t V = x.dim(-1);
  const float *lse = c.in(2).data<float>(), *g = c.in(3).data<float>(), *g_lse = c.in(4).data<float>();
  const auto row = SUIREN_PICK(scaled_exp_row);
  map_rows(x, c.out(0), [&](const float* logits, float* to, int64_t i) {
    const int64_t t = target_class(targets, i, V);
    row(logits, to, V, lse[i], g[i] + g_lse[i]);
    to[t] -= g[i];
  });
}

Reason accepts_backward(const Call& c) {
  for (int i = 2; i < 5; ++i)
    if (c.in(i).dtype() != SR_F32) return "dtype";
  return row_major_in_f32(c);
}

constexpr Kernel kKernels[] = {
    {"softmax", "rows", 10, last_axis, nullptr, softmax},
    {"log_softmax", "rows", 10, last_axis, nullptr, log_softmax},
    {"logsumexp", "rows", 10, last_axis, nullptr, logsumexp},
    {"cross_entropy", "rows", 10, row_major_in_f32, nullptr, cross_entropy},
    {"cross_entropy_backward", "rows", 10, accepts_backward, nullptr, cross_entropy_backward},
};

}  // namespace

KernelList kernels_softmax() { return kKernels; }

}  // namespace suiren::cpu
#endif
