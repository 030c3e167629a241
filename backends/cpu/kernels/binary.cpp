// y = f(a, b) with broadcasting, and sum += x. f32 runs in vectors, bf16 and f16 through f32, the rest in
// plain loops.

#include <cmath>
#include <type_traits>

#include "backends/cpu/simd/targets.h"
#include "backends/cpu/stage.h"
#include "backends/cpu/walk.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/binary.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// After foreach_target.h, so that it is compiled for each target.
#include "backends/cpu/simd/math-inl.h"

#ifndef SUIREN_BINARY_ONCE
#define SUIREN_BINARY_ONCE
namespace suiren::cpu {
namespace {

/// The functions, by place in the tables below.
enum Binary : int {
  kAdd,
  kSub,
  kMul,
  kDiv,
  kMaximum,
  kMinimum,
  kPow,
  kFmod,
  kRemainder,
  kFloorDivide,
  kAtan2,
  kHypot,
  kPrelu,
  kBinaryCount
};

// Division with a rest. Integers: b is neither 0 nor -1.
template <int F, class T>
T divided(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    const T r = std::fmod(a, b);
    if constexpr (F == kFmod) return r;
    const bool below = r != 0 && (r < 0) != (b < 0);
    if constexpr (F == kRemainder) return below ? r + b : r;
    return b == 0 ? a / b : std::nearbyint((a - r) / b - static_cast<T>(below));
  } else {
    const T r = static_cast<T>(a % b);
    if constexpr (F == kFmod) return r;
    const bool below = r != 0 && (r < 0) != (b < 0);
    if constexpr (F == kRemainder) return static_cast<T>(below ? r + b : r);
    return static_cast<T>(a / b - below);
  }
}
constexpr bool divides(int f) { return f == kDiv || (f >= kFmod && f <= kFloorDivide); }

template <int F, class T>
T scalar(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if constexpr (F == kAdd) return a + b;
    if constexpr (F == kSub) return a - b;
    if constexpr (F == kMul) return a * b;
    if constexpr (F == kDiv) return a / b;
    if constexpr (F == kMaximum) return std::isnan(a) || a > b ? a : b;
    if constexpr (F == kMinimum) return std::isnan(a) || a < b ? a : b;
    if constexpr (F == kPow) return std::pow(a, b);
    if constexpr (F == kAtan2) return std::atan2(a, b);
    if constexpr (F == kHypot) return std::hypot(a, b);
    if constexpr (F == kPrelu) return a > 0 ? a : a * b;
    return divided<F>(a, b);
  } else {
    // Integers wrap modulo 2^64: the arithmetic is done without sign.
    const auto x = static_cast<uint64_t>(a), y = static_cast<uint64_t>(b);
    if constexpr (F == kAdd) return static_cast<T>(x + y);
    if constexpr (F == kSub) return static_cast<T>(x - y);
    if constexpr (F == kMul) return static_cast<T>(x * y);
    if constexpr (divides(F)) {
      if (b == 0) return 0;
      if constexpr (std::is_signed_v<T>)
        if (b == T(-1)) return F == kDiv || F == kFloorDivide ? static_cast<T>(uint64_t{0} - x) : T(0);
      if constexpr (F == kDiv) return static_cast<T>(a / b);
      return divided<F>(a, b);
    }
    if constexpr (F == kMaximum) return a > b ? a : b;
    if constexpr (F == kMinimum) return a < b ? a : b;
    return T(0);  // the others take no integers
  }
}

}  // namespace
}  // namespace suiren::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace suiren::cpu::HWY_NAMESPACE {
namespace {

template <int F>
HWY_INLINE V apply(V a, V b) {
  if constexpr (F == kAdd) return hn::Add(a, b);
  if constexpr (F == kSub) return hn::Sub(a, b);
  if constexpr (F == kMul) return hn::Mul(a, b);
  if constexpr (F == kDiv) return hn::Div(a, b);
  if constexpr (F == kMaximum) return max_nan(a, b);
  if constexpr (F == kMinimum) return min_nan(a, b);
  if constexpr (F == kAtan2) return atan2(a, b);
  if constexpr (F == kPrelu) return hn::IfThenElse(hn::Gt(a, hn::Zero(F32())), a, hn::Mul(a, b));
  return hypot(a, b);
}

// Rows without gaps, or one value for the whole row where repeat_a (repeat_b) is set.
template <int F>
void binary_row(const float* a, bool repeat_a, const float* b, bool repeat_b, float* y, int64_t n) {
  if (repeat_a) {
    const V x = set(*a);
    for_vectors(n, [=](auto in, auto out) SUIREN_STEP { out(apply<F>(x, in(b)), y); });
  } else if (repeat_b) {
    const V x = set(*b);
    for_vectors(n, [=](auto in, auto out) SUIREN_STEP { out(apply<F>(in(a), x), y); });
  } else {
    for_vectors(n, [=](auto in, auto out) SUIREN_STEP { out(apply<F>(in(a), in(b)), y); });
  }
}

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
// a - trunc(a / b) b and what follows from it. The quotient is off by one at most and the rest is exact, as
// long as the quotient has few bits; what else there is (and infinities, NaN, b = 0) goes through the C
// library.
template <int F>
HWY_INLINE V divided_vector(V a, V b) {
  const V zero = hn::Zero(F32()), q = hn::Trunc(hn::Div(a, b)), size = hn::Abs(b);
  const M usual = hn::And(hn::Lt(hn::Abs(q), set(4194304.0f)), hn::Lt(size, hn::Inf(F32())));
  const V sign = hn::CopySign(set(1.0f), a);
  V r = hn::Mul(hn::NegMulAdd(q, b, a), sign);  // as if a were not negative
  r = hn::Add(r, hn::IfThenElseZero(hn::Lt(r, zero), size));
  r = hn::Sub(r, hn::IfThenElseZero(hn::Ge(r, size), size));
  r = hn::CopySign(r, a);
  const V below = hn::IfThenElseZero(
      hn::And(hn::Ne(r, zero), hn::Lt(hn::Mul(sign, hn::CopySign(set(1.0f), b)), zero)), set(1.0f));
  V y = r;
  if constexpr (F == kRemainder) y = hn::IfThenElse(hn::Ne(below, zero), hn::Add(r, b), r);
  if constexpr (F == kFloorDivide) y = hn::Round(hn::Sub(hn::Div(hn::Sub(a, r), b), below));
  if (HWY_LIKELY(hn::AllTrue(F32(), usual))) return y;
  HWY_ALIGN float as[hn::MaxLanes(F32())], bs[hn::MaxLanes(F32())];
  hn::Store(a, F32(), as), hn::Store(b, F32(), bs);
  for (int64_t i = 0; i < width(); ++i) as[i] = scalar<F>(as[i], bs[i]);
  return hn::Load(F32(), as);
}
template <int F>
void divided_row(const float* a, bool repeat_a, const float* b, bool repeat_b, float* y, int64_t n) {
  const V first_a = set(*a), first_b = set(*b);
  for_vectors(n, [=](auto in, auto out) SUIREN_STEP {
    out(divided_vector<F>(repeat_a ? first_a : in(a), repeat_b ? first_b : in(b)), y);
  });
}
#else
template <int F>
void divided_row(const float* a, bool repeat_a, const float* b, bool repeat_b, float* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = scalar<F>(a[repeat_a ? 0 : i], b[repeat_b ? 0 : i]);
}
#endif

// Functions without vector form.
template <int F>
void scalar_row(const float* a, bool repeat_a, const float* b, bool repeat_b, float* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = scalar<F>(a[repeat_a ? 0 : i], b[repeat_b ? 0 : i]);
}

using RowFunction = void (*)(const float*, bool, const float*, bool, float*, int64_t);
constexpr RowFunction binary_rows[kBinaryCount] = {
    binary_row<kAdd>,        binary_row<kSub>,          binary_row<kMul>,   binary_row<kDiv>,
    binary_row<kMaximum>,    binary_row<kMinimum>,      scalar_row<kPow>,   divided_row<kFmod>,
    divided_row<kRemainder>, divided_row<kFloorDivide>, binary_row<kAtan2>, binary_row<kHypot>,
    binary_row<kPrelu>};

}  // namespace
}  // namespace suiren::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace suiren::cpu {
namespace {

Reason accepts_numbers(const Call& c) { return c.in(0).dtype() == SR_BOOL ? "dtype" : nullptr; }

Reason accepts_sum(const Call& c) {
  return c.in(0).dtype() != c.in(1).dtype() ? "dtype" : accepts_numbers(c);
}
Reason accepts_narrow(const Call& c) {
  return c.in(0).dtype() == SR_F32 && is_narrow(c.in(1).dtype()) ? row_major_inputs(c) : "dtype";
}

template <int F>
constexpr int64_t kGrain = F == kPow                  ? kGrainSlow
                           : F >= kFmod&& F <= kHypot ? kGrainMath
                                                      : kGrainCheap;

// y = f(a, b) for rows of f32, bf16 or f16 with byte strides (sy, sa, sb).
void staged_row(DType dtype, auto row, int64_t n, char* y, int64_t sy, const char* a, int64_t sa,
                const char* b, int64_t sb) {
  if (dtype == kF32 && sy == 4 && (sa == 4 || sa == 0) && (sb == 4 || sb == 0) && (sa || sb))
    return row(reinterpret_cast<const float*>(a), sa == 0, reinterpret_cast<const float*>(b), sb == 0,
               reinterpret_cast<float*>(y), n);
  float fa[kStage], fb[kStage], fy[kStage];
  for (int64_t i = 0; i < n; i += kStage) {
    const int64_t part = std::min(kStage, n - i);
    const float* pa = staged(dtype, a + i * sa, sa, fa, part);
    const float* pb = staged(dtype, b + i * sb, sb, fb, part);
    row(pa, false, pb, false, fy, part);
    unstage(dtype, fy, y + i * sy, sy, part);
  }
}

template <int F, class T>
void plain_row(int64_t n, char* const* p, const int64_t* s) {
  for (int64_t i = 0; i < n; ++i)
    *reinterpret_cast<T*>(p[0] + i * s[0]) =
        scalar<F>(*reinterpret_cast<const T*>(p[1] + i * s[1]), *reinterpret_cast<const T*>(p[2] + i * s[2]));
}

void run_f32(const Walk& walk, DType dtype, int function, int64_t grain) {
  const auto row = SUIREN_PICK(binary_rows)[function];
  walk.run(grain, [&](int64_t n, char* const* p, const int64_t* s) {
    staged_row(dtype, row, n, p[0], s[0], p[1], s[1], p[2], s[2]);
  });
}

template <int F>
void run(const Operand& y, const Operand& a, const Operand& b) {
  const DType dtype = dtype_of_operand(a.dtype());
  const Walk walk({y, a, b}, {dtype.size(), dtype.size(), dtype.size()});
  if (computes_in_f32(dtype)) return run_f32(walk, dtype, F, kGrain<F>);
  visit_dtype(dtype, [&]<class T>() {
    if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool> && !std::is_same_v<T, float>)
      walk.run(kGrain<F>, &plain_row<F, T>);
  });
}

template <int F>
void launch(const Call& c, void*) {
  run<F>(c.out(0), c.in(0), c.in(1));
}
void accumulate(const Call& c, void*) { run<kAdd>(c.in(0), c.in(0), c.in(1)); }

void accumulate_narrow(const Call& c, void*) {
  const Operand x = c.in(1);
  add_narrow(dtype_of_operand(x.dtype()), x.data<char>(), c.in(0).data<float>(), x.numel());
}

template <int F>
constexpr Kernel binary(const char* op) {
  return {op, "elementwise", 10, accepts_numbers, nullptr, launch<F>};
}

constexpr Kernel kKernels[] = {
    binary<kAdd>("add"),
    binary<kSub>("sub"),
    binary<kMul>("mul"),
    binary<kDiv>("div"),
    binary<kMaximum>("maximum"),
    binary<kMinimum>("minimum"),
    binary<kPow>("pow"),
    binary<kFmod>("fmod"),
    binary<kRemainder>("remainder"),
    binary<kFloorDivide>("floor_divide"),
    binary<kAtan2>("atan2"),
    binary<kHypot>("hypot"),
    binary<kPrelu>("prelu"),
    {"accumulate", "elementwise", 10, accepts_sum, nullptr, accumulate},
    {"accumulate", "narrow", 5, accepts_narrow, nullptr, accumulate_narrow},
};

}  // namespace

KernelList kernels_binary() { return kKernels; }

}  // namespace suiren::cpu
#endif
