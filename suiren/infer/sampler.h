#pragma once
// From logits to a token: a pure function of logits, options and position. Safe from any thread.

#include <cstdint>
#include <span>

namespace suiren::infer {

struct SamplingOptions {
  double temperature = 1;  ///< 0: the largest logit, the first of equals
  int64_t top_k = 0;       ///< 0: all
  double top_p = 1;        ///< in (0, 1]
  uint64_t seed = 0;
  /// Throws Error{kInvalid} naming the option and its range.
  void validate() const;
};

/// The token at `position` (its index in the sequence). Logits are divided by the temperature, cut to the
/// top_k largest (of equals the smaller id stays), turned into probabilities in f64, cut to the fewest
/// largest whose sum reaches top_p, and drawn in order of id with the Philox uniform of (seed, position).
/// Throws Error{kNumeric} when a logit is NaN or the largest is infinite.
int64_t sample(std::span<const float> logits, const SamplingOptions& options, int64_t position);

}  // namespace suiren::infer
