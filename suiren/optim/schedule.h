#pragma once
// Learning-rate schedules: pure functions of the step. Plain values.

#include <cstdint>
#include <string>

namespace suiren::optim {

/// lr at step s (0-based) of `steps`. All begin with lr (s + 1) / warmup_steps while s < warmup_steps; then
///   kCosine    from lr to lr final_ratio: lr (f + (1 - f) (1 + cos(pi (s - warmup) / (steps - warmup))) / 2)
///   kWsd       lr until decay_steps before the end, then lr (1 - (1 - f) (s - (steps - decay)) / decay)
///   kConstant  lr
struct Schedule {
  enum Kind { kConstant, kCosine, kWsd };
  Kind kind = kConstant;
  double lr = 0;
  int64_t steps = 0, warmup_steps = 0;
  int64_t decay_steps = 0;  ///< kWsd
  double final_ratio = 0;   ///< f: kCosine and kWsd

  double at(int64_t step) const;
  /// Throws Error{kInvalid} naming the field: negative counts, warm-up or decay longer than the run, a ratio
  /// outside [0, 1].
  void validate() const;
  /// "cosine", "wsd", "constant"; Error{kInvalid} suggests the nearest.
  static Kind parse(const std::string& name);
};

}  // namespace suiren::optim
