#include "suiren/optim/schedule.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "suiren/base/error.h"

namespace suiren::optim {

double Schedule::at(int64_t step) const {
  const auto s = static_cast<double>(step), warmup = static_cast<double>(warmup_steps);
  if (step < warmup_steps) return lr * (s + 1) / warmup;
  if (kind == kCosine) {
    const double angle = std::numbers::pi * (s - warmup) / std::max(static_cast<double>(steps) - warmup, 1.0);
    return lr * (final_ratio + (1 - final_ratio) * 0.5 * (1 + std::cos(angle)));
  }
  const int64_t start = steps - decay_steps;
  if (kind == kWsd && step >= start && decay_steps > 0)
    return lr *
           (1 - (1 - final_ratio) * static_cast<double>(step - start) / static_cast<double>(decay_steps));
  return lr;
}

void Schedule::validate() const {
  SR_CHECK(lr >= 0 && std::isfinite(lr), "lr is {}, expected a number of at least 0", lr);
  SR_CHECK(warmup_steps >= 0, "warmup_steps is {}, expected at least 0", warmup_steps);
  SR_CHECK(warmup_steps <= steps, "warmup_steps is {}, longer than the run of {} steps", warmup_steps, steps);
  SR_CHECK(kind == kConstant || (final_ratio >= 0 && final_ratio <= 1), "final_ratio is {}, expected 0 to 1",
           final_ratio);
  SR_CHECK(kind != kWsd || (decay_steps >= 0 && warmup_steps + decay_steps <= steps),
           "decay_steps is {}: with {} warm-up steps it does not fit a run of {} steps", decay_steps,
           warmup_steps, steps);
}

Schedule::Kind Schedule::parse(const std::string& name) {
  static constexpr std::array<const char*, 3> kNames = {"constant", "cosine", "wsd"};
  for (size_t i = 0; i < kNames.size(); ++i)
    if (name == kNames[i]) return static_cast<Kind>(i);
  const std::string near = nearest(name, kNames);
  fail(ErrorCode::kInvalid, "unknown schedule '{}'; {}", name,
       near.empty() ? "there are cosine, wsd and constant" : fmt::format("did you mean '{}'?", near));
}

}  // namespace suiren::optim
