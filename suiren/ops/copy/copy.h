#pragma once
// Copies of the elements of a tensor.

#include "suiren/core/tensor.h"

namespace suiren {

/// A row-major copy. x [...] -> [...]; differentiable.
Tensor copy(const Tensor& x);
/// x itself when it is row-major already, else a copy.
Tensor contiguous(const Tensor& x);
/// Writes the elements of `from` into `to`, which may be a strided view; same shape and dtype. No gradient.
/// Throws Error{kInvalid} when `to` requires a gradient (write under NoGrad) or repeats elements.
void assign(const Tensor& to, const Tensor& from);

}  // namespace suiren
