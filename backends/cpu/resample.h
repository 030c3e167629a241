#pragma once
// Linear maps of planes that are one small sparse map along each dimension: mean pooling, interpolation, sums
// over padding, and the transpose of each (its gradient).

#include <cstdint>
#include <vector>

#include "backends/cpu/kernel_list.h"

namespace suiren::cpu {

/// One dimension: output i = sum over e in [begin[i], begin[i + 1]) of weight[e] x[index[e]].
struct AxisMap {
  int64_t in = 0;  ///< extent of x
  std::vector<int64_t> begin{0}, index;
  std::vector<double> weight;

  int64_t out() const { return static_cast<int64_t>(begin.size()) - 1; }
  void add(int64_t at, double w) { index.push_back(at), weight.push_back(w); }
  void end_output() { begin.push_back(static_cast<int64_t>(index.size())); }
  /// The map with inputs and outputs exchanged; sources in ascending order.
  AxisMap transposed() const;
};

/// y[plane] = the maps, one for each of the last dimensions, applied to x[plane]. Row-major operands, both
/// f32 or both f64. Sums run over sources in ascending order.
void resample(const std::vector<AxisMap>& maps, const Operand& x, const Operand& y);

}  // namespace suiren::cpu
