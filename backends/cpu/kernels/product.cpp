// The gradient of a product: dx[i] = g (product of all others) = g P / x[i] for f32.
//
// P is kept as a mantissa and an exponent, so that it is neither too large nor too small for its type however
// many factors there are. Factors of 0 are counted and left out: with one of them it alone has a gradient,
// with more none has. Where a factor is infinite or NaN, the others are multiplied out.

#include <cmath>
#include <cstring>
#include <vector>

#include "backends/cpu/loops.h"
#include "backends/cpu/simd/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/product.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// After foreach_target.h, so that it is compiled for each target.
#include "backends/cpu/simd/vector-inl.h"

#ifndef SUIREN_PRODUCT_ONCE
#define SUIREN_PRODUCT_ONCE
namespace suiren::cpu {
namespace {

// A product of at most kFactors numbers: `mantissa` of at most 2^kFactors (infinite or NaN when a factor is),
// `tally` = its exponent + kZero (factors that are 0).
constexpr int64_t kFactors = 512, kZero = int64_t{1} << 32;
struct Partial {
  double mantissa = 1;
  int64_t tally = 0;
};
// Of any number.
struct Product {
  double mantissa = 1;
  int64_t exponent = 0, zeros = 0;

  void join(const Partial& p) {
    const int64_t count = (p.tally + kZero / 2) / kZero;
    join(Product{p.mantissa, p.tally - count * kZero, count});
  }
  void join(const Product& p) {
    int shift = 0;
    mantissa = std::frexp(mantissa * p.mantissa, &shift);
    exponent += p.exponent + shift;
    zeros += p.zeros;
  }
  bool usual() const { return std::isfinite(mantissa); }
};
// dx = x == 0 ? alone : part / x.
struct Share {
  double part, alone;
  Share(const Product& p, double g) {
    // Beyond 2^600 f32 has neither the result nor the factors that would bring it back.
    const double all =
        std::ldexp(p.mantissa * g, static_cast<int>(std::clamp<int64_t>(p.exponent, -600, 600)));
    part = p.zeros == 0 ? all : 0 * g;
    alone = p.zeros == 1 ? all : 0 * g;
  }
};

}  // namespace
}  // namespace suiren::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace suiren::cpu::HWY_NAMESPACE {
namespace {

using F64 = hn::ScalableTag<double>;
using I64 = hn::ScalableTag<int64_t>;
using Near = hn::Rebind<float, F64>;
using W = hn::Vec<F64>;
using T = hn::Vec<I64>;

HWY_INLINE W wide(const float* x) { return hn::PromoteTo(F64(), hn::LoadU(Near(), x)); }

// mantissa *= x, tally likewise.
HWY_INLINE void take(W x, W& mantissa, T& tally) {
  const auto bits = hn::BitCast(I64(), x);
  const auto field = hn::And(hn::ShiftRight<52>(bits), hn::Set(I64(), 0x7ff));
  const auto sign_and_digits = hn::And(bits, hn::Set(I64(), static_cast<int64_t>(0x800fffffffffffff)));
  const W digits = hn::BitCast(F64(), hn::Or(sign_and_digits, hn::Set(I64(), int64_t{1023} << 52)));
  const auto zero = hn::Eq(field, hn::Zero(I64())), odd = hn::Eq(field, hn::Set(I64(), 0x7ff));
  const W factor = hn::IfThenElse(hn::RebindMask(F64(), odd), x, digits);
  mantissa = hn::Mul(mantissa, hn::IfThenElse(hn::RebindMask(F64(), zero), hn::Set(F64(), 1), factor));
  tally = hn::Add(tally, hn::IfThenElse(zero, hn::Set(I64(), kZero), hn::Sub(field, hn::Set(I64(), 1023))));
}

// The product of n <= kFoldBlock numbers.
Product product_block(const float* x, int64_t n) {
  constexpr int kVectors = 4;
  const auto w = static_cast<int64_t>(hn::Lanes(F64()));
  W mantissa[kVectors];
  T tally[kVectors];
  SUIREN_UNROLL for (int v = 0; v < kVectors; ++v) mantissa[v] = hn::Set(F64(), 1),
                                                   tally[v] = hn::Zero(I64());
  int64_t i = 0;
  for (; i + kVectors * w <= n; i += kVectors * w)
    SUIREN_UNROLL for (int v = 0; v < kVectors; ++v) take(wide(x + i + v * w), mantissa[v], tally[v]);
  for (; i < n; i += w) {
    HWY_ALIGN float rest[hn::MaxLanes(F64())];
    for (int64_t j = 0; j < w; ++j) rest[j] = i + j < n ? x[i + j] : 1.0f;
    take(wide(rest), mantissa[0], tally[0]);
  }
  // Mantissas first lose their exponents, so that the product of a lane's four is one of small numbers.
  T sum = hn::Zero(I64());
  W product = hn::Set(F64(), 1);
  SUIREN_UNROLL for (int v = 0; v < kVectors; ++v) {
    sum = hn::Add(sum, tally[v]);
    take(mantissa[v], product, sum);
  }
  HWY_ALIGN double lanes[hn::MaxLanes(F64())];
  HWY_ALIGN int64_t tallies[hn::MaxLanes(F64())];
  hn::Store(product, F64(), lanes);
  hn::Store(sum, I64(), tallies);
  Partial all;
  for (int64_t j = 0; j < w; ++j) all.mantissa *= lanes[j], all.tally += tallies[j];
  Product p;
  p.join(all);
  return p;
}

// product[j] *= x[0][j] x[1][j] ..., at most kFactors rows, `step` elements apart.
void product_rows(const float* x, int64_t step, int64_t rows, double* mantissas, int64_t* tallies,
                  int64_t n) {
  const auto w = static_cast<int64_t>(hn::Lanes(F64()));
  constexpr int64_t kRows = 8;
  for (int64_t first = 0; first < rows; first += kRows) {
    const int64_t last = std::min(rows, first + kRows);
    for (int64_t j = 0; j < n; j += w) {  // both arrays have room for whole vectors
      W mantissa = hn::LoadU(F64(), mantissas + j);
      T tally = hn::LoadU(I64(), tallies + j);
      for (int64_t r = first; r < last; ++r) {
        const float* from = x + r * step + j;
        HWY_ALIGN float rest[hn::MaxLanes(F64())] = {};
        if (j + w > n) std::memcpy(rest, from, static_cast<size_t>(n - j) * sizeof(float)), from = rest;
        take(wide(from), mantissa, tally);
      }
      hn::StoreU(mantissa, F64(), mantissas + j);
      hn::StoreU(tally, I64(), tallies + j);
    }
  }
}

HWY_INLINE void share_vector(const float* x, W part, W alone, float* dx) {
  const W v = wide(x);
  const W share = hn::IfThenElse(hn::Eq(v, hn::Zero(F64())), alone, hn::Div(part, v));
  hn::StoreU(hn::DemoteTo(Near(), share), Near(), dx);
}
// dx[j] for x[j]; part and alone of each j, or of all when `same`.
void share_row(const float* x, const double* part, const double* alone, bool same, float* dx, int64_t n) {
  const auto w = static_cast<int64_t>(hn::Lanes(F64()));
  const W one_part = hn::Set(F64(), *part), one_alone = hn::Set(F64(), *alone);
  int64_t j = 0;
  for (; j + w <= n; j += w)
    share_vector(x + j, same ? one_part : hn::LoadU(F64(), part + j),
                 same ? one_alone : hn::LoadU(F64(), alone + j), dx + j);
  for (; j < n; ++j) {
    const auto v = static_cast<double>(x[j]);
    dx[j] = static_cast<float>(v == 0 ? alone[same ? 0 : j] : part[same ? 0 : j] / v);
  }
}

}  // namespace
}  // namespace suiren::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace suiren::cpu {
namespace {

// Numbers `step` apart, some of them infinite or NaN: what stands before each times what stands behind.
void multiply_out(const float* x, int64_t step, int64_t n, double g, float* dx) {
  std::vector<double> before(static_cast<size_t>(n));
  double product = 1;
  for (int64_t i = 0; i < n; ++i) {
    before[static_cast<size_t>(i)] = product;
    product *= static_cast<double>(x[i * step]);
  }
  product = 1;
  for (int64_t i = n - 1; i >= 0; --i) {
    dx[i * step] = static_cast<float>(before[static_cast<size_t>(i)] * product * g);
    product *= static_cast<double>(x[i * step]);
  }
}

// Results of neighbouring elements: rows of n, the blocks of all of them shared by the threads.
void over_lines(const float* x, const Reduction& r, const float* g, float* dx) {
  const auto block = SUIREN_PICK(product_block);
  const auto share = SUIREN_PICK(share_row);
  const int64_t n = r.reduced.count, rows = r.kept.count, blocks = (n + kFoldBlock - 1) / kFoldBlock;
  std::vector<Product> parts(static_cast<size_t>(rows * blocks));
  const auto for_blocks = [&](auto body) {
    parallel_for(rows * blocks, std::max<int64_t>(1, kGrainMath / std::min(n, kFoldBlock)),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t i = begin; i < end; ++i) {
                     const int64_t at = i % blocks * kFoldBlock;
                     body(i, i / blocks, r.kept.offset(i / blocks) + at, std::min(kFoldBlock, n - at));
                   }
                 });
  };
  for_blocks([&](int64_t i, int64_t, int64_t at, int64_t count) {
    parts[static_cast<size_t>(i)] = block(x + at, count);
  });
  for (int64_t o = 0; o < rows; ++o) {
    Product& all = parts[static_cast<size_t>(o * blocks)];
    for (int64_t b = 1; b < blocks; ++b) all.join(parts[static_cast<size_t>(o * blocks + b)]);
    if (all.usual()) continue;
    const int64_t at = r.kept.offset(o);
    multiply_out(x + at, 1, n, static_cast<double>(g[o]), dx + at);
  }
  for_blocks([&](int64_t, int64_t o, int64_t at, int64_t count) {
    const Product& all = parts[static_cast<size_t>(o * blocks)];
    const Share s(all, static_cast<double>(g[o]));
    if (all.usual()) share(x + at, &s.part, &s.alone, true, dx + at, count);
  });
}

// Results side by side: `rows` rows, `step` elements apart, of at most kColumnRun numbers.
void over_columns(const float* x, int64_t step, int64_t rows, const float* g, float* dx, int64_t n) {
  double part[kColumnRun], alone[kColumnRun], mantissas[kColumnRun];
  int64_t tallies[kColumnRun];
  Product all[kColumnRun];
  for (int64_t first = 0; first < rows; first += kFactors) {
    std::fill_n(mantissas, kColumnRun, 1.0);
    std::fill_n(tallies, kColumnRun, 0);
    SUIREN_PICK(product_rows)
    (x + first * step, step, std::min(kFactors, rows - first), mantissas, tallies, n);
    for (int64_t j = 0; j < n; ++j) all[j].join(Partial{mantissas[j], tallies[j]});
  }
  for (int64_t j = 0; j < n; ++j) {
    const Share s(all[j], static_cast<double>(g[j]));
    part[j] = s.part, alone[j] = s.alone;
  }
  for (int64_t i = 0; i < rows; ++i)
    SUIREN_PICK(share_row)(x + i * step, part, alone, false, dx + i * step, n);
  for (int64_t j = 0; j < n; ++j)
    if (!all[j].usual()) multiply_out(x + j, step, rows, static_cast<double>(g[j]), dx + j);
}

bool columns(const Reduction& r) { return side_by_side(r) && r.reduced.merged().rank == 1; }

Reason accepts(const Call& c) {
  if (c.in(0).dtype() != SR_F32) return "dtype";
  const Reduction r(c);
  if (c.in(0).numel() == 0) return "empty";
  const Loops reduced = r.reduced.merged();
  const bool rows = reduced.rank == 1 && (reduced.strides[0] == 1 || reduced.count == 1);
  return rows || columns(r) ? row_major_inputs(c) : "neither rows nor columns";
}

// Inputs x, g (x's shape with extents of 1); attribute: axes.
void prod_backward(const Call& c, void*) {
  const Reduction r(c);
  const float *x = c.in(0).data<float>(), *g = c.in(1).data<float>();
  float* dx = c.out(0).data<float>();
  if (!columns(r)) return over_lines(x, r, g, dx);
  const Loops reduced = r.reduced.merged();
  for_column_runs(r.kept.merged(), reduced.count, [&](int64_t at, int64_t o, int64_t n) {
    over_columns(x + at, reduced.strides[0], reduced.count, g + o, dx + at, n);
  });
}

constexpr Kernel kKernels[] = {{"prod_backward", "shares", 10, accepts, nullptr, prod_backward}};

}  // namespace

KernelList kernels_product() { return kKernels; }

}  // namespace suiren::cpu
#endif
