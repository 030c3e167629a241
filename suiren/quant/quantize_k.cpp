// The formats of 256 numbers, whose groups of 16 or 32 have scales that are small integers themselves.

#include "suiren/quant/encode.h"

namespace suiren::quant {
namespace {

constexpr int kBlock = 256;

/// Integer scales (and minima) of the groups, over the f16 ones of the block.
template <int Groups>
struct Scales {
  float d = 0, dmin = 0;
  int scale[Groups] = {}, min[Groups] = {};
  float error = 0;
};

template <int N>
using Groups = std::array<Group<N>, kBlock / N>;

template <int N>
Groups<N> groups(const float* x, const float* w) {
  Groups<N> all;
  for (size_t g = 0; g < all.size(); ++g) all[g] = group<N>(x + g * N, w + g * N);
  return all;
}

/// For these d and dmin, the integer scale and minimum of every group that leave the least error: the nearest
/// to what was fitted, or one beside it.
template <int N>
Scales<kBlock / N> choose(const Groups<N>& all, const std::array<Affine, kBlock / N>& fits, float d,
                          float dmin, int most, float levels) {
  Scales<kBlock / N> s;
  s.d = d, s.dmin = dmin;
  for (size_t g = 0; g < all.size(); ++g) {
    const int scale = nearest_integer(fits[g].scale * inverse(d), 0, most);
    const int min = nearest_integer(-fits[g].offset * inverse(dmin), 0, most);
    float best = -1;
    for (int a = std::max(scale - 1, 0); a <= std::min(scale + 1, most); ++a)
      for (int b = std::max(min - 1, 0); b <= std::min(min + 1, most); ++b) {
        const float error =
            affine_error(all[g], d * static_cast<float>(a), -(dmin * static_cast<float>(b)), 0, levels);
        if (best < 0 || error < best) best = error, s.scale[g] = a, s.min[g] = b;
      }
    s.error += best;
  }
  return s;
}

/// d and dmin by least squares for the integers that the scales give.
template <int N>
std::pair<float, float> refit(const Groups<N>& all, const Scales<kBlock / N>& s, float levels) {
  double aa = 0, ab = 0, bb = 0, xa = 0, xb = 0;
  for (size_t g = 0; g < all.size(); ++g) {
    const float scale = s.d * static_cast<float>(s.scale[g]),
                offset = -(s.dmin * static_cast<float>(s.min[g]));
    for (int i = 0; i < Group<N>::kLanes; ++i) {
      const Lanes q = nearest_integer((all[g].x[i] - lanes(offset)) * lanes(inverse(scale)), 0, levels);
      for (int k = 0; k < 4; ++k) {
        const double w = all[g].w[i][k], x = all[g].x[i][k], a = q[k] * s.scale[g], b = -s.min[g];
        aa += w * a * a, ab += w * a * b, bb += w * b * b, xa += w * x * a, xb += w * x * b;
      }
    }
  }
  const double determinant = aa * bb - ab * ab;
  if (determinant <= 1e-9 * aa * bb) return {static_cast<float>(aa > 0 ? xa / aa : s.d), s.dmin};
  return {static_cast<float>((xa * bb - xb * ab) / determinant),
          static_cast<float>((xb * aa - xa * ab) / determinant)};
}

/// q2_k, q4_k, q5_k: groups of N with scale and minimum in 0..most, integers in 0..levels.
template <int N>
Scales<kBlock / N> affine_scales(const Groups<N>& all, int most, float levels) {
  std::array<Affine, kBlock / N> fits;
  float scale = 0, min = 0;
  for (size_t g = 0; g < all.size(); ++g) {
    fits[g] = fit_affine(all[g], levels, true);
    scale = std::max(scale, fits[g].scale), min = std::max(min, -fits[g].offset);
  }
  const auto side = static_cast<float>(most);
  auto best = choose<N>(all, fits, half(scale / side), half(min / side), most, levels);
  for (int again = 0; again < 3; ++again) {
    const auto [d, dmin] = refit<N>(all, best, levels);
    const auto next = choose<N>(all, fits, half(d), half(dmin), most, levels);
    if (!(next.error < best.error)) break;
    best = next;
  }
  return best;
}

/// q3_k, q6_k: groups of 16 with a scale in -side..side - 1 of either sign, integers in
/// -half_levels..half_levels - 1.
Scales<16> symmetric_scales(const Groups<16>& all, int side, float half_levels) {
  std::array<float, 16> fits;
  float extreme = 0;
  for (size_t g = 0; g < 16; ++g) {
    fits[g] = fit_scale(all[g], -half_levels, half_levels - 1);
    if (std::fabs(fits[g]) > std::fabs(extreme)) extreme = fits[g];
  }
  Scales<16> best;
  const auto offer = [&](float d) {
    Scales<16> s;
    s.d = half(d);
    for (size_t g = 0; g < 16; ++g) {
      const int scale = nearest_integer(fits[g] * inverse(s.d), -side, side - 1);
      float least = -1;
      for (int a = std::max(scale - 1, -side); a <= std::min(scale + 1, side - 1); ++a) {
        const float error =
            affine_error(all[g], s.d * static_cast<float>(a), 0, -half_levels, half_levels - 1);
        if (least < 0 || error < least) least = error, s.scale[g] = a;
      }
      s.error += least;
    }
    const bool better = best.d == 0 || s.error < best.error;
    if (better) best = s;
    return better;
  };
  const auto whole = static_cast<float>(side);
  offer(extreme / -whole);
  offer(extreme / (whole - 1));
  for (int again = 0; again < 3; ++again) {  // d by least squares for the integers that the scales give
    double aa = 0, xa = 0;
    for (size_t g = 0; g < 16; ++g) {
      const Lanes id = lanes(inverse(best.d * static_cast<float>(best.scale[g])));
      for (int i = 0; i < 4; ++i) {
        const Lanes q = nearest_integer(all[g].x[i] * id, -half_levels, half_levels - 1);
        for (int k = 0; k < 4; ++k) {
          const double w = all[g].w[i][k], a = q[k] * best.scale[g];
          aa += w * a * a, xa += w * all[g].x[i][k] * a;
        }
      }
    }
    if (!(aa > 0) || !offer(static_cast<float>(xa / aa))) break;
  }
  return best;
}

/// The integers of all 256 elements.
template <int N>
std::array<int, kBlock> integers(const Groups<N>& all, const Scales<kBlock / N>& s, float low, float high) {
  std::array<int, kBlock> q;
  for (size_t g = 0; g < all.size(); ++g) {
    const float scale = s.d * static_cast<float>(s.scale[g]),
                offset = -(s.dmin * static_cast<float>(s.min[g]));
    for (int i = 0; i < Group<N>::kLanes; ++i) {
      const Lanes v = nearest_integer((all[g].x[i] - lanes(offset)) * lanes(inverse(scale)), low, high);
      for (int k = 0; k < 4; ++k) q[g * N + static_cast<size_t>(4 * i + k)] = static_cast<int>(v[k]);
    }
  }
  return q;
}

// The layouts are those of dequantize.cpp.

void put_bits(uint8_t& byte, int value, int shift) { byte |= static_cast<uint8_t>(value << shift); }
void put_two_bits(uint8_t* p, int e, int q) { put_bits(p[e / 128 * 32 + e % 32], q & 3, e / 32 % 4 * 2); }
void put_four_bits(uint8_t* p, int e, int q) { put_bits(p[e / 64 * 32 + e % 32], q & 15, e / 32 % 2 * 4); }

/// 8 scales and minima of 6 bits in 12 bytes.
void put_scale_min(uint8_t* p, const Scales<8>& s) {
  for (int i = 0; i < 4; ++i) {
    p[i] = static_cast<uint8_t>(s.scale[i] | (s.scale[i + 4] >> 4) << 6);
    p[4 + i] = static_cast<uint8_t>(s.min[i] | (s.min[i + 4] >> 4) << 6);
    p[8 + i] = static_cast<uint8_t>((s.scale[i + 4] & 15) | (s.min[i + 4] & 15) << 4);
  }
}

}  // namespace

void encode_q2_k(const float* x, const float* w, uint8_t* b) {
  const auto all = groups<16>(x, w);
  const auto s = affine_scales<16>(all, 15, 3);
  const auto q = integers<16>(all, s, 0, 3);
  for (int g = 0; g < 16; ++g) b[g] = static_cast<uint8_t>(s.scale[g] | s.min[g] << 4);
  for (int e = 0; e < kBlock; ++e) put_two_bits(b + 16, e, q[static_cast<size_t>(e)]);
  store(b + 80, float16(s.d));
  store(b + 82, float16(s.dmin));
}

void encode_q3_k(const float* x, const float* w, uint8_t* b) {
  const auto all = groups<16>(x, w);
  const auto s = symmetric_scales(all, 32, 4);
  const auto q = integers<16>(all, s, -4, 3);
  for (int e = 0; e < kBlock; ++e) {
    const int v = q[static_cast<size_t>(e)];
    put_two_bits(b + 32, e, v + 4);
    put_bits(b[e % 32], v >= 0, e / 32);
  }
  for (int g = 0; g < 16; ++g) {
    put_bits(b[96 + g % 8], (s.scale[g] + 32) & 15, g / 8 * 4);
    put_bits(b[104 + g % 4], (s.scale[g] + 32) >> 4, g / 4 * 2);
  }
  store(b + 108, float16(s.d));
}

void encode_q4_k(const float* x, const float* w, uint8_t* b) {
  const auto all = groups<32>(x, w);
  const auto s = affine_scales<32>(all, 63, 15);
  const auto q = integers<32>(all, s, 0, 15);
  store(b, float16(s.d));
  store(b + 2, float16(s.dmin));
  put_scale_min(b + 4, s);
  for (int e = 0; e < kBlock; ++e) put_four_bits(b + 16, e, q[static_cast<size_t>(e)]);
}

void encode_q5_k(const float* x, const float* w, uint8_t* b) {
  const auto all = groups<32>(x, w);
  const auto s = affine_scales<32>(all, 63, 31);
  const auto q = integers<32>(all, s, 0, 31);
  store(b, float16(s.d));
  store(b + 2, float16(s.dmin));
  put_scale_min(b + 4, s);
  for (int e = 0; e < kBlock; ++e) {
    put_four_bits(b + 48, e, q[static_cast<size_t>(e)]);
    put_bits(b[16 + e % 32], q[static_cast<size_t>(e)] >> 4, e / 32);
  }
}

void encode_q6_k(const float* x, const float* w, uint8_t* b) {
  const auto all = groups<16>(x, w);
  const auto s = symmetric_scales(all, 128, 32);
  const auto q = integers<16>(all, s, -32, 31);
  for (int e = 0; e < kBlock; ++e) {
    const int v = q[static_cast<size_t>(e)] + 32;
    put_bits(b[e / 128 * 64 + e % 64], v & 15, e / 64 % 2 * 4);
    put_two_bits(b + 128, e, v >> 4);
  }
  for (int g = 0; g < 16; ++g) b[192 + g] = static_cast<uint8_t>(static_cast<int8_t>(s.scale[g]));
  store(b + 208, float16(s.d));
}

}  // namespace suiren::quant
