// Layer, group and batch norm in f32, forward and backward. Other dtypes run as the parts that the ops are
// composed of, and so do batch and group norm of planes too small for vectors.
//
// A plane (a row, for layer_norm) is summed by row_sum; sums of planes are added in f64, images ascending, so
// that threads change nothing.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "backends/cpu/kernel_list.h"
#include "backends/cpu/simd/targets.h"
#include "suiren/base/threads.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/norms.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// After foreach_target.h, so that it is compiled for each target.
#include "backends/cpu/simd/vector-inl.h"

#ifndef SUIREN_NORMS_BACKWARD
#define SUIREN_NORMS_BACKWARD
namespace suiren::cpu {
namespace {
// Mean and 1 / deviation of a row or channel, and the means of g w and g w n over it.
struct Backward {
  float m, r, mean_g, mean_gn;
};
}  // namespace
}  // namespace suiren::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace suiren::cpu::HWY_NAMESPACE {
namespace {

float sum_row(const float* x, int64_t n) {
  return row_sum(n, [=](auto in) SUIREN_STEP { return in(x); });
}

// Sum of (x - m)^2. Lanes past the end would count m^2: their terms are (m - m)^2.
float squares_row(const float* x, int64_t n, float m) {
  const V center = set(m);
  const int64_t whole = n / width() * width();
  float sum = row_sum(whole, [=](auto in) SUIREN_STEP {
    const V d = hn::Sub(in(x), center);
    return hn::Mul(d, d);
  });
  if (whole < n) {
    const V d = hn::IfThenElseZero(hn::FirstN(F32(), static_cast<size_t>(n - whole)),
                                   hn::Sub(load_part(x + whole, n - whole), center));
    sum += lanes_sum(hn::Mul(d, d));
  }
  return sum;
}

// y = (x - m) r w + b, with one w and b for the plane.
void scale_plane(const float* x, float* y, int64_t n, float m, float r, float w, float b) {
  const V vm = set(m), vr = set(r), vw = set(w), vb = set(b);
  for_vectors(
      n, [=](auto in, auto out) SUIREN_STEP { out(hn::MulAdd(hn::Mul(hn::Sub(in(x), vm), vr), vw, vb), y); });
}

// The same with w and b for each element.
void scale_row(const float* x, float* y, int64_t n, float m, float r, const float* w, const float* b) {
  const V vm = set(m), vr = set(r);
  for_vectors(n, [=](auto in, auto out)
                     SUIREN_STEP { out(hn::MulAdd(hn::Mul(hn::Sub(in(x), vm), vr), in(w), in(b)), y); });
}

// Sum of g w (x - m) r; g is 0 past the end.
float dot_plane(const float* g, const float* x, int64_t n, float m, float r, float w) {
  const V vm = set(m), vr = set(r), vw = set(w);
  return row_sum(
      n, [=](auto in) SUIREN_STEP { return hn::Mul(hn::Mul(in(g), vw), hn::Mul(hn::Sub(in(x), vm), vr)); });
}
float scaled_sum_plane(const float* g, int64_t n, float w) {
  const V vw = set(w);
  return row_sum(n, [=](auto in) SUIREN_STEP { return hn::Mul(in(g), vw); });
}

// dx = r (g w - mean_g - n mean_gn), n = (x - m) r.
void group_backward_plane(const float* g, const float* x, float* dx, int64_t n, const Backward& s, float w) {
  const V vm = set(s.m), vr = set(s.r), mg = set(s.mean_g), mgn = set(s.mean_gn), vw = set(w);
  for_vectors(n, [=](auto in, auto out) SUIREN_STEP {
    const V normal = hn::Mul(hn::Sub(in(x), vm), vr);
    out(hn::Mul(vr, hn::NegMulAdd(normal, mgn, hn::Sub(hn::Mul(in(g), vw), mg))), dx);
  });
}

// dx = (g - mean_g - n mean_gn) wr + ((x - m) slope + shift).
void batch_backward_plane(const float* g, const float* x, float* dx, int64_t n, const Backward& s, float wr,
                          float slope, float shift) {
  const V vm = set(s.m), vr = set(s.r), mg = set(s.mean_g), mgn = set(s.mean_gn), scale = set(wr),
          a = set(slope), b = set(shift);
  for_vectors(n, [=](auto in, auto out) SUIREN_STEP {
    const V d = hn::Sub(in(x), vm);
    const V t = hn::NegMulAdd(hn::Mul(d, vr), mgn, hn::Sub(in(g), mg));
    out(hn::MulAdd(t, scale, hn::MulAdd(d, a, b)), dx);
  });
}

// One row of layer_norm_backward; dw and db are set by the first row of a block, and added to by the others.
void layer_backward_row(const float* g, const float* x, const float* w, float* dx, float* dw, float* db,
                        int64_t n, float m, float r, bool first) {
  const V vm = set(m), vr = set(r);
  const float count = static_cast<float>(n);
  const float mean_g = row_sum(n, [=](auto in) SUIREN_STEP { return hn::Mul(in(g), in(w)); }) / count;
  const float mean_gn = row_sum(n,
                                [=](auto in) SUIREN_STEP {
                                  return hn::Mul(hn::Mul(in(g), in(w)), hn::Mul(hn::Sub(in(x), vm), vr));
                                }) /
                        count;
  const V mg = set(mean_g), mgn = set(mean_gn);
  for_vectors(n, [=](auto in, auto out) SUIREN_STEP {
    const V gv = in(g), normal = hn::Mul(hn::Sub(in(x), vm), vr), term = hn::Mul(gv, normal);
    out(hn::Mul(vr, hn::NegMulAdd(normal, mgn, hn::Sub(hn::Mul(gv, in(w)), mg))), dx);
    out(first ? term : hn::Add(in(dw), term), dw);
    out(first ? gv : hn::Add(in(db), gv), db);
  });
}

}  // namespace
}  // namespace suiren::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace suiren::cpu {
namespace {

constexpr int64_t kBlockRows = 64, kGrain = 65536, kLeastPlane = 8;

Reason all_f32(const Call& c) {
  for (int i = 0; i < c.inputs(); ++i)
    if (c.in(i).dtype() != SR_F32) return "dtype";
  return row_major_inputs(c);
}

float inverse_deviation(float variance, float eps) { return 1 / std::sqrt(variance + eps); }

// Images of planes: x [N, C, L...].
struct Planes {
  int64_t images, channels, size;
  explicit Planes(const Operand& x) : images(x.dim(0)), channels(x.dim(1)), size(1) {
    for (int d = 2; d < x.rank(); ++d) size *= x.dim(d);
  }
  int64_t count() const { return images * channels; }
  template <class F>
  void for_each(F f) const {
    parallel_for(count(), std::max<int64_t>(1, kGrain / std::max<int64_t>(1, size)),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t i = begin; i < end; ++i) f(i);
                 });
  }
};
Reason large_planes(const Operand& x) {
  return Planes(x).size < kLeastPlane ? "planes are too small" : nullptr;
}
Reason f32_planes(const Call& c) {
  const Reason no = all_f32(c);
  return no ? no : large_planes(c.in(0));
}

// ---- layer_norm -------------------------------------------------------------------------------------------

struct Rows {
  int64_t count, size;
  Rows(const Operand& x, const Operand& weight)
      : count(weight.numel() ? x.numel() / weight.numel() : 0), size(weight.numel()) {}
};

// Inputs x, weight, bias; attribute eps.
void layer_norm(const Call& c, void*) {
  const Rows rows(c.in(0), c.in(1));
  const float *x = c.in(0).data<float>(), *w = c.in(1).data<float>(), *b = c.in(2).data<float>();
  float* y = c.out(0).data<float>();
  const auto eps = static_cast<float>(c.attr_f64(0)), D = static_cast<float>(rows.size);
  const auto sum = SUIREN_PICK(sum_row);
  const auto squares = SUIREN_PICK(squares_row);
  const auto scale = SUIREN_PICK(scale_row);
  if (rows.count == 0) return;
  parallel_for(rows.count, std::max<int64_t>(1, kGrain / rows.size), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin * rows.size; i < end * rows.size; i += rows.size) {
      const float m = sum(x + i, rows.size) / D;
      scale(x + i, y + i, rows.size, m, inverse_deviation(squares(x + i, rows.size, m) / D, eps), w, b);
    }
  });
}

// Inputs g, x, weight; outputs dx, dweight, dbias. Sums over rows: in blocks of kBlockRows, then the blocks.
void layer_norm_backward(const Call& c, void*) {
  const Rows rows(c.in(1), c.in(2));
  const float *g = c.in(0).data<float>(), *x = c.in(1).data<float>(), *w = c.in(2).data<float>();
  float *dx = c.out(0).data<float>(), *dw = c.out(1).data<float>(), *db = c.out(2).data<float>();
  const auto eps = static_cast<float>(c.attr_f64(0)), D = static_cast<float>(rows.size);
  const int64_t n = rows.size, blocks = (rows.count + kBlockRows - 1) / kBlockRows;
  std::vector<float> sums(static_cast<size_t>(2 * std::max<int64_t>(1, blocks) * n));
  const auto sum = SUIREN_PICK(sum_row);
  const auto squares = SUIREN_PICK(squares_row);
  const auto row = SUIREN_PICK(layer_backward_row);
  const int64_t grain = std::max<int64_t>(1, kGrain / std::max<int64_t>(1, n * kBlockRows));
  parallel_for(blocks, grain, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      float* to = sums.data() + 2 * block * n;
      const int64_t first = block * kBlockRows, last = std::min(rows.count, first + kBlockRows);
      for (int64_t i = first; i < last; ++i) {
        const float m = sum(x + i * n, n) / D, r = inverse_deviation(squares(x + i * n, n, m) / D, eps);
        row(g + i * n, x + i * n, w, dx + i * n, to, to + n, n, m, r, i == first);
      }
    }
  });
  for (int64_t block = 1; block < blocks; ++block)
    SUIREN_PICK(add_row)(sums.data() + 2 * block * n, sums.data(), 2 * n);
  std::copy_n(sums.data(), n, dw);
  std::copy_n(sums.data() + n, n, db);
}

// ---- group_norm and batch_norm ----------------------------------------------------------------------------

struct Moments {
  double sum = 0, squares = 0;  // squares: of the deviations from the plane's own mean
};

// Of each plane, in one reading of memory.
std::vector<Moments> moments(const Planes& p, const float* x) {
  std::vector<Moments> all(static_cast<size_t>(p.count()));
  const auto sum = SUIREN_PICK(sum_row);
  const auto squares = SUIREN_PICK(squares_row);
  p.for_each([&](int64_t i) {
    Moments& m = all[static_cast<size_t>(i)];
    m.sum = sum(x + i * p.size, p.size);
    m.squares = squares(x + i * p.size, p.size, static_cast<float>(m.sum / static_cast<double>(p.size)));
  });
  return all;
}

struct Statistics {
  double mean = 0, variance = 0;
};
// Of the planes that `plane(k)` names for k < count, all of one size (Chan, Golub & LeVeque 1983, eq. 1.5).
template <class F>
Statistics combined(const std::vector<Moments>& all, int64_t size, int64_t count, F plane) {
  Statistics s;
  const double elements = static_cast<double>(size) * static_cast<double>(count);
  for (int64_t k = 0; k < count; ++k) s.mean += all[static_cast<size_t>(plane(k))].sum;
  s.mean /= elements;
  for (int64_t k = 0; k < count; ++k) {
    const Moments& m = all[static_cast<size_t>(plane(k))];
    const double d = m.sum / static_cast<double>(size) - s.mean;
    s.variance += m.squares + static_cast<double>(size) * d * d;
  }
  s.variance /= elements;
  return s;
}

// Inputs x, weight, bias; attribute eps; outputs y, mean, var.
void batch_norm(const Call& c, void*) {
  const Planes p(c.in(0));
  const float *x = c.in(0).data<float>(), *w = c.in(1).data<float>(), *b = c.in(2).data<float>();
  float *y = c.out(0).data<float>(), *mean = c.out(1).data<float>(), *var = c.out(2).data<float>();
  const auto eps = static_cast<float>(c.attr_f64(0));
  const std::vector<Moments> all = moments(p, x);
  for (int64_t channel = 0; channel < p.channels; ++channel) {
    const Statistics s = combined(all, p.size, p.images, [&](int64_t n) { return n * p.channels + channel; });
    mean[channel] = static_cast<float>(s.mean), var[channel] = static_cast<float>(s.variance);
  }
  const auto scale = SUIREN_PICK(scale_plane);
  p.for_each([&](int64_t i) {
    const int64_t channel = i % p.channels;
    scale(x + i * p.size, y + i * p.size, p.size, mean[channel], inverse_deviation(var[channel], eps),
          w[channel], b[channel]);
  });
}

// Inputs x, mean, var, weight, bias; attribute eps.
void batch_norm_inference(const Call& c, void*) {
  const Planes p(c.in(0));
  const float* x = c.in(0).data<float>();
  const float *mean = c.in(1).data<float>(), *var = c.in(2).data<float>(), *w = c.in(3).data<float>(),
              *b = c.in(4).data<float>();
  float* y = c.out(0).data<float>();
  const auto eps = static_cast<float>(c.attr_f64(0));
  const auto scale = SUIREN_PICK(scale_plane);
  p.for_each([&](int64_t i) {
    const int64_t channel = i % p.channels;
    scale(x + i * p.size, y + i * p.size, p.size, mean[channel], inverse_deviation(var[channel], eps),
          w[channel], b[channel]);
  });
}

// Inputs g, x, weight, mean, var, g_mean, g_var; attribute eps; outputs dx, dweight, dbias.
void batch_norm_backward(const Call& c, void*) {
  const Planes p(c.in(1));
  const float *g = c.in(0).data<float>(), *x = c.in(1).data<float>(), *w = c.in(2).data<float>();
  const float *mean = c.in(3).data<float>(), *var = c.in(4).data<float>(), *g_mean = c.in(5).data<float>(),
              *g_var = c.in(6).data<float>();
  float *dx = c.out(0).data<float>(), *dw = c.out(1).data<float>(), *db = c.out(2).data<float>();
  const auto eps = static_cast<float>(c.attr_f64(0));
  std::vector<Moments> sums(static_cast<size_t>(p.count()));  // of g, and of g n
  const auto sum = SUIREN_PICK(sum_row);
  const auto dot = SUIREN_PICK(dot_plane);
  p.for_each([&](int64_t i) {
    const int64_t at = i * p.size, channel = i % p.channels;
    sums[static_cast<size_t>(i)] = {sum(g + at, p.size), dot(g + at, x + at, p.size, mean[channel],
                                                             inverse_deviation(var[channel], eps), 1)};
  });
  const double count = static_cast<double>(p.images) * static_cast<double>(p.size);
  std::vector<Backward> channels(static_cast<size_t>(p.channels));
  for (int64_t channel = 0; channel < p.channels; ++channel) {
    double of_g = 0, of_gn = 0;
    for (int64_t n = 0; n < p.images; ++n) {
      const Moments& m = sums[static_cast<size_t>(n * p.channels + channel)];
      of_g += m.sum, of_gn += m.squares;
    }
    db[channel] = static_cast<float>(of_g), dw[channel] = static_cast<float>(of_gn);
    channels[static_cast<size_t>(channel)] = {mean[channel], inverse_deviation(var[channel], eps),
                                              static_cast<float>(of_g / count),
                                              static_cast<float>(of_gn / count)};
  }
  const auto backward = SUIREN_PICK(batch_backward_plane);
  p.for_each([&](int64_t i) {
    const int64_t at = i * p.size, channel = i % p.channels;
    const Backward& s = channels[static_cast<size_t>(channel)];
    backward(g + at, x + at, dx + at, p.size, s, w[channel] * s.r,
             static_cast<float>(2 * g_var[channel] / count), static_cast<float>(g_mean[channel] / count));
  });
}

// Mean and 1 / deviation of each group of each image.
std::vector<Backward> group_statistics(const Planes& p, const float* x, int64_t groups, float eps) {
  const std::vector<Moments> all = moments(p, x);
  const int64_t each = p.channels / groups;
  std::vector<Backward> statistics(static_cast<size_t>(p.images * groups));
  for (int64_t i = 0; i < p.images * groups; ++i) {
    const Statistics s = combined(all, p.size, each, [&](int64_t k) { return i * each + k; });
    statistics[static_cast<size_t>(i)] = {static_cast<float>(s.mean),
                                          inverse_deviation(static_cast<float>(s.variance), eps), 0, 0};
  }
  return statistics;
}

// Inputs x, weight, bias; attributes groups, eps.
void group_norm(const Call& c, void*) {
  const Planes p(c.in(0));
  const float *x = c.in(0).data<float>(), *w = c.in(1).data<float>(), *b = c.in(2).data<float>();
  float* y = c.out(0).data<float>();
  if (p.count() == 0) return;
  const int64_t each = p.channels / c.attr_i64(0);
  const auto statistics = group_statistics(p, x, c.attr_i64(0), static_cast<float>(c.attr_f64(1)));
  const auto scale = SUIREN_PICK(scale_plane);
  p.for_each([&](int64_t i) {
    const Backward& s = statistics[static_cast<size_t>(i / each)];
    scale(x + i * p.size, y + i * p.size, p.size, s.m, s.r, w[i % p.channels], b[i % p.channels]);
  });
}

struct PlaneSums {
  double g, gn, gw, gwn;
};

// Inputs g, x, weight; attributes groups, eps; outputs dx, dweight, dbias.
void group_norm_backward(const Call& c, void*) {
  const Planes p(c.in(1));
  const float *g = c.in(0).data<float>(), *x = c.in(1).data<float>(), *w = c.in(2).data<float>();
  float *dx = c.out(0).data<float>(), *dw = c.out(1).data<float>(), *db = c.out(2).data<float>();
  const int64_t groups = c.attr_i64(0), each = p.channels / groups;
  auto statistics = group_statistics(p, x, groups, static_cast<float>(c.attr_f64(1)));
  std::vector<PlaneSums> sums(static_cast<size_t>(p.count()));
  const auto sum = SUIREN_PICK(scaled_sum_plane);
  const auto dot = SUIREN_PICK(dot_plane);
  p.for_each([&](int64_t i) {
    const Backward& s = statistics[static_cast<size_t>(i / each)];
    const float *from = g + i * p.size, *at = x + i * p.size, scale = w[i % p.channels];
    sums[static_cast<size_t>(i)] = {sum(from, p.size, 1), dot(from, at, p.size, s.m, s.r, 1),
                                    sum(from, p.size, scale), dot(from, at, p.size, s.m, s.r, scale)};
  });
  const double count = static_cast<double>(each) * static_cast<double>(p.size);
  for (int64_t i = 0; i < p.images * groups; ++i) {
    double gw = 0, gwn = 0;
    for (int64_t k = i * each; k < (i + 1) * each; ++k)
      gw += sums[static_cast<size_t>(k)].gw, gwn += sums[static_cast<size_t>(k)].gwn;
    statistics[static_cast<size_t>(i)].mean_g = static_cast<float>(gw / count);
    statistics[static_cast<size_t>(i)].mean_gn = static_cast<float>(gwn / count);
  }
  for (int64_t channel = 0; channel < p.channels; ++channel) {
    double of_g = 0, of_gn = 0;
    for (int64_t k = channel; k < p.count(); k += p.channels)
      of_g += sums[static_cast<size_t>(k)].g, of_gn += sums[static_cast<size_t>(k)].gn;
    db[channel] = static_cast<float>(of_g), dw[channel] = static_cast<float>(of_gn);
  }
  const auto backward = SUIREN_PICK(group_backward_plane);
  p.for_each([&](int64_t i) {
    backward(g + i * p.size, x + i * p.size, dx + i * p.size, p.size,
             statistics[static_cast<size_t>(i / each)], w[i % p.channels]);
  });
}

constexpr Kernel kKernels[] = {
    {"layer_norm", "rows", 10, all_f32, nullptr, layer_norm},
    {"layer_norm_backward", "rows", 10, all_f32, nullptr, layer_norm_backward},
    {"group_norm", "planes", 10, f32_planes, nullptr, group_norm},
    {"group_norm_backward", "planes", 10, f32_planes, nullptr, group_norm_backward},
    {"batch_norm", "planes", 10, f32_planes, nullptr, batch_norm},
    {"batch_norm_backward", "planes", 10, f32_planes, nullptr, batch_norm_backward},
    {"batch_norm_inference", "planes", 10, f32_planes, nullptr, batch_norm_inference},
};

}  // namespace

KernelList kernels_norms() { return kKernels; }

}  // namespace suiren::cpu
#endif
