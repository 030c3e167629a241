#include "suiren/quant/quantize.h"

#include <limits>

#include "suiren/base/error.h"
#include "suiren/quant/encode.h"
#include "suiren/quant/iq_grids.h"
#include "suiren/quant/unpack.h"

namespace suiren::quant {
namespace {

void store_half(uint8_t* p, float v) { store(p, float16(v)); }
float at(const Group<32>& g, int e) { return g.x[e / 4][e % 4]; }

template <class T>
void plain(const float* x, const float*, uint8_t* b) {
  store(b, T(*x));
}

/// As the reference: the scale before it is rounded to f16 makes the integers, halves go away from zero.
void q8_0(const float* x, const float*, uint8_t* b) {
  float most = 0;
  for (int e = 0; e < 32; ++e) most = std::max(most, std::fabs(x[e]));
  const float d = most / 127, id = inverse(d);
  store_half(b, d);
  for (int e = 0; e < 32; ++e) {
    const float v = x[e] * id, a = std::fabs(v), whole = std::floor(a);
    const float q = whole + std::floor(2 * (a - whole));
    b[2 + e] = static_cast<uint8_t>(static_cast<int8_t>(std::copysign(q, v)));
  }
}

/// Puts q (0..15, or 0..31 with the fifth bit in `high`) of element e among the nibbles.
void put_nibble(uint8_t* nibbles, int e, int q) {
  nibbles[e % 16] |= static_cast<uint8_t>((q & 15) << (e / 16 * 4));
}

/// q4_0 and q5_0: integers of Bits bits less half their number.
template <int Bits>
void symmetric(const float* x, const float* w, uint8_t* b) {
  constexpr int kHalf = 1 << (Bits - 1);
  const auto g = group<32>(x, w);
  float extreme = 0;
  for (int e = 0; e < 32; ++e)
    if (std::fabs(x[e]) > std::fabs(extreme)) extreme = x[e];
  float d = half(extreme / -kHalf);  // what the reference takes
  const float found = half(fit_scale(g, -kHalf, kHalf - 1));
  if (affine_error(g, found, 0, -kHalf, kHalf - 1) < affine_error(g, d, 0, -kHalf, kHalf - 1)) d = found;
  store_half(b, d);
  uint8_t* nibbles = b + (Bits == 5 ? 6 : 2);
  uint32_t high = 0;
  for (int e = 0; e < 32; ++e) {
    const int q = nearest_integer(x[e] * inverse(d), -kHalf, kHalf - 1) + kHalf;
    put_nibble(nibbles, e, q);
    high |= static_cast<uint32_t>(q >> 4) << e;
  }
  if (Bits == 5) store(b + 2, high);
}

/// q4_1 and q5_1: integers of Bits bits and an offset.
template <int Bits>
void with_offset(const float* x, const float* w, uint8_t* b) {
  constexpr int kLevels = (1 << Bits) - 1;
  const auto g = group<32>(x, w);
  const auto [least, most] = std::minmax_element(x, x + 32);
  Affine best{half((*most - *least) / kLevels), half(*least)};  // what the reference takes
  const Affine fit = fit_affine(g, kLevels, false), found{half(fit.scale), half(fit.offset)};
  if (affine_error(g, found.scale, found.offset, 0, kLevels) <
      affine_error(g, best.scale, best.offset, 0, kLevels))
    best = found;
  store_half(b, best.scale);
  store_half(b + 2, best.offset);
  uint8_t* nibbles = b + (Bits == 5 ? 8 : 4);
  uint32_t high = 0;
  for (int e = 0; e < 32; ++e) {
    const int q = nearest_integer((x[e] - best.offset) * inverse(best.scale), 0, kLevels);
    put_nibble(nibbles, e, q);
    high |= static_cast<uint32_t>(q >> 4) << e;
  }
  if (Bits == 5) store(b + 4, high);
}

/// The nearest of 16 values: halves of their sums are multiples of 1/2, so the half that v lies in decides.
class Codes {
 public:
  constexpr explicit Codes(const std::array<int8_t, 16>& values) : values_(values) {
    for (int half_step = -256; half_step < 256; ++half_step) {
      int best = 0;
      for (int c = 1; c < 16; ++c)  // from the middle of the half: 4 (value - v), squared
        if (distance(c, half_step) < distance(best, half_step)) best = c;
      codes_[static_cast<size_t>(half_step + 256)] = static_cast<uint8_t>(best);
    }
  }
  int nearest(float v) const {
    return codes_[static_cast<size_t>(std::floor(std::clamp(2 * v, -256.0f, 255.0f)) + 256)];
  }
  float value(int code) const { return values_[static_cast<size_t>(code)]; }

 private:
  constexpr int distance(int code, int half_step) const {
    const int away = 4 * values_[static_cast<size_t>(code)] - (2 * half_step + 1);
    return away * away;
  }
  std::array<int8_t, 16> values_;
  std::array<uint8_t, 512> codes_{};
};
constexpr Codes kIq4Codes(kIq4Values), kMxfp4Codes(kMxfp4Values);

/// The error that the nearest codes leave for this scale, and the scale that were best for those codes.
struct CodeFit {
  float error, best_scale;
};
CodeFit fit_codes(const Codes& codes, const Group<32>& g, float d) {
  const float id = inverse(d);
  double xv = 0, vv = 0, error = 0;
  for (int e = 0; e < 32; ++e) {
    const float x = at(g, e), w = g.w[e / 4][e % 4], v = codes.value(codes.nearest(x * id)), away = x - d * v;
    xv += static_cast<double>(w) * x * v;
    vv += static_cast<double>(w) * v * v;
    error += static_cast<double>(w) * away * away;
  }
  return {static_cast<float>(error), vv > 0 ? static_cast<float>(xv / vv) : 0};
}

void iq4_nl(const float* x, const float* w, uint8_t* b) {
  const auto g = group<32>(x, w);
  float extreme = 0;
  for (int e = 0; e < 32; ++e)
    if (std::fabs(x[e]) > std::fabs(extreme)) extreme = x[e];
  float d = 0, next = 0, error = std::numeric_limits<float>::infinity();
  const auto offer = [&](float scale) {
    const CodeFit fit = fit_codes(kIq4Codes, g, half(scale));
    const bool better = fit.error < error;
    if (better) d = half(scale), next = fit.best_scale, error = fit.error;
    return better;
  };
  offer(0);
  for (float side : {-127.0f, 113.0f})
    for (int step = -7; step <= 7 && std::fabs(extreme) > 1e-30f; ++step)
      offer(extreme / (side * (1 + 0.02f * static_cast<float>(step))));
  for (int again = 0; again < 4 && offer(next); ++again) {
  }
  store_half(b, d);
  for (int e = 0; e < 32; ++e) put_nibble(b + 2, e, kIq4Codes.nearest(x[e] * inverse(d)));
}

/// The power of two below the largest number makes it one of 4 to 8 (of 6 at most); its neighbours may do
/// better.
void mxfp4(const float* x, const float* w, uint8_t* b) {
  const auto g = group<32>(x, w);
  float most = 0;
  for (int e = 0; e < 32; ++e) most = std::max(most, std::fabs(x[e]));
  const int first = most > 0 ? std::clamp(std::ilogb(most) - 2 + 127, 0, 254) : 0;
  int best = first;
  float error = fit_codes(kMxfp4Codes, g, mxfp4_scale(static_cast<uint8_t>(first))).error;
  for (int e : {first - 1, first + 1}) {
    if (e < 0 || e > 254 || most == 0) continue;
    const float other = fit_codes(kMxfp4Codes, g, mxfp4_scale(static_cast<uint8_t>(e))).error;
    if (other < error) best = e, error = other;
  }
  b[0] = static_cast<uint8_t>(best);
  const float id = inverse(mxfp4_scale(b[0]));
  for (int e = 0; e < 32; ++e) put_nibble(b + 1, e, kMxfp4Codes.nearest(x[e] * id));
}

using Encode = void (*)(const float* values, const float* weights, uint8_t* block);
struct Encoder {
  Encode encode = nullptr;
  float largest = std::numeric_limits<float>::max();  // of the absolute values that it can hold
};
constexpr float kHalfMax = 65504;

Encoder encoder_of(BlockFormat format) {
  switch (format.id()) {
    case BlockFormat::kF32:
      return {plain<float>};
    case BlockFormat::kF16:
      return {plain<float16>};
    case BlockFormat::kBF16:
      return {plain<bfloat16>};
    case BlockFormat::kQ8_0:
      return {q8_0, kHalfMax * 127};
    case BlockFormat::kQ4_0:
      return {symmetric<4>, kHalfMax * 8};
    case BlockFormat::kQ5_0:
      return {symmetric<5>, kHalfMax * 16};
    case BlockFormat::kQ4_1:
      return {with_offset<4>, kHalfMax};
    case BlockFormat::kQ5_1:
      return {with_offset<5>, kHalfMax};
    case BlockFormat::kQ2_K:
      return {encode_q2_k, kHalfMax * 15};
    case BlockFormat::kQ3_K:
      return {encode_q3_k, kHalfMax * 64};
    case BlockFormat::kQ4_K:
      return {encode_q4_k, kHalfMax * 63};
    case BlockFormat::kQ5_K:
      return {encode_q5_k, kHalfMax * 63};
    case BlockFormat::kQ6_K:
      return {encode_q6_k, kHalfMax * 2048};
    case BlockFormat::kIQ4_NL:
      return {iq4_nl, kHalfMax * 96};
    case BlockFormat::kMXFP4:
      return {mxfp4};
    default:
      return {};
  }
}

/// Finite and small enough; the few formats of single numbers take all that there is.
void check_values(BlockFormat format, std::span<const float> values, float largest) {
  if (format.block_elements() == 1) return;
  for (size_t i = 0; i < values.size(); ++i)
    SR_CHECK(std::fabs(values[i]) <= largest, "element {} is {}, but {} holds finite numbers up to {:.4g}", i,
             values[i], format, largest);
}

/// The weights of a block; all equal where they are all 0, since no error there is seen.
void block_weights(std::span<const float> importance, size_t first, std::span<float> weights) {
  std::fill(weights.begin(), weights.end(), 1.0f);
  if (importance.empty()) return;
  const auto part = importance.subspan(first % importance.size(), weights.size());
  const float most = *std::max_element(part.begin(), part.end());
  if (most == 0) return;
  for (size_t i = 0; i < weights.size(); ++i) weights[i] = part[i] / most;  // sums stay within f32
}

}  // namespace

bool is_quantizable(BlockFormat format) { return encoder_of(format).encode != nullptr; }

void quantize(BlockFormat format, std::span<const float> values, std::span<const float> importance,
              std::span<uint8_t> bytes) {
  const Encoder encoder = encoder_of(format);
  SR_CHECK_AS(kUnsupported, encoder.encode != nullptr, "{} is read but not written", format);
  const auto elements = static_cast<size_t>(format.block_elements()),
             size = static_cast<size_t>(format.block_bytes());
  SR_CHECK(values.size() % elements == 0 && bytes.size() == values.size() / elements * size,
           "{} elements of {} ({} in {} bytes a block) do not take {} bytes", values.size(), format, elements,
           size, bytes.size());
  SR_CHECK(
      importance.empty() || (importance.size() % elements == 0 && values.size() % importance.size() == 0),
      "{} weights do not fit rows of {} elements in blocks of {}", importance.size(), values.size(),
      elements);
  for (size_t i = 0; i < importance.size(); ++i)
    SR_CHECK(importance[i] >= 0 && std::isfinite(importance[i]),
             "weight {} is {}, expected a finite number >= 0", i, importance[i]);
  check_values(format, values, encoder.largest);
  std::fill(bytes.begin(), bytes.end(), uint8_t{0});
  std::array<float, 256> weights{};
  for (size_t i = 0; i < values.size(); i += elements) {
    block_weights(importance, i, std::span(weights).first(elements));
    encoder.encode(values.data() + i, weights.data(), bytes.data() + i / elements * size);
  }
}

}  // namespace suiren::quant
