#pragma once
// Bits of integers and bool, with NumPy broadcasting; a and b have one dtype, which is the result's. They
// have no gradient. Throw Error{kShape} otherwise.

#include "suiren/core/tensor.h"

namespace suiren {

Tensor bitwise_and(const Tensor& a, const Tensor& b);
Tensor bitwise_or(const Tensor& a, const Tensor& b);
Tensor bitwise_xor(const Tensor& a, const Tensor& b);
Tensor bitwise_not(const Tensor& x);  ///< of bool: the other truth value

// Integers only. A distance below 0 or past the last bit moves every bit out.
Tensor shift_left(const Tensor& a, const Tensor& b);
Tensor shift_right(const Tensor& a, const Tensor& b);  ///< copies the sign in from the left

}  // namespace suiren
