#pragma once
// From logits to a token: a pure function of logits, history, options and position. Safe from any thread.
//
// The steps, in transformers' order, in f64, each on what the one before left; x are the logits:
//   1. logit bias          x[i] += bias[i]                                                         (OpenAI)
//   2. repetition penalty  x[i] = x[i] > 0 ? x[i] / r : x[i] * r, once for each i that stands in the history,
//                          prompt included (Keskar et al. 2019, section 4.1)
//   3. frequency, presence x[i] -= f * c[i] + p * (c[i] > 0), where i was sampled c[i] times: the prompt does
//                          not count (OpenAI; llama.cpp has this formula and counts the prompt too)
//   4. temperature         0: the largest x, the first of equals, and no further step. Else x[i] /= T
//   5. top-k               the k largest stay; of equals the smaller id
//   6. top-p               the fewest largest stay whose probabilities reach p (Holtzman et al. 2020)
//   7. min-p               those stay whose probability is at least min_p times the largest (Nguyen et al.
//                          2024)
//   8. typical             with H the entropy of what is left, the fewest stay, in ascending order of
//                          |-log P - H|, whose probabilities reach typical_p (Meister et al. 2022)
//   9. the draw            in order of id, with the Philox uniform of (seed, position)

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace suiren::infer {

struct SamplingOptions {
  double temperature = 1;  ///< 0: the largest logit, the first of equals
  int64_t top_k = 0;       ///< 0: all
  double top_p = 1;        ///< in (0, 1]
  uint64_t seed = 0;
  double min_p = 0;               ///< in [0, 1]
  double typical_p = 1;           ///< in (0, 1]
  double repetition_penalty = 1;  ///< above 0
  double frequency_penalty = 0, presence_penalty = 0;
  int64_t penalty_window = 0;  ///< penalties look at the last ids of the history alone, so many; 0: at all
  std::vector<std::pair<int64_t, double>> logit_bias = {};  ///< of an id; -infinity forbids it
  /// Throws Error{kInvalid} naming the option and its range.
  void validate() const;
  bool operator==(const SamplingOptions&) const = default;
};

/// What stands before the token: the prompt, then what was sampled.
struct History {
  std::span<const int64_t> ids = {};
  size_t prompt = 0;  ///< so many of them are the prompt
};

struct Probability {
  int64_t id;
  double value;
};

/// Steps 1 to 8: what may be drawn, in ascending order of id, with probabilities above 0 whose sum is 1.
/// `position` is for messages. Throws as sample() does.
std::vector<Probability> distribution(std::span<const float> logits, const SamplingOptions& options,
                                      int64_t position, const History& history = {});

/// The token at `position`, its index in the sequence. Throws Error{kNumeric} when a logit is NaN or the
/// largest after step 3 is infinite, Error{kInvalid} for an id of bias or history that has no logit.
int64_t sample(std::span<const float> logits, const SamplingOptions& options, int64_t position,
               const History& history = {});

}  // namespace suiren::infer
