// More elementary functions in f32 for one target, beside those of vector-inl.h: trigonometric and hyperbolic
// functions with their inverses, erf and its kin, logarithms near 1 and of other bases. Within a few units in
// the last place; NaN, infinities and domains as in <cmath>.
//
// Polynomials: sine, cosine, arcsine, arctangent and sinh from the single-precision set of S. Moshier's
// Cephes library; erf(x) / x and exp(x^2) erfc(x) are fits of our own (weighted least squares, Lawson's
// iteration).

#if defined(SUIREN_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SUIREN_MATH_INL_H_
#undef SUIREN_MATH_INL_H_
#else
#define SUIREN_MATH_INL_H_
#endif

#include <cmath>

#include "backends/cpu/simd/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace suiren::cpu::HWY_NAMESPACE {

HWY_INLINE V with_sign_of(V magnitude, V x) { return hn::CopySign(magnitude, x); }

// c[0] + c[1] x + ... + c[N-1] x^(N-1).
template <size_t N>
HWY_INLINE V polynomial(V x, const float (&c)[N]) {
  V p = set(c[N - 1]);
  for (size_t i = N - 1; i-- > 0;) p = hn::MulAdd(p, x, set(c[i]));
  return p;
}

// e^x 2^shift for a small shift: no overflow before the result itself overflows.
HWY_INLINE V exp_shifted(V x, int shift) {
  const V bounded = hn::Max(set(-104.0f), hn::Min(set(91.0f), x));  // second operand: NaN passes
  const auto whole = hn::NearestInt(hn::Mul(bounded, set(1.44269504088896341f)));
  const V n = hn::ConvertTo(F32(), whole);
  const V r = hn::NegMulAdd(n, set(-2.12194440e-4f), hn::NegMulAdd(n, set(0.693359375f), bounded));
  return scale_by_power(exp_polynomial(r), hn::Add(whole, hn::Set(I32(), shift)));
}

HWY_INLINE V exp2(V x) {
  const V bounded = hn::Max(set(-151.0f), hn::Min(set(129.0f), x));
  const auto whole = hn::NearestInt(bounded);
  const V r = hn::Sub(bounded, hn::ConvertTo(F32(), whole));
  return scale_by_power(exp_polynomial(hn::Mul(r, set(0.693147180559945309f))), whole);
}

// e^x - 1, without cancellation near 0.
HWY_INLINE V expm1(V x) {
  V p = set(1.9875691500e-4f);
  p = hn::MulAdd(p, x, set(1.3981999507e-3f));
  p = hn::MulAdd(p, x, set(8.3334519073e-3f));
  p = hn::MulAdd(p, x, set(4.1665795894e-2f));
  p = hn::MulAdd(p, x, set(1.6666665459e-1f));
  p = hn::MulAdd(p, x, set(5.0000001201e-1f));
  const V small = hn::MulAdd(p, hn::Mul(x, x), x);
  return hn::IfThenElse(hn::Lt(hn::Abs(x), set(0.34657359f)), small, hn::Sub(exp(x), set(1.0f)));
}

// ln(1 + x): the logarithm of the rounded sum, and what the rounding lost.
HWY_INLINE V log1p(V x) {
  const V one = set(1.0f), u = hn::Add(x, one), lost = hn::Sub(x, hn::Sub(u, one));
  const M plain = hn::Or(hn::Eq(u, hn::Inf(F32())), hn::Eq(u, hn::Zero(F32())));
  return hn::Add(log(u), hn::IfThenZeroElse(plain, hn::Div(lost, u)));
}

// n high + n low + ln(m) scale, where x = 2^n m: high is short, so that powers of the base come out whole.
HWY_INLINE V log_of_base(V x, float high, float low, float scale) {
  V n;
  const V m = split_power(x, n), z = hn::Mul(m, m);
  const V l = hn::Add(m, hn::NegMulAdd(set(0.5f), z, log_polynomial(m, z)));
  const V y = hn::MulAdd(n, set(high), hn::MulAdd(n, set(low), hn::Mul(l, set(scale))));
  return log_at_limits(x, y);
}
HWY_INLINE V log2(V x) { return log_of_base(x, 1.0f, 0.0f, 1.44269504088896341f); }
HWY_INLINE V log10(V x) {
  return log_of_base(x, 3.01025390625e-1f, 4.6050389811952137e-6f, 0.434294481903251828f);
}

// Sine and cosine of |x| <= 8192: x - n pi/2 in three exact steps. Returns n.
constexpr float kFarAngle = 8192.0f;
HWY_INLINE hn::Vec<I32> sine_and_cosine(V x, V& sine, V& cosine) {
  const auto whole = hn::NearestInt(hn::Mul(x, set(0.636619772367581343f)));
  const V n = hn::ConvertTo(F32(), whole);
  V r = hn::NegMulAdd(n, set(1.5703125f), x);
  r = hn::NegMulAdd(n, set(4.837512969970703125e-4f), r);
  r = hn::NegMulAdd(n, set(7.549789948768648e-8f), r);
  const V z = hn::Mul(r, r);
  const V s = polynomial(z, {-1.6666654611e-1f, 8.3321608736e-3f, -1.9515295891e-4f});
  const V c = polynomial(z, {4.166664568298827e-2f, -1.388731625493765e-3f, 2.443315711809948e-5f});
  sine = hn::MulAdd(hn::Mul(s, z), r, r);
  cosine = hn::MulAdd(hn::Mul(z, z), c, hn::NegMulAdd(set(0.5f), z, set(1.0f)));
  return whole;
}
// y, but f(x) in f64 for the lanes that are too far for the reduction above.
template <class F>
HWY_INLINE V mend_far_angles(V x, V y, F f) {
  const M far = hn::Gt(hn::Abs(x), set(kFarAngle));
  if (HWY_LIKELY(hn::AllFalse(F32(), far))) return y;
  HWY_ALIGN float from[hn::MaxLanes(F32())], to[hn::MaxLanes(F32())];
  hn::Store(x, F32(), from);
  hn::Store(y, F32(), to);
  for (int64_t i = 0; i < width(); ++i)
    if (std::fabs(from[i]) > kFarAngle) to[i] = static_cast<float>(f(static_cast<double>(from[i])));
  return hn::Load(F32(), to);
}
HWY_INLINE M odd(hn::Vec<I32> n) {
  const auto one = hn::Set(I32(), 1);
  return hn::RebindMask(F32(), hn::Eq(hn::And(n, one), one));
}
// The sign bit where bit 1 of n is set.
HWY_INLINE V half_turn(hn::Vec<I32> n) {
  return hn::BitCast(F32(), hn::ShiftLeft<30>(hn::And(n, hn::Set(I32(), 2))));
}
HWY_INLINE V sin(V x) {
  V s, c;
  const auto n = sine_and_cosine(x, s, c);
  const V y = hn::Xor(hn::IfThenElse(odd(n), c, s), half_turn(n));
  return mend_far_angles(x, y, [](double v) { return std::sin(v); });
}
HWY_INLINE V cos(V x) {
  V s, c;
  const auto n = sine_and_cosine(x, s, c);
  const V y = hn::Xor(hn::IfThenElse(odd(n), s, c), half_turn(hn::Add(n, hn::Set(I32(), 1))));
  return mend_far_angles(x, y, [](double v) { return std::cos(v); });
}
HWY_INLINE V tan(V x) {
  V s, c;
  const M swapped = odd(sine_and_cosine(x, s, c));
  const V y = hn::Div(hn::IfThenElse(swapped, hn::Neg(c), s), hn::IfThenElse(swapped, s, c));
  return mend_far_angles(x, y, [](double v) { return std::tan(v); });
}

constexpr float kPi = 3.14159265358979324f, kHalfPi = 1.57079632679489662f;
constexpr float kQuarterPi = 0.785398163397448310f, kLn2 = 0.693147180559945309f;

// asin(s) on [0, 1/2], given z = s^2.
HWY_INLINE V arcsine_polynomial(V s, V z) {
  const V p = polynomial(
      z, {1.6666752422e-1f, 7.4953002686e-2f, 4.5470025998e-2f, 2.4181311049e-2f, 4.2163199048e-2f});
  return hn::MulAdd(hn::Mul(s, z), p, s);
}
HWY_INLINE V asin(V x) {
  const V a = hn::Abs(x), half = set(0.5f);
  const M large = hn::Gt(a, half);
  const V z = hn::IfThenElse(large, hn::Mul(half, hn::Sub(set(1.0f), a)), hn::Mul(a, a));
  const V y = arcsine_polynomial(hn::IfThenElse(large, hn::Sqrt(z), a), z);
  return with_sign_of(hn::IfThenElse(large, hn::NegMulAdd(set(2.0f), y, set(kHalfPi)), y), x);
}
HWY_INLINE V acos(V x) {
  const V a = hn::Abs(x), half = set(0.5f);
  const M large = hn::Gt(a, half);
  const V z = hn::IfThenElse(large, hn::Mul(half, hn::Sub(set(1.0f), a)), hn::Mul(a, a));
  const V y = arcsine_polynomial(hn::IfThenElse(large, hn::Sqrt(z), x), z);
  const V twice = hn::Add(y, y);
  const V outer = hn::IfThenElse(hn::Lt(x, hn::Zero(F32())), hn::Sub(set(kPi), twice), twice);
  return hn::IfThenElse(large, outer, hn::Sub(set(kHalfPi), y));
}
HWY_INLINE V atan(V x) {
  const V a = hn::Abs(x), one = set(1.0f);
  const M far = hn::Gt(a, set(2.41421356237309505f)), middle = hn::Gt(a, set(0.414213562373095049f));
  const V up = hn::IfThenElse(far, set(-1.0f), hn::IfThenElse(middle, hn::Sub(a, one), a));
  const V down = hn::IfThenElse(far, a, hn::IfThenElse(middle, hn::Add(a, one), one));
  const V base = hn::IfThenElse(far, set(kHalfPi), hn::IfThenElseZero(middle, set(kQuarterPi)));
  const V r = hn::Div(up, down), z = hn::Mul(r, r);
  const V p = polynomial(z, {-3.33329491539e-1f, 1.99777106478e-1f, -1.38776856032e-1f, 8.05374449538e-2f});
  return with_sign_of(hn::Add(base, hn::MulAdd(hn::Mul(p, z), r, r)), x);
}
// The angle of the point (x, y), as std::atan2.
HWY_INLINE V atan2(V y, V x) {
  const V ay = hn::Abs(y), ax = hn::Abs(x);
  const M diagonal = hn::And(hn::Eq(ax, ay), hn::Eq(ax, hn::Inf(F32())));
  const M origin = hn::Eq(hn::Add(ax, ay), hn::Zero(F32()));
  const V slope = hn::IfThenElse(diagonal, set(1.0f), hn::IfThenZeroElse(origin, hn::Div(ay, ax)));
  const V t = atan(slope);
  const M left = hn::Lt(with_sign_of(set(1.0f), x), hn::Zero(F32()));
  return with_sign_of(hn::IfThenElse(left, hn::Sub(set(kPi), t), t), y);
}

// sqrt(x^2 + y^2), as std::hypot: the larger is taken out, so that no square overflows.
HWY_INLINE V hypot(V x, V y) {
  const V a = hn::Abs(x), b = hn::Abs(y), top = hn::Max(a, b), low = hn::Min(a, b), inf = hn::Inf(F32());
  const V ratio = hn::IfThenZeroElse(hn::Eq(low, hn::Zero(F32())), hn::Div(low, top));
  const V r = hn::Mul(top, hn::Sqrt(hn::MulAdd(ratio, ratio, set(1.0f))));
  const V sure = hn::IfThenElse(hn::IsNaN(hn::Add(a, b)), hn::NaN(F32()), r);
  return hn::IfThenElse(hn::Or(hn::Eq(a, inf), hn::Eq(b, inf)), inf, sure);
}

// cosh = h + 1 / (4 h), sinh = h - 1 / (4 h) with h = e^|x| / 2.
HWY_INLINE V cosh(V x) {
  const V h = exp_shifted(hn::Abs(x), -1);
  return hn::Add(h, hn::Div(set(0.25f), h));
}
HWY_INLINE V sinh(V x) {
  const V a = hn::Abs(x), z = hn::Mul(x, x), h = exp_shifted(a, -1);
  const V p = polynomial(z, {1.66667160211e-1f, 8.33028376239e-3f, 2.03721912945e-4f});
  const V large = with_sign_of(hn::Sub(h, hn::Div(set(0.25f), h)), x);
  return hn::IfThenElse(hn::Lt(a, set(1.0f)), hn::MulAdd(hn::Mul(p, z), x, x), large);
}
// ln(a + sqrt(a^2 + 1)); past 4096 the 1 is lost, and a^2 might overflow.
HWY_INLINE V asinh(V x) {
  const V a = hn::Abs(x), one = set(1.0f), z = hn::Mul(a, a);
  const V near = log1p(hn::Add(a, hn::Div(z, hn::Add(one, hn::Sqrt(hn::Add(z, one))))));
  const V far = hn::Add(log(a), set(kLn2));
  return with_sign_of(hn::IfThenElse(hn::Gt(a, set(4096.0f)), far, near), x);
}
HWY_INLINE V acosh(V x) {
  const V t = hn::Sub(x, set(1.0f));
  const V near = log1p(hn::Add(t, hn::Sqrt(hn::MulAdd(t, t, hn::Add(t, t)))));
  const V far = hn::Add(log(x), set(kLn2));
  return hn::IfThenElse(hn::Lt(t, hn::Zero(F32())), hn::NaN(F32()),
                        hn::IfThenElse(hn::Gt(x, set(8192.0f)), far, near));
}
HWY_INLINE V atanh(V x) {
  const V a = hn::Abs(x);
  const V y = log1p(hn::Div(hn::Add(a, a), hn::Sub(set(1.0f), a)));
  return with_sign_of(hn::Mul(set(0.5f), y), x);
}

// erfc(a) for a >= 0: exp(-a^2) t P(t) with t = 1 / (1 + 0.4 a). The square's rounding is put back.
HWY_INLINE V erfc_positive(V a) {
  const V b = hn::Min(a, set(11.0f));
  const V t = hn::Div(set(1.0f), hn::MulAdd(set(0.4f), b, set(1.0f)));
  const V p = polynomial(
      t, {2.2570308392e-1f, 2.2502696299e-1f, 2.1429218365e-1f, 1.3262220137e-1f, 2.6351168793e-1f,
          -2.6836134559e-1f, 5.2812115643e-1f, -4.8428319396e-1f, 1.9181830667e-1f, -2.8451034136e-2f});
  const V square = hn::Mul(b, b);
  const V head = hn::BitCast(F32(), hn::And(hn::BitCast(I32(), b), hn::Set(I32(), -4096)));
  const V tail = hn::Sub(b, head);  // b^2 = head^2 + tail (head + b), both exact enough
  const V low = hn::MulAdd(tail, hn::Add(head, b), hn::Sub(hn::Mul(head, head), square));
  const V e = exp(hn::Neg(square));
  const V y = hn::Mul(hn::Mul(t, p), hn::NegMulAdd(e, low, e));
  return hn::IfThenElse(hn::IsNaN(a), a, y);
}
HWY_INLINE V erfc(V x) {
  const V y = erfc_positive(hn::Abs(x));
  return hn::IfThenElse(hn::Lt(x, hn::Zero(F32())), hn::Sub(set(2.0f), y), y);
}
HWY_INLINE V erf(V x) {
  const V a = hn::Abs(x), z = hn::Mul(x, x);
  const V p = polynomial(z, {1.1283791659f, -3.7612627136e-1f, 1.1283600176e-1f, -2.6854444592e-2f,
                             5.1895353399e-3f, -8.0208412852e-4f, 7.8891195504e-5f});
  const V large = with_sign_of(hn::Sub(set(1.0f), erfc_positive(a)), x);
  return hn::IfThenElse(hn::Lt(a, set(1.0f)), hn::Mul(x, p), large);
}

}  // namespace suiren::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
