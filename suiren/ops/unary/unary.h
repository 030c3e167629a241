#pragma once
// Elementwise functions of one tensor: x [...] -> [...], dtype of x.

#include "suiren/core/tensor.h"

namespace suiren {

// Any number; integers wrap.
Tensor neg(const Tensor& x);
Tensor operator-(const Tensor& x);
Tensor abs(const Tensor& x);
Tensor sign(const Tensor& x);  ///< -1, 0 or 1; NaN stays NaN; no gradient (it is zero)
Tensor relu(const Tensor& x);  ///< NaN stays NaN; the derivative at 0 is 0

// Floats only: Error{kShape} otherwise.
Tensor exp(const Tensor& x);
Tensor log(const Tensor& x);
Tensor sqrt(const Tensor& x);
Tensor rsqrt(const Tensor& x);  ///< 1 / sqrt(x)
Tensor reciprocal(const Tensor& x);
Tensor square(const Tensor& x);
Tensor tanh(const Tensor& x);
Tensor sigmoid(const Tensor& x);
Tensor silu(const Tensor& x);  ///< x * sigmoid(x)
Tensor gelu(const Tensor& x);  ///< x * (1 + erf(x / sqrt 2)) / 2 (Hendrycks & Gimpel 2016), not its tanh form
Tensor erf(const Tensor& x);
Tensor sin(const Tensor& x);
Tensor cos(const Tensor& x);
Tensor floor(const Tensor& x);  ///< no gradient (it is zero)

}  // namespace suiren
