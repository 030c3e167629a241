#include "suiren/models/rope_tables.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "suiren/core/autograd.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/view/view.h"

namespace suiren::models {

RopeTables::RopeTables(int64_t head_dim, double theta, int64_t max_positions, const Device& device,
                       DType dtype)
    : head_dim_(head_dim), max_positions_(max_positions), theta_(theta), device_(device), dtype_(dtype) {}

RopeTables::Slice RopeTables::at(int64_t first, int64_t count) const {
  const std::lock_guard lock(mutex_);
  if (first + count > positions_) grow(first + count);
  return {slice(cos_, 0, first, first + count), slice(sin_, 0, first, first + count)};
}

void RopeTables::grow(int64_t positions) const {
  constexpr int64_t kFirst = 256;
  const int64_t count =
      std::min(std::max({positions, 2 * positions_, kFirst}), std::max(positions, max_positions_));
  const int64_t pairs = head_dim_ / 2;
  std::vector<double> cosines(static_cast<size_t>(count * pairs)), sines(cosines.size());
  for (int64_t i = 0; i < pairs; ++i) {
    const double frequency = std::pow(theta_, -2.0 * static_cast<double>(i) / static_cast<double>(head_dim_));
    for (int64_t p = 0; p < count; ++p) {
      const auto at = static_cast<size_t>(p * pairs + i);
      cosines[at] = std::cos(static_cast<double>(p) * frequency);
      sines[at] = std::sin(static_cast<double>(p) * frequency);
    }
  }
  const NoGrad off;
  cos_ = cast(Tensor::from(cosines, {count, pairs}), dtype_).to(device_);
  sin_ = cast(Tensor::from(sines, {count, pairs}), dtype_).to(device_);
  positions_ = count;
}

}  // namespace suiren::models
