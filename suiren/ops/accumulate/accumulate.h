#pragma once
// Sums kept in place, as gradients over micro-batches.

#include "suiren/core/tensor.h"

namespace suiren {

/// sum += x in place; same shape and dtype, which is also the dtype of the addition. No gradient.
/// Throws Error{kInvalid} when `sum` requires a gradient (write under NoGrad) or repeats elements.
void accumulate(const Tensor& sum, const Tensor& x);

}  // namespace suiren
