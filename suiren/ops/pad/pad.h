#pragma once
// More elements around a tensor, and the sum that is its gradient.

#include "suiren/core/tensor.h"

namespace suiren {

/// What stands outside of x: a constant; x mirrored without repeating its edge; its edge repeated; x again.
enum class PadMode { kConstant, kReflect, kReplicate, kCircular };

/// The last before.size() dimensions of x grow by before[d] elements in front and after[d] behind. Any dtype;
/// floating ones have a gradient. `value` is that of kConstant. kReflect needs fewer new elements than x has
/// on a side, kCircular no more. Throws Error{kInvalid} for those and for negative counts, Error{kShape} when
/// the lists do not fit.
Tensor pad(const Tensor& x, const Dims& before, const Dims& after, PadMode mode = PadMode::kConstant,
           double value = 0);

}  // namespace suiren
