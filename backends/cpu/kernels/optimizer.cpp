// The updates of AdamW and SGD in f32, in place, and the sum of squares behind gradient clipping. f64 and
// mixed dtypes run as the parts that the ops are composed of.

#include <algorithm>
#include <cmath>

#include "backends/cpu/convert.h"
#include "backends/cpu/kernel_list.h"
#include "backends/cpu/simd/targets.h"
#include "suiren/base/threads.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/optimizer.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// After foreach_target.h, so that it is compiled for each target.
#include "backends/cpu/simd/vector-inl.h"

#ifndef SUIREN_OPTIMIZER_ONCE
#define SUIREN_OPTIMIZER_ONCE
namespace suiren::cpu {
namespace {

/// p = p decay - step m / (sqrt(v) root + eps), after the moments have taken g scale.
struct AdamWFactors {
  float scale, beta1, rest1, beta2, rest2, root, eps, decay, step;
};
struct SgdFactors {
  float scale, weight_decay, momentum, lr;
  bool nesterov;
};

}  // namespace
}  // namespace suiren::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace suiren::cpu::HWY_NAMESPACE {
namespace {

void adamw_row(const AdamWFactors& f, float* p, float* m, float* v, const float* g, int64_t n) {
  const V scale = set(f.scale), beta1 = set(f.beta1), rest1 = set(f.rest1), beta2 = set(f.beta2),
          rest2 = set(f.rest2), root = set(f.root), eps = set(f.eps), decay = set(f.decay),
          step = set(f.step);
  for_vectors(n, [=](auto in, auto out) SUIREN_STEP {
    const V gv = hn::Mul(in(g), scale);
    const V mv = hn::MulAdd(in(m), beta1, hn::Mul(gv, rest1));
    const V vv = hn::MulAdd(in(v), beta2, hn::Mul(hn::Mul(gv, gv), rest2));
    const V way = hn::Div(mv, hn::MulAdd(hn::Sqrt(vv), root, eps));
    out(mv, m);
    out(vv, v);
    out(hn::NegMulAdd(way, step, hn::Mul(in(p), decay)), p);
  });
}

void sgd_row(const SgdFactors& f, float* p, float* velocity, const float* g, int64_t n) {
  const V scale = set(f.scale), weight_decay = set(f.weight_decay), momentum = set(f.momentum),
          lr = set(f.lr);
  const bool nesterov = f.nesterov;
  for_vectors(n, [=](auto in, auto out) SUIREN_STEP {
    const V pv = in(p), gv = hn::MulAdd(pv, weight_decay, hn::Mul(in(g), scale));
    const V speed = hn::MulAdd(in(velocity), momentum, gv);
    out(speed, velocity);
    out(hn::NegMulAdd(nesterov ? hn::MulAdd(speed, momentum, gv) : speed, lr, pv), p);
  });
}

// Squares in f64, in four chains.
double squares(const float* x, int64_t n) {
  const hn::ScalableTag<double> d;
  const hn::Rebind<float, decltype(d)> f;
  const auto w = static_cast<int64_t>(hn::Lanes(d));
  auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
  const auto at = [&](int64_t i) HWY_ATTR { return hn::PromoteTo(d, hn::LoadU(f, x + i)); };
  int64_t i = 0;
  for (; i + 4 * w <= n; i += 4 * w) {
    const auto a = at(i), b = at(i + w), c = at(i + 2 * w), e = at(i + 3 * w);
    s0 = hn::MulAdd(a, a, s0), s1 = hn::MulAdd(b, b, s1), s2 = hn::MulAdd(c, c, s2),
    s3 = hn::MulAdd(e, e, s3);
  }
  double sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3))));
  for (; i < n; ++i) sum += static_cast<double>(x[i]) * x[i];
  return sum;
}

}  // namespace
}  // namespace suiren::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace suiren::cpu {
namespace {

constexpr int64_t kGrain = 32768, kBlock = 4096;

Reason f32_in_place(const Call& c) {
  for (int i = 0; i < c.inputs(); ++i) {
    if (c.in(i).dtype() != SR_F32) return "dtype";
    if (!c.in(i).contiguous()) return "an operand is strided";
  }
  return nullptr;
}

// Inouts param, m, v; input grad. Attributes lr, beta1, beta2, eps, weight_decay, step, grad_scale.
void adamw(const Call& c, void*) {
  const double lr = c.attr_f64(0), beta1 = c.attr_f64(1), beta2 = c.attr_f64(2);
  const auto t = static_cast<double>(c.attr_i64(5));
  const auto f = [](double x) { return static_cast<float>(x); };
  const AdamWFactors factors{f(c.attr_f64(6)),
                             f(beta1),
                             f(1 - beta1),
                             f(beta2),
                             f(1 - beta2),
                             f(1 / std::sqrt(1 - std::pow(beta2, t))),
                             f(c.attr_f64(3)),
                             f(1 - lr * c.attr_f64(4)),
                             f(lr / (1 - std::pow(beta1, t)))};
  float *p = c.in(0).data<float>(), *m = c.in(1).data<float>(), *v = c.in(2).data<float>();
  const float* g = c.in(3).data<float>();
  const auto row = SUIREN_PICK(adamw_row);
  parallel_for(c.in(0).numel(), kGrain,
               [&](int64_t b, int64_t e) { row(factors, p + b, m + b, v + b, g + b, e - b); });
}

// Inouts param, velocity; input grad. Attributes lr, momentum, weight_decay, nesterov, grad_scale.
void sgd(const Call& c, void*) {
  const auto f = [](double x) { return static_cast<float>(x); };
  const SgdFactors factors{f(c.attr_f64(4)), f(c.attr_f64(2)), f(c.attr_f64(1)), f(c.attr_f64(0)),
                           c.attr_i64(3) != 0};
  float *p = c.in(0).data<float>(), *velocity = c.in(1).data<float>();
  const float* g = c.in(2).data<float>();
  const auto row = SUIREN_PICK(sgd_row);
  parallel_for(c.in(0).numel(), kGrain,
               [&](int64_t b, int64_t e) { row(factors, p + b, velocity + b, g + b, e - b); });
}

int64_t block_count(const Call& c) { return (c.in(0).numel() + kBlock - 1) / kBlock; }
uint64_t squares_scratch(const Call& c) { return static_cast<uint64_t>(block_count(c)) * sizeof(double); }

template <class T>
double plain_squares(const T* x, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    const auto v = static_cast<double>(convert<std::conditional_t<is_half<T>, float, T>>(x[i]));
    sum += v * v;
  }
  return sum;
}

// Blocks of kBlock elements, added in ascending order.
void sum_squares(const Call& c, void* scratch) {
  const int64_t n = c.in(0).numel(), blocks = block_count(c);
  auto* sums = static_cast<double*>(scratch);
  const auto vector = SUIREN_PICK(squares);
  visit_dtype(static_cast<DType::Id>(c.in(0).dtype()), [&]<class T>() {
    const T* x = c.in(0).data<T>();
    parallel_for(blocks, 8, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t size = std::min(kBlock, n - i * kBlock);
        if constexpr (std::is_same_v<T, float>)
          sums[i] = vector(x + i * kBlock, size);
        else
          sums[i] = plain_squares(x + i * kBlock, size);
      }
    });
  });
  double total = 0;
  for (int64_t i = 0; i < blocks; ++i) total += sums[i];
  *c.out(0).data<double>() = total;
}

constexpr Kernel kKernels[] = {
    {"adamw", "vector", 10, f32_in_place, nullptr, adamw},
    {"sgd", "vector", 10, f32_in_place, nullptr, sgd},
    {"sum_squares", "blocks", 10, row_major_inputs, squares_scratch, sum_squares},
};

}  // namespace

KernelList kernels_optimizer() { return kKernels; }

}  // namespace suiren::cpu
#endif
