#pragma once
// Dropout (Srivastava et al. 2014) with a mask that is computed, never stored.

#include <cstdint>

#include "suiren/core/tensor.h"

namespace suiren {

/// y = x / (1 - p) where u >= p, else 0, with u uniform in [0, 1): the number of Philox at (seed, stream,
/// row-major index of the element). The same arguments give the same mask. p = 0 returns x.
/// Throws Error{kInvalid} unless 0 <= p < 1.
Tensor dropout(const Tensor& x, double p, uint64_t seed, uint64_t stream);

}  // namespace suiren
