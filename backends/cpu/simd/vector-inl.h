// Vector building blocks in f32 for one target: partial loads, elementary functions, sums. No include guard
// in the usual sense: it is compiled once for each target of hwy/foreach_target.h.
//
// A tail goes through the same instructions as the full vectors, so that an element's bits do not depend on
// where it lies. Polynomials of exp, log and tanh: the single-precision set of S. Moshier's Cephes library.

#if defined(SUIREN_VECTOR_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SUIREN_VECTOR_INL_H_
#undef SUIREN_VECTOR_INL_H_
#else
#define SUIREN_VECTOR_INL_H_
#endif

#include <cstring>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace suiren::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// For the lambdas that a loop calls: they are small, and called twice (whole vectors, tail).
#ifndef SUIREN_STEP
#define SUIREN_STEP HWY_ATTR __attribute__((always_inline))
#endif

using F32 = hn::ScalableTag<float>;
using I32 = hn::ScalableTag<int32_t>;
using V = hn::Vec<F32>;
using M = hn::Mask<F32>;

// Lanes of a vector of f32.
HWY_INLINE int64_t width() { return static_cast<int64_t>(hn::Lanes(F32())); }
HWY_INLINE V set(float x) { return hn::Set(F32(), x); }
HWY_INLINE V load(const float* p) { return hn::LoadU(F32(), p); }
HWY_INLINE void store(V v, float* p) { hn::StoreU(v, F32(), p); }

// The first n < width() lanes; the others are 0. Never touches memory beyond them.
HWY_INLINE V load_part(const float* p, int64_t n) {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  return hn::MaskedLoad(hn::FirstN(F32(), static_cast<size_t>(n)), F32(), p);
#else
  HWY_ALIGN float lanes[hn::MaxLanes(F32())] = {};
  std::memcpy(lanes, p, static_cast<size_t>(n) * sizeof(float));
  return hn::Load(F32(), lanes);
#endif
}
HWY_INLINE void store_part(V v, float* p, int64_t n) {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  hn::BlendedStore(v, hn::FirstN(F32(), static_cast<size_t>(n)), F32(), p);
#else
  HWY_ALIGN float lanes[hn::MaxLanes(F32())];
  hn::Store(v, F32(), lanes);
  std::memcpy(p, lanes, static_cast<size_t>(n) * sizeof(float));
#endif
}

// step(i, load, store): `load(p)` and `store(v, p)` move a whole vector at p + i, or the part that is left.
template <class Step>
HWY_INLINE void for_vectors(int64_t n, Step step) {
  const int64_t w = width();
  int64_t i = 0;
  for (; i + w <= n; i += w)
    step([i](const float* p) SUIREN_STEP { return load(p + i); },
         [i](V v, float* p) SUIREN_STEP { store(v, p + i); });
  if (i < n) {
    const int64_t rest = n - i;
    step([i, rest](const float* p) SUIREN_STEP { return load_part(p + i, rest); },
         [i, rest](V v, float* p) SUIREN_STEP { store_part(v, p + i, rest); });
  }
}

inline void add_row(const float* x, float* sum, int64_t n) {  // called from code of no target too
  for_vectors(n, [=](auto in, auto out) SUIREN_STEP { out(hn::Add(in(sum), in(x)), sum); });
}

// IEEE comparisons with NaN are false, and x86's max and min return their second operand then: these pass a
// NaN of either side on.
HWY_INLINE V max_nan(V a, V b) { return hn::IfThenElse(hn::IsNaN(a), a, hn::Max(a, b)); }
HWY_INLINE V min_nan(V a, V b) { return hn::IfThenElse(hn::IsNaN(a), a, hn::Min(a, b)); }

// 2^n for integral n in [-252, 254], applied to x in two factors so that results may be subnormal or
// infinite.
HWY_INLINE V scale_by_power(V x, hn::Vec<I32> n) {
  const auto half = hn::ShiftRight<1>(n), rest = hn::Sub(n, half), bias = hn::Set(I32(), 127);
  const V a = hn::BitCast(F32(), hn::ShiftLeft<23>(hn::Add(half, bias)));
  const V b = hn::BitCast(F32(), hn::ShiftLeft<23>(hn::Add(rest, bias)));
  return hn::Mul(hn::Mul(x, a), b);
}

// e^r on [-ln2/2, ln2/2].
HWY_INLINE V exp_polynomial(V r) {
  V p = set(1.9875691500e-4f);
  p = hn::MulAdd(p, r, set(1.3981999507e-3f));
  p = hn::MulAdd(p, r, set(8.3334519073e-3f));
  p = hn::MulAdd(p, r, set(4.1665795894e-2f));
  p = hn::MulAdd(p, r, set(1.6666665459e-1f));
  p = hn::MulAdd(p, r, set(5.0000001201e-1f));
  return hn::Add(hn::MulAdd(p, hn::Mul(r, r), r), set(1.0f));
}

// e^x: exact at infinities, gradual underflow, NaN stays NaN.
HWY_INLINE V exp(V x) {
  const V bounded = hn::Max(set(-104.0f), hn::Min(set(89.0f), x));  // second operand: NaN passes
  const auto whole = hn::NearestInt(hn::Mul(bounded, set(1.44269504088896341f)));
  const V n = hn::ConvertTo(F32(), whole);
  const V r = hn::NegMulAdd(n, set(-2.12194440e-4f), hn::NegMulAdd(n, set(0.693359375f), bounded));
  return scale_by_power(exp_polynomial(r), whole);
}

// e^x for x <= 0 where tiny results may become 0: softmax weights. One multiplication less.
HWY_INLINE V exp_nonpositive(V x) {
  const V bounded = hn::Max(set(-87.0f), x);
  const auto whole = hn::NearestInt(hn::Mul(bounded, set(1.44269504088896341f)));
  const V n = hn::ConvertTo(F32(), whole);
  const V r = hn::NegMulAdd(n, set(-2.12194440e-4f), hn::NegMulAdd(n, set(0.693359375f), bounded));
  const auto power = hn::ShiftLeft<23>(hn::Add(whole, hn::Set(I32(), 127)));
  const V y = hn::Mul(exp_polynomial(r), hn::BitCast(F32(), power));
  return hn::IfThenZeroElse(hn::Lt(x, set(-87.0f)), y);
}

// x = 2^n m with m in [sqrt(1/2), sqrt 2), less 1.
HWY_INLINE V split_power(V x, V& n) {
  const V tiny = set(1.17549435e-38f);
  const M subnormal = hn::Lt(x, tiny);
  const V scaled = hn::IfThenElse(subnormal, hn::Mul(x, set(33554432.0f)), x);  // 2^25
  const auto bits = hn::BitCast(I32(), scaled);
  auto e = hn::Sub(hn::ShiftRight<23>(bits), hn::Set(I32(), 126));
  e = hn::Sub(e, hn::And(hn::BitCast(I32(), hn::VecFromMask(F32(), subnormal)), hn::Set(I32(), 25)));
  V m = hn::BitCast(F32(), hn::Or(hn::And(bits, hn::Set(I32(), 0x007fffff)), hn::Set(I32(), 0x3f000000)));
  n = hn::ConvertTo(F32(), e);
  const M low = hn::Lt(m, set(0.707106781186547524f));  // m in [0.5, 1)
  n = hn::Sub(n, hn::IfThenElseZero(low, set(1.0f)));
  return hn::Sub(hn::Add(m, hn::IfThenElseZero(low, m)), set(1.0f));
}
// ln(1 + m) - m + m^2 / 2 for the m of split_power, z = m^2.
HWY_INLINE V log_polynomial(V m, V z) {
  V p = set(7.0376836292e-2f);
  p = hn::MulAdd(p, m, set(-1.1514610310e-1f));
  p = hn::MulAdd(p, m, set(1.1676998740e-1f));
  p = hn::MulAdd(p, m, set(-1.2420140846e-1f));
  p = hn::MulAdd(p, m, set(1.4249322787e-1f));
  p = hn::MulAdd(p, m, set(-1.6668057665e-1f));
  p = hn::MulAdd(p, m, set(2.0000714765e-1f));
  p = hn::MulAdd(p, m, set(-2.4999993993e-1f));
  p = hn::MulAdd(p, m, set(3.3333331174e-1f));
  return hn::Mul(hn::Mul(p, m), z);
}
// A logarithm y of x, with what it is at 0 and infinity, below 0 and of NaN.
HWY_INLINE V log_at_limits(V x, V y) {
  const V infinity = hn::Inf(F32());
  y = hn::IfThenElse(hn::Eq(x, infinity), infinity, y);
  y = hn::IfThenElse(hn::Eq(x, hn::Zero(F32())), hn::Neg(infinity), y);
  return hn::IfThenElse(hn::Or(hn::Lt(x, hn::Zero(F32())), hn::IsNaN(x)), hn::NaN(F32()), y);
}
HWY_INLINE V log(V x) {
  V n;
  const V m = split_power(x, n), z = hn::Mul(m, m);
  V y = log_polynomial(m, z);
  y = hn::MulAdd(n, set(-2.12194440e-4f), y);
  y = hn::NegMulAdd(set(0.5f), z, y);
  y = hn::MulAdd(n, set(0.693359375f), hn::Add(m, y));
  return log_at_limits(x, y);
}

// 1 / (1 + e^-x), from e^-|x| so that nothing overflows: tiny results are as good as their format.
HWY_INLINE V sigmoid(V x) {
  const V one = set(1.0f), e = exp(hn::Neg(hn::Abs(x)));
  return hn::Div(hn::IfThenElse(hn::Lt(x, hn::Zero(F32())), e, one), hn::Add(one, e));
}

HWY_INLINE V tanh(V x) {
  const V a = hn::Abs(x), z = hn::Mul(x, x);
  V p = set(-5.70498872745e-3f);
  p = hn::MulAdd(p, z, set(2.06390887954e-2f));
  p = hn::MulAdd(p, z, set(-5.37397155531e-2f));
  p = hn::MulAdd(p, z, set(1.33314422036e-1f));
  p = hn::MulAdd(p, z, set(-3.33332819422e-1f));
  const V small = hn::MulAdd(hn::Mul(p, z), x, x);
  const V e = exp(hn::Add(a, a));
  const V large = hn::CopySignToAbs(hn::Sub(set(1.0f), hn::Div(set(2.0f), hn::Add(e, set(1.0f)))), x);
  return hn::IfThenElse(hn::Lt(a, set(0.625f)), small, hn::IfThenElse(hn::IsNaN(x), x, large));
}

HWY_INLINE float lanes_sum(V v) { return hn::GetLane(hn::SumOfLanes(F32(), v)); }

// sum of term(i-th vector of the row) over n elements: four chains, then the tail, then the lanes. `term`
// gets a loader and must give 0 where the loader gives 0.
template <class Term>
HWY_INLINE float row_sum(int64_t n, Term term) {
  const int64_t w = width();
  V s0 = hn::Zero(F32()), s1 = s0, s2 = s0, s3 = s0;
  int64_t i = 0;
  const auto at = [](int64_t k)
                      SUIREN_STEP { return [k](const float* p) SUIREN_STEP { return load(p + k); }; };
  for (; i + 4 * w <= n; i += 4 * w) {
    s0 = hn::Add(s0, term(at(i)));
    s1 = hn::Add(s1, term(at(i + w)));
    s2 = hn::Add(s2, term(at(i + 2 * w)));
    s3 = hn::Add(s3, term(at(i + 3 * w)));
  }
  for (; i + w <= n; i += w) s0 = hn::Add(s0, term(at(i)));
  if (i < n) {
    const int64_t rest = n - i;
    s1 = hn::Add(s1, term([i, rest](const float* p) SUIREN_STEP { return load_part(p + i, rest); }));
  }
  return lanes_sum(hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)));
}

// The largest (smallest) element of a row of n >= 1; NaN when there is one.
template <bool kLargest>
HWY_INLINE float row_extremum(const float* x, int64_t n) {
  const int64_t w = width();
  const V last = kLargest ? hn::Neg(hn::Inf(F32())) : hn::Inf(F32());
  const auto better = [](V a, V b) SUIREN_STEP { return kLargest ? hn::Max(a, b) : hn::Min(a, b); };
  V m0 = last, m1 = last;
  M bad = hn::IsNaN(last);
  int64_t i = 0;
  for (; i + 2 * w <= n; i += 2 * w) {
    const V a = load(x + i), b = load(x + i + w);
    bad = hn::Or(bad, hn::Or(hn::IsNaN(a), hn::IsNaN(b)));
    m0 = better(m0, a), m1 = better(m1, b);
  }
  for (; i < n; i += w) {
    const M part = hn::FirstN(F32(), static_cast<size_t>(std::min(w, n - i)));
    const V v = n - i < w ? hn::IfThenElse(part, load_part(x + i, n - i), last) : load(x + i);
    bad = hn::Or(bad, hn::IsNaN(v));
    m0 = better(m0, v);
  }
  if (!hn::AllFalse(F32(), bad)) return hn::GetLane(hn::NaN(F32()));
  const V m = better(m0, m1);
  return hn::GetLane(kLargest ? hn::MaxOfLanes(F32(), m) : hn::MinOfLanes(F32(), m));
}
HWY_INLINE float row_max(const float* x, int64_t n) { return row_extremum<true>(x, n); }

}  // namespace suiren::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
