#include "suiren/models/rope_tables.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "suiren/core/autograd.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/view/view.h"

namespace suiren::models {
namespace {

using std::numbers::pi;

// Yarn's temperature.
double mscale(double factor, double weight) { return factor <= 1 ? 1 : 0.1 * weight * std::log(factor) + 1; }

// Pairs that turn often within the original positions keep their frequency, those that turn seldom are
// interpolated, and a ramp over the number of the pair joins them.
RopeFrequencies yarn(const RopeConfig& r, std::vector<double> base, double d, double positions) {
  const double original =
      static_cast<double>(r.original_max_position_embeddings.value_or(static_cast<int64_t>(positions)));
  const double factor = r.factor.value_or(positions / original);
  const auto pair_of = [&](double turns) {
    return d * std::log(original / (turns * 2 * pi)) / (2 * std::log(r.theta));
  };
  double low = pair_of(r.beta_fast), high = pair_of(r.beta_slow);
  if (r.truncate) low = std::floor(low), high = std::ceil(high);
  low = std::max(low, 0.0), high = std::min(high, d - 1);
  if (low == high) high += 0.001;
  for (size_t i = 0; i < base.size(); ++i) {
    const double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    base[i] = base[i] / factor * ramp + base[i] * (1 - ramp);
  }
  const bool both = r.mscale != 0 && r.mscale_all_dim != 0;
  const double amplitude =
      both ? mscale(factor, r.mscale) / mscale(factor, r.mscale_all_dim) : mscale(factor, 1);
  return {std::move(base), r.attention_factor.value_or(amplitude)};
}

RopeFrequencies longrope(const RopeConfig& r, std::vector<double> base, double positions, int64_t context) {
  const int64_t original = r.original_max_position_embeddings.value_or(static_cast<int64_t>(positions));
  const std::vector<double>& factors = context > original ? r.long_factor : r.short_factor;
  for (size_t i = 0; i < base.size(); ++i) base[i] /= factors[i];
  const double factor = r.factor.value_or(positions / static_cast<double>(original));
  const double amplitude =
      factor <= 1 ? 1 : std::sqrt(1 + std::log(factor) / std::log(static_cast<double>(original)));
  return {std::move(base), r.attention_factor.value_or(amplitude)};
}

// Wavelengths above original / low_freq_factor are interpolated, those below original / high_freq_factor
// kept, and between them the frequency is a mixture.
RopeFrequencies llama3(const RopeConfig& r, std::vector<double> base, double positions) {
  const double original =
      static_cast<double>(r.original_max_position_embeddings.value_or(static_cast<int64_t>(positions)));
  for (double& f : base) {
    const double turns = original * f / (2 * pi);  // within the original positions
    const double kept =
        std::clamp((turns - r.low_freq_factor) / (r.high_freq_factor - r.low_freq_factor), 0.0, 1.0);
    f = (1 - kept) * f / *r.factor + kept * f;
  }
  return {std::move(base)};
}

}  // namespace

RopeFrequencies rope_frequencies(const RopeConfig& r, int64_t dim, int64_t positions, int64_t context) {
  const double d = std::floor(static_cast<double>(dim) * r.partial_rotary_factor);
  const double length = static_cast<double>(positions);
  double theta = r.theta;
  if (r.type == "dynamic") {
    const double longest = static_cast<double>(std::max(context, positions));
    theta *= std::pow(*r.factor * longest / length - (*r.factor - 1), d / (d - 2));
  }
  if (r.type == "ntk_alpha") theta *= std::pow(*r.alpha, d / (d - 2));
  std::vector<double> base(static_cast<size_t>(d / 2));
  for (size_t i = 0; i < base.size(); ++i) base[i] = std::pow(theta, -2.0 * static_cast<double>(i) / d);
  if (r.type == "yarn") return yarn(r, std::move(base), d, length);
  if (r.type == "longrope") return longrope(r, std::move(base), length, context);
  if (r.type == "llama3") return llama3(r, std::move(base), length);
  if (r.type == "linear")
    for (double& f : base) f /= *r.factor;
  return {std::move(base)};
}

RopeTables::RopeTables(RopeFrequencies frequencies, int64_t max_positions, const Device& device, DType dtype)
    : frequencies_(std::move(frequencies)), max_positions_(max_positions), device_(device), dtype_(dtype) {}

RopeTables::Slice RopeTables::at(int64_t first, int64_t count) const {
  const std::lock_guard lock(mutex_);
  if (first + count > positions_) grow(first + count);
  return {slice(cos_, 0, first, first + count), slice(sin_, 0, first, first + count)};
}

void RopeTables::grow(int64_t positions) const {
  constexpr int64_t kFirst = 256;
  const int64_t count =
      std::min(std::max({positions, 2 * positions_, kFirst}), std::max(positions, max_positions_));
  const auto pairs = static_cast<int64_t>(frequencies_.values.size());
  std::vector<double> cosines(static_cast<size_t>(count * pairs)), sines(cosines.size());
  for (int64_t i = 0; i < pairs; ++i) {
    const double frequency = frequencies_.values[static_cast<size_t>(i)];
    for (int64_t p = 0; p < count; ++p) {
      const auto at = static_cast<size_t>(p * pairs + i);
      cosines[at] = frequencies_.amplitude * std::cos(static_cast<double>(p) * frequency);
      sines[at] = frequencies_.amplitude * std::sin(static_cast<double>(p) * frequency);
    }
  }
  const NoGrad off;
  cos_ = cast(Tensor::from(cosines, {count, pairs}), dtype_).to(device_);
  sin_ = cast(Tensor::from(sines, {count, pairs}), dtype_).to(device_);
  positions_ = count;
}

}  // namespace suiren::models
