#pragma once
// Conversion between element types.

#include "suiren/core/tensor.h"

namespace suiren {

/// x in another dtype; x itself when it has it already. Floats round to nearest even; to an integer they are
/// cut toward zero and wrap, and NaN and infinity give 0; to bool everything but 0 is true.
/// The gradient is cast back; none flows through integers and bool.
Tensor cast(const Tensor& x, DType dtype);

/// x in the dtype in which sums of it are kept: f32 for narrow floats, i64 for integers and bool.
Tensor widen(const Tensor& x);

}  // namespace suiren
