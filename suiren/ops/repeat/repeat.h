#pragma once
// The same elements several times. Any dtype; gradients of copies add up.

#include "suiren/core/tensor.h"

namespace suiren {

/// x laid side by side repeats[d] times along each dimension d; the shorter of shape and repeats is filled
/// with ones in front: [2, 3] by {2} gives [2, 6], [3] by {2, 2} gives [2, 6] (torch's tile and repeat).
Tensor tile(const Tensor& x, const Dims& repeats);
/// Each element `repeats` times in a row along `axis`: y[..., i, ...] = x[..., i / repeats, ...].
Tensor repeat_interleave(const Tensor& x, int64_t repeats, int64_t axis);

}  // namespace suiren
