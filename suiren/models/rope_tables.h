#pragma once
// cos and sin of rotary positions (Su et al. 2021), computed in double and rounded once. Thread-safe.

#include <mutex>
#include <vector>

#include "suiren/core/tensor.h"
#include "suiren/models/config.h"

namespace suiren::models {

/// Angles by which pairs turn from one position to the next, and what multiplies cos and sin.
struct RopeFrequencies {
  std::vector<double> values;
  double amplitude = 1;
};
/// For a head (or the part of it that turns) of `dim` elements, of which partial_rotary_factor turn. The base
/// is theta^(-2 i / d) for pair i of d elements. Then by type:
///   linear     divided by factor (Chen et al. 2023)
///   dynamic    with theta ((factor L / positions) - factor + 1)^(d / (d - 2)), L the larger of context and
///              positions
///   ntk_alpha  with theta alpha^(d / (d - 2))
///   yarn       between that of linear and the base, by wavelength (Peng et al. 2023)
///   longrope   divided by a factor for each pair, one set up to the original positions and another for a
///              longer context (Ding et al. 2024)
///   llama3     between that of linear and the base, by wavelength (Dubey et al. 2024)
/// `positions` is max_position_embeddings. What depends on length depends on `context`, a setting, never on a
/// current length, so that a cache stays valid.
RopeFrequencies rope_frequencies(const RopeConfig& rope, int64_t dim, int64_t positions, int64_t context);

class RopeTables {
 public:
  RopeTables(RopeFrequencies frequencies, int64_t max_positions, const Device& device, DType dtype);
  struct Slice {
    Tensor cos, sin;  ///< [count, pairs]
  };
  /// Positions first .. first + count - 1; the tables grow by doubling up to max_positions.
  Slice at(int64_t first, int64_t count) const;

 private:
  void grow(int64_t positions) const;
  RopeFrequencies frequencies_;
  int64_t max_positions_;
  Device device_;
  DType dtype_;
  mutable std::mutex mutex_;
  mutable int64_t positions_ = 0;
  mutable Tensor cos_, sin_;
};

}  // namespace suiren::models
