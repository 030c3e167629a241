#pragma once
// Scales that make integers of a few numbers with little weighted squared error. Sums run in four lanes of
// fixed order, so results are the same on every machine.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

namespace suiren::quant {

using Lanes = float __attribute__((vector_size(16)));

/// N numbers and their weights; weights are >= 0 and not all 0.
template <int N>
struct Group {
  static constexpr int kLanes = N / 4;
  Lanes x[kLanes], w[kLanes];
};

inline float sum(Lanes v) { return (v[0] + v[2]) + (v[1] + v[3]); }
inline Lanes lanes(float v) { return Lanes{v, v, v, v}; }
inline Lanes clamped(Lanes v, float low, float high) {
  v = v < lanes(low) ? lanes(low) : v;
  return v > lanes(high) ? lanes(high) : v;
}
/// To nearest even; |v| < 2^22.
inline Lanes rounded(Lanes v) {
  const Lanes magic = lanes(12582912.0f);  // 1.5 * 2^23
  return (v + magic) - magic;
}
/// The integer in low..high nearest to v, whatever v is.
inline Lanes nearest_integer(Lanes v, float low, float high) { return rounded(clamped(v, low, high)); }
inline int nearest_integer(float v, int low, int high) {
  return static_cast<int>(nearest_integer(lanes(v), static_cast<float>(low), static_cast<float>(high))[0]);
}
/// Finite for every scale: 0 for 0, and times 0 it is 0.
inline float inverse(float scale) {
  constexpr float kMax = std::numeric_limits<float>::max();
  return scale != 0 ? std::clamp(1 / scale, -kMax, kMax) : 0;
}

/// Integers q in low..high for which scale q + offset is nearest to x, and the error they leave.
template <int N>
float affine_error(const Group<N>& g, float scale, float offset, float low, float high) {
  const Lanes id = lanes(inverse(scale)), s = lanes(scale), o = lanes(offset);
  Lanes total{};
  for (int i = 0; i < Group<N>::kLanes; ++i) {
    const Lanes e = g.x[i] - (s * nearest_integer((g.x[i] - o) * id, low, high) + o);
    total += g.w[i] * e * e;
  }
  return sum(total);
}

/// The scale (of either sign) for which integers in low..high, low < 0 < high, stand best for x.
template <int N>
float fit_scale(const Group<N>& g, float low, float high) {
  float extreme = 0;
  for (int i = 0; i < N; ++i)
    if (const float v = g.x[i / 4][i % 4]; std::fabs(v) > std::fabs(extreme)) extreme = v;
  if (!(std::fabs(extreme) > 1e-30f)) return 0;  // its inverse is finite
  float best = -1, scale = 0;
  for (float side : {low, high}) {
    for (int step = -9; step <= 9; ++step) {  // the extreme stands at the side, is cut off, or stays below it
      const Lanes id = lanes((side + 0.1f * static_cast<float>(step)) / extreme);
      Lanes xq{}, qq{};
      for (int i = 0; i < Group<N>::kLanes; ++i) {
        const Lanes q = nearest_integer(g.x[i] * id, low, high);
        xq += g.w[i] * g.x[i] * q;
        qq += g.w[i] * q * q;
      }
      const float a = sum(xq), b = sum(qq);
      if (b > 0 && a * a > best * b) best = a * a / b, scale = a / b;
    }
  }
  return scale;
}

struct Affine {
  float scale = 0, offset = 0;
};

/// The scale > 0 and the offset for which integers in 0..levels stand best for x. With `below`, offset <= 0.
template <int N>
Affine fit_affine(const Group<N>& g, float levels, bool below) {
  float least = g.x[0][0], most = least;
  Lanes w{}, wx{};
  for (int i = 0; i < N; ++i)
    least = std::min(least, g.x[i / 4][i % 4]), most = std::max(most, g.x[i / 4][i % 4]);
  for (int i = 0; i < Group<N>::kLanes; ++i) w += g.w[i], wx += g.w[i] * g.x[i];
  if (below) least = std::min(least, 0.0f);
  if (!(most - least > 1e-30f)) return {0, least};
  const float sw = sum(w), sx = sum(wx);
  const auto refit = [&](float id,
                         float offset) -> Affine {  // least squares for the integers that these give
    Lanes q1{}, q2{}, xq{};
    for (int i = 0; i < Group<N>::kLanes; ++i) {
      const Lanes q = nearest_integer((g.x[i] - lanes(offset)) * lanes(id), 0, levels);
      q1 += g.w[i] * q;
      q2 += g.w[i] * q * q;
      xq += g.w[i] * g.x[i] * q;
    }
    const float a = sum(q1), b = sum(q2), c = sum(xq), determinant = sw * b - a * a;
    if (!(determinant > 0)) return {b > 0 ? c / b : 0, 0};
    const Affine both{(sw * c - sx * a) / determinant, (b * sx - a * c) / determinant};
    return below && both.offset > 0 ? Affine{c / b, 0} : both;
  };
  Affine best{(most - least) / levels, least};
  float best_error = affine_error(g, best.scale, best.offset, 0, levels);
  const auto offer = [&](const Affine& f) {
    if (!(f.scale > 0)) return false;
    const float error = affine_error(g, f.scale, f.offset, 0, levels);
    const bool better = error < best_error;
    if (better) best = f, best_error = error;
    return better;
  };
  for (int step = -5; step <= 9; ++step)
    offer(refit((levels + 0.1f * static_cast<float>(step)) / (most - least), least));
  for (int again = 0; again < 4 && offer(refit(inverse(best.scale), best.offset)); ++again) {
  }
  return best;
}

}  // namespace suiren::quant
