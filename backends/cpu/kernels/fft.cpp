// Real Fourier transforms along rows, all floating dtypes (bf16 and f16 through f32). Lengths of factors 2,
// 3, 4 and 5 go through Stockham's passes, others as a convolution (Bluestein 1970); an even length is a
// complex transform of half of it. Short rows go through a pass side by side, a vector's lanes being rows.

#include "backends/cpu/kernels/fft.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <mutex>
#include <numbers>
#include <vector>

#include "backends/cpu/convert.h"
#include "backends/cpu/kernel_list.h"
#include "backends/cpu/simd/targets.h"
#include "backends/cpu/stage.h"
#include "suiren/base/threads.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/fft.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// After foreach_target.h, so that it is compiled for each target.
#include "backends/cpu/simd/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace suiren::cpu::HWY_NAMESPACE {
namespace {

template <class D>
struct Complex {
  hn::Vec<D> r, i;
  // Said out loud: the constructors that a compiler makes up have no target attribute (GCC on aarch64).
  HWY_INLINE HWY_ATTR Complex() {}
  HWY_INLINE HWY_ATTR Complex(hn::Vec<D> real, hn::Vec<D> imaginary) : r(real), i(imaginary) {}
};
template <class D>
HWY_INLINE Complex<D> plus(Complex<D> a, Complex<D> b) {
  return {hn::Add(a.r, b.r), hn::Add(a.i, b.i)};
}
template <class D>
HWY_INLINE Complex<D> minus(Complex<D> a, Complex<D> b) {
  return {hn::Sub(a.r, b.r), hn::Sub(a.i, b.i)};
}
// a - i b and a + i b
template <class D>
HWY_INLINE Complex<D> minus_i(Complex<D> a, Complex<D> b) {
  return {hn::Add(a.r, b.i), hn::Sub(a.i, b.r)};
}
template <class D>
HWY_INLINE Complex<D> plus_i(Complex<D> a, Complex<D> b) {
  return {hn::Sub(a.r, b.i), hn::Add(a.i, b.r)};
}
// a + factor b
template <class D>
HWY_INLINE Complex<D> plus_times(Complex<D> a, double factor, Complex<D> b) {
  const auto f = hn::Set(D(), static_cast<hn::TFromD<D>>(factor));
  return {hn::MulAdd(f, b.r, a.r), hn::MulAdd(f, b.i, a.i)};
}
template <class D>
HWY_INLINE Complex<D> times(double factor, Complex<D> b) {
  const auto f = hn::Set(D(), static_cast<hn::TFromD<D>>(factor));
  return {hn::Mul(f, b.r), hn::Mul(f, b.i)};
}

// The transform of length kRadix, in place.
template <int kRadix, class D>
HWY_INLINE void butterfly(Complex<D>* x) {
  if constexpr (kRadix == 2) {
    const Complex<D> a = x[0], b = x[1];
    x[0] = plus(a, b), x[1] = minus(a, b);
  } else if constexpr (kRadix == 3) {
    const Complex<D> t = plus(x[1], x[2]), u = plus_times(x[0], -0.5, t);
    const Complex<D> v = times(0.86602540378443864676, minus(x[1], x[2]));
    x[0] = plus(x[0], t), x[1] = minus_i(u, v), x[2] = plus_i(u, v);
  } else if constexpr (kRadix == 4) {
    const Complex<D> a = plus(x[0], x[2]), b = minus(x[0], x[2]), c = plus(x[1], x[3]), d = minus(x[1], x[3]);
    x[0] = plus(a, c), x[1] = minus_i(b, d), x[2] = minus(a, c), x[3] = plus_i(b, d);
  } else {
    constexpr double kCos1 = 0.30901699437494742410, kCos2 = -0.80901699437494742410,
                     kSin1 = 0.95105651629515357212, kSin2 = 0.58778525229247312917;
    const Complex<D> a = plus(x[1], x[4]), b = plus(x[2], x[3]), c = minus(x[1], x[4]), d = minus(x[2], x[3]);
    const Complex<D> u = plus_times(plus_times(x[0], kCos1, a), kCos2, b);
    const Complex<D> v = plus_times(plus_times(x[0], kCos2, a), kCos1, b);
    const Complex<D> f = plus_times(times(kSin1, c), kSin2, d), g = plus_times(times(kSin2, c), -kSin1, d);
    x[0] = plus(plus(x[0], a), b);
    x[1] = minus_i(u, f), x[4] = plus_i(u, f), x[2] = minus_i(v, g), x[3] = plus_i(v, g);
  }
}

// Numbers q, q + lanes, ... of butterfly p while a whole vector is left; returns the first that is not done.
template <int kRadix, class D, class T>
HWY_INLINE int64_t run(D d, const FftPass<T>& f, int64_t p, int64_t q) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  Complex<D> w[kRadix];
  SUIREN_UNROLL for (int j = 1; j < kRadix; ++j) {
    const int64_t at = p * j * f.step;
    w[j] = {hn::Set(d, f.cos[at]), hn::Set(d, -f.sin[at])};
  }
  for (; q + lanes <= f.s; q += lanes) {
    Complex<D> x[kRadix];
    SUIREN_UNROLL for (int k = 0; k < kRadix; ++k) {
      const int64_t at = f.s * (p + f.m * k) + q;
      x[k] = {hn::LoadU(d, f.xr + at), hn::LoadU(d, f.xi + at)};
    }
    butterfly<kRadix>(x);
    SUIREN_UNROLL for (int j = 0; j < kRadix; ++j) {
      const int64_t at = f.s * (kRadix * p + j) + q;
      const Complex<D> y = x[j];
      if (j == 0 || p == 0) {
        hn::StoreU(y.r, d, f.yr + at), hn::StoreU(y.i, d, f.yi + at);
      } else {
        hn::StoreU(hn::NegMulAdd(y.i, w[j].i, hn::Mul(y.r, w[j].r)), d, f.yr + at);
        hn::StoreU(hn::MulAdd(y.i, w[j].r, hn::Mul(y.r, w[j].i)), d, f.yi + at);
      }
    }
  }
  return q;
}

template <int kRadix, class T>
HWY_INLINE void butterflies(const FftPass<T>& f, int64_t begin, int64_t end) {
  for (int64_t p = begin; p < end; ++p) {
    const int64_t q = run<kRadix>(hn::ScalableTag<T>(), f, p, 0);
    run<kRadix>(hn::CappedTag<T, 1>(), f, p, q);  // the same instructions on single numbers
  }
}

template <class T>
HWY_INLINE void pass(const FftPass<T>& f, int64_t begin, int64_t end) {
  if (f.radix == 2) return butterflies<2>(f, begin, end);
  if (f.radix == 3) return butterflies<3>(f, begin, end);
  if (f.radix == 4) return butterflies<4>(f, begin, end);
  butterflies<5>(f, begin, end);
}
void pass_f32(const FftPass<float>& f, int64_t begin, int64_t end) { pass(f, begin, end); }
void pass_f64(const FftPass<double>& f, int64_t begin, int64_t end) { pass(f, begin, end); }

// x_k = (z_k + conj z_{h-k}) / 2 - i w^k (z_k - conj z_{h-k}) / 2, signals w, w + lanes, ... while a whole
// vector is left; returns the first that is not done.
template <class D, class T>
HWY_INLINE int64_t spectrum(D d, const FftHalves<T>& f, int64_t k, int64_t w) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto half = hn::Set(d, T(0.5)), c = hn::Set(d, f.cos[k]), s = hn::Set(d, f.sin[k]);
  const int64_t a = (k == f.h ? 0 : k) * f.W, b = (k == 0 || k == f.h ? 0 : f.h - k) * f.W;
  for (; w + lanes <= f.W; w += lanes) {
    const Complex<D> p{hn::LoadU(d, f.zr + a + w), hn::LoadU(d, f.zi + a + w)};
    const Complex<D> q{hn::LoadU(d, f.zr + b + w), hn::Neg(hn::LoadU(d, f.zi + b + w))};
    const Complex<D> sum = plus(p, q), rest = minus(p, q);
    const auto re = hn::NegMulAdd(rest.r, s, hn::MulAdd(rest.i, c, sum.r));
    const auto im = hn::NegMulAdd(rest.i, s, hn::NegMulAdd(rest.r, c, sum.i));
    hn::StoreU(hn::Mul(half, re), d, f.xr + k * f.W + w);
    hn::StoreU(hn::Mul(half, im), d, f.xi + k * f.W + w);
  }
  return w;
}
// z_k = (x_k + conj x_{h-k}) + i w^-k (x_k - conj x_{h-k}), parts exchanged, likewise.
template <class D, class T>
HWY_INLINE int64_t halves(D d, const FftHalves<T>& f, int64_t k, int64_t w) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto c = hn::Set(d, f.cos[k]), s = hn::Set(d, f.sin[k]);
  const int64_t a = k * f.W, b = (f.h - k) * f.W;
  for (; w + lanes <= f.W; w += lanes) {
    const Complex<D> p{hn::LoadU(d, f.xr + a + w), hn::LoadU(d, f.xi + a + w)};
    const Complex<D> q{hn::LoadU(d, f.xr + b + w), hn::Neg(hn::LoadU(d, f.xi + b + w))};
    const Complex<D> sum = plus(p, q), rest = minus(p, q);
    hn::StoreU(hn::NegMulAdd(rest.r, s, hn::NegMulAdd(rest.i, c, sum.r)), d, f.zi + a + w);
    hn::StoreU(hn::NegMulAdd(rest.i, s, hn::MulAdd(rest.r, c, sum.i)), d, f.zr + a + w);
  }
  return w;
}
template <bool kForward, class T>
HWY_INLINE void fold_halves(const FftHalves<T>& f) {
  const hn::ScalableTag<T> d;
  const hn::CappedTag<T, 1> one;
  for (int64_t k = 0; k < f.h + kForward; ++k)
    if constexpr (kForward)
      spectrum(one, f, k, spectrum(d, f, k, 0));
    else
      halves(one, f, k, halves(d, f, k, 0));
}
void spectrum_f32(const FftHalves<float>& f) { fold_halves<true>(f); }
void spectrum_f64(const FftHalves<double>& f) { fold_halves<true>(f); }
void halves_f32(const FftHalves<float>& f) { fold_halves<false>(f); }
void halves_f64(const FftHalves<double>& f) { fold_halves<false>(f); }

}  // namespace
}  // namespace suiren::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace suiren::cpu {
namespace {

void run_pass(const FftPass<float>& f, int64_t begin, int64_t end) { SUIREN_PICK(pass_f32)(f, begin, end); }
void run_pass(const FftPass<double>& f, int64_t begin, int64_t end) { SUIREN_PICK(pass_f64)(f, begin, end); }

void run_spectrum(const FftHalves<float>& f) { SUIREN_PICK(spectrum_f32)(f); }
void run_spectrum(const FftHalves<double>& f) { SUIREN_PICK(spectrum_f64)(f); }
void run_halves(const FftHalves<float>& f) { SUIREN_PICK(halves_f32)(f); }
void run_halves(const FftHalves<double>& f) { SUIREN_PICK(halves_f64)(f); }

// cos and sin of 2 pi j / n for j < count.
template <class T>
struct Circle {
  std::vector<T> cos, sin;
  Circle(int64_t n, int64_t count) : cos(static_cast<size_t>(count)), sin(cos.size()) {
    parallel_for(count, 4096, [&](int64_t begin, int64_t end) {
      for (int64_t j = begin; j < end; ++j) {
        const double angle = 2 * std::numbers::pi * static_cast<double>(j) / static_cast<double>(n);
        cos[static_cast<size_t>(j)] = static_cast<T>(std::cos(angle));
        sin[static_cast<size_t>(j)] = static_cast<T>(std::sin(angle));
      }
    });
  }
};

// W complex signals side by side: element k of signal w at [k W + w].
template <class T>
struct Signals {
  std::vector<T> r, i;
  explicit Signals(int64_t n = 0) { resize(n); }
  void resize(int64_t n) { r.resize(static_cast<size_t>(n)), i.resize(static_cast<size_t>(n)); }
  void swap(Signals& o) { r.swap(o.r), i.swap(o.i); }
};

enum Room { kData, kOther, kConvolution, kOtherConvolution, kSpectra, kRooms };
// What this thread keeps between calls: n elements of any value.
template <class T>
Signals<T>& kept(Room room, int64_t n) {
  static thread_local Signals<T> rooms[kRooms];
  rooms[room].resize(n);
  return rooms[room];
}

// Complex transforms of one length, forward.
template <class T>
class Plan {
 public:
  explicit Plan(int64_t n) : n_(n), circle_(n, n) {
    int64_t rest = n;
    for (int64_t f : {4, 2, 3, 5})
      for (; rest % f == 0; rest /= f) factors_.push_back(f);
    if (rest > 1) make_convolution();
  }
  int64_t length() const { return n_; }
  const Circle<T>& circle() const { return circle_; }

  // x [n, W] becomes its transform; `other` is room of the same size.
  void run(Signals<T>& x, Signals<T>& other, int64_t W) const {
    if (inner_) return convolve(x, W);
    int64_t m = n_, s = W;
    for (int64_t radix : factors_) {
      m /= radix;
      const FftPass<T> f{radix,
                         m,
                         s,
                         circle_.cos.data(),
                         circle_.sin.data(),
                         n_ / (radix * m),
                         x.r.data(),
                         x.i.data(),
                         other.r.data(),
                         other.i.data()};
      parallel_for(m, std::max<int64_t>(1, 16384 / (radix * s)),
                   [&](int64_t begin, int64_t end) { run_pass(f, begin, end); });
      x.swap(other);
      s *= radix;
    }
  }

 private:
  // y_k = c_k sum over t of (x_t c_t) conj(c_{k-t}) with c_t = exp(-pi i t^2 / n): a circular convolution of
  // a power of two's length.
  void make_convolution() {
    int64_t m = 1;
    while (m < 2 * n_ - 1) m *= 2;
    inner_ = std::make_unique<Plan>(m);
    const Circle<T> half(2 * n_, 2 * n_);
    chirp_ = std::make_unique<Signals<T>>(n_);
    kernel_ = std::make_unique<Signals<T>>(m);
    for (int64_t t = 0; t < n_; ++t) {
      const auto at = static_cast<size_t>(t), turn = static_cast<size_t>(t * t % (2 * n_));
      chirp_->r[at] = half.cos[turn], chirp_->i[at] = -half.sin[turn];
      for (int64_t j : {t, t == 0 ? 0 : m - t})
        kernel_->r[static_cast<size_t>(j)] = half.cos[turn],
        kernel_->i[static_cast<size_t>(j)] = half.sin[turn];
    }
    Signals<T> room(m);
    inner_->run(*kernel_, room, 1);
  }

  // Element k of every signal times c_k = (r, i).
  static void multiply(Signals<T>& x, int64_t count, int64_t W, const Signals<T>& c) {
    for (int64_t k = 0; k < count; ++k) {
      const T cr = c.r[static_cast<size_t>(k)], ci = c.i[static_cast<size_t>(k)];
      T *r = x.r.data() + k * W, *i = x.i.data() + k * W;
      for (int64_t w = 0; w < W; ++w) {
        const T real = r[w] * cr - i[w] * ci;
        i[w] = r[w] * ci + i[w] * cr;
        r[w] = real;
      }
    }
  }

  void convolve(Signals<T>& x, int64_t W) const {
    const int64_t m = inner_->n_;
    Signals<T>&a = kept<T>(kConvolution, m * W), &room = kept<T>(kOtherConvolution, m * W);
    multiply(x, n_, W, *chirp_);
    std::fill(std::copy_n(x.r.begin(), n_ * W, a.r.begin()), a.r.end(), T(0));
    std::fill(std::copy_n(x.i.begin(), n_ * W, a.i.begin()), a.i.end(), T(0));
    inner_->run(a, room, W);
    multiply(a, m, W, *kernel_);
    a.r.swap(a.i);  // the inverse is the forward transform with the parts exchanged
    inner_->run(a, room, W);
    for (size_t k = 0; k < static_cast<size_t>(n_ * W); ++k)
      x.r[k] = a.i[k] / static_cast<T>(m), x.i[k] = a.r[k] / static_cast<T>(m);
    multiply(x, n_, W, *chirp_);
  }

  int64_t n_;
  std::vector<int64_t> factors_;
  Circle<T> circle_;
  std::unique_ptr<Plan> inner_;
  std::unique_ptr<Signals<T>> chirp_, kernel_;
};

// The plans that were asked for last.
template <class T>
std::shared_ptr<const Plan<T>> plan_for(int64_t n) {
  constexpr size_t kKept = 8;
  static std::mutex mutex;
  static std::vector<std::shared_ptr<const Plan<T>>> kept;
  const std::lock_guard lock(mutex);
  for (size_t i = 0; i < kept.size(); ++i)
    if (kept[i]->length() == n) {
      std::rotate(kept.begin(), kept.begin() + static_cast<int64_t>(i),
                  kept.begin() + static_cast<int64_t>(i) + 1);
      return kept.front();
    }
  kept.insert(kept.begin(), std::make_shared<const Plan<T>>(n));
  if (kept.size() > kKept) kept.pop_back();
  return kept.front();
}

// A real transform of n numbers: a complex one of n / 2 with even and odd elements as its parts, or of n.
template <class T>
class RealPlan {
 public:
  explicit RealPlan(int64_t n)
      : n_(n),
        even_(n % 2 == 0),
        plan_(plan_for<T>(even_ ? n / 2 : n)),
        whole_(even_ ? plan_for<T>(n) : plan_) {}
  int64_t rows_at_once() const { return std::clamp<int64_t>(16384 / n_, 1, 16); }

  // W rows: x(w, t) -> y(w, k, re, im), scaled.
  template <class X, class Y>
  void forward(int64_t W, T scale, X x, Y y) const {
    const int64_t h = plan_->length(), M = n_ / 2 + 1;
    Signals<T>&z = kept<T>(kData, h * W), &room = kept<T>(kOther, h * W);
    tiled(h, W, [&, zr = z.r.data(), zi = z.i.data(), even = even_](int64_t k, int64_t w) {
      zr[k * W + w] = x(w, even ? 2 * k : k);
      zi[k * W + w] = even ? x(w, 2 * k + 1) : T(0);
    });
    plan_->run(z, room, W);
    Signals<T>& spectra = even_ ? kept<T>(kSpectra, M * W) : z;
    if (even_) run_spectrum(halves(W, spectra, z));
    tiled(M, W, [&, xr = spectra.r.data(), xi = spectra.i.data(), n = n_](int64_t k, int64_t w) {
      y(w, k, scale * xr[k * W + w], k == 0 || 2 * k == n ? T(0) : scale * xi[k * W + w]);
    });
  }

  // W rows: x(w, k, part) -> y(w, t), scaled.
  template <class X, class Y>
  void inverse(int64_t W, T scale, X x, Y y) const {
    const int64_t h = plan_->length(), M = n_ / 2 + 1;
    // Parts exchanged: the inverse is a forward transform then.
    Signals<T>&z = kept<T>(kData, h * W), &room = kept<T>(kOther, h * W), &spectra = kept<T>(kSpectra, M * W);
    T *xr = spectra.r.data(), *xi = spectra.i.data();
    tiled(M, W, [&, n = n_](int64_t k, int64_t w) {
      xr[k * W + w] = x(w, k, 0);
      xi[k * W + w] = k == 0 || 2 * k == n ? T(0) : x(w, k, 1);
    });
    if (even_)
      run_halves(halves(W, spectra, z));
    else
      for (int64_t k = 0; k < h; ++k)
        for (int64_t w = 0; w < W; ++w) {
          const int64_t from = (k < M ? k : n_ - k) * W + w;
          const auto to = static_cast<size_t>(k * W + w);
          z.i[to] = xr[from], z.r[to] = k < M ? xi[from] : -xi[from];
        }
    plan_->run(z, room, W);
    tiled(h, W, [&, zr = z.r.data(), zi = z.i.data(), even = even_](int64_t k, int64_t w) {
      y(w, even ? 2 * k : k, scale * zi[k * W + w]);
      if (even) y(w, 2 * k + 1, scale * zr[k * W + w]);
    });
  }

 private:
  // body(k, w) for k < n, w < W, a few k at a time: rows and signals run across each other, and a tile of
  // both stays in the first-level cache.
  template <class Body>
  static void tiled(int64_t n, int64_t W, Body body) {
    constexpr int64_t kTile = 16;
    for (int64_t first = 0; first < n; first += kTile)
      for (int64_t w = 0; w < W; ++w)
        for (int64_t k = first; k < std::min(n, first + kTile); ++k) body(k, w);
  }
  FftHalves<T> halves(int64_t W, Signals<T>& x, Signals<T>& z) const {
    const Circle<T>& c = whole_->circle();
    return {plan_->length(), W, c.cos.data(), c.sin.data(), x.r.data(), x.i.data(), z.r.data(), z.i.data()};
  }
  int64_t n_;
  bool even_;
  std::shared_ptr<const Plan<T>> plan_, whole_;
};

double scale_of(int64_t n, int64_t norm, bool inverse) {
  if (norm == 1) return 1 / std::sqrt(static_cast<double>(n));
  return (norm == 2) != inverse ? 1 / static_cast<double>(n) : 1;
}

// body(first row, rows) for groups of rows.
void for_groups(int64_t rows, int64_t at_once, FunctionRef<void(int64_t, int64_t)> body) {
  const int64_t groups = (rows + at_once - 1) / at_once;
  const auto run = [&](int64_t g) { body(g * at_once, std::min(at_once, rows - g * at_once)); };
  if (groups == 1) return run(0);
  parallel_for(groups, 1, [&](int64_t begin, int64_t end) {
    for (int64_t g = begin; g < end; ++g) run(g);
  });
}

template <class F>
void by_dtype(const Call& c, F f) {
  visit_dtype(dtype_of_operand(c.in(0).dtype()), [&]<class T>() {
    if constexpr (std::is_same_v<T, double>)
      f(T(), double());
    else if constexpr (std::is_same_v<T, float> || is_half<T>)
      f(T(), float());
  });
}

// Attribute: norm.
void rfft(const Call& c, void*) {
  const int64_t n = c.in(0).dim(-1), M = n / 2 + 1, rows = c.in(0).numel() / n;
  if (rows == 0) return;
  by_dtype(c, [&]<class T, class A>(T, A) {
    const RealPlan<A> plan(n);
    const auto scale = static_cast<A>(scale_of(n, c.attr_i64(0), false));
    for_groups(rows, plan.rows_at_once(), [&](int64_t first, int64_t count) {
      const T* x = c.in(0).data<T>() + first * n;
      T* y = c.out(0).data<T>() + first * M * 2;
      plan.forward(
          count, scale, [&](int64_t w, int64_t t) { return static_cast<A>(x[w * n + t]); },
          [&](int64_t w, int64_t k, A re, A im) {
            y[(w * M + k) * 2] = convert<T>(re);
            y[(w * M + k) * 2 + 1] = convert<T>(im);
          });
    });
  });
}

// Attributes: n, norm.
void irfft(const Call& c, void*) {
  const int64_t n = c.attr_i64(0), M = n / 2 + 1, rows = c.out(0).numel() / n;
  if (rows == 0) return;
  by_dtype(c, [&]<class T, class A>(T, A) {
    const RealPlan<A> plan(n);
    const auto scale = static_cast<A>(scale_of(n, c.attr_i64(1), true));
    for_groups(rows, plan.rows_at_once(), [&](int64_t first, int64_t count) {
      const T* x = c.in(0).data<T>() + first * M * 2;
      T* y = c.out(0).data<T>() + first * n;
      plan.inverse(
          count, scale,
          [&](int64_t w, int64_t k, int part) { return static_cast<A>(x[(w * M + k) * 2 + part]); },
          [&](int64_t w, int64_t t, A value) { y[w * n + t] = convert<T>(value); });
    });
  });
}

constexpr Kernel kKernels[] = {
    {"rfft", "stockham", 10, row_major_inputs, nullptr, rfft},
    {"irfft", "stockham", 10, row_major_inputs, nullptr, irfft},
};

}  // namespace

KernelList kernels_fft() { return kKernels; }

}  // namespace suiren::cpu
#endif
