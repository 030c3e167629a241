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

Tensor exp2(const Tensor& x);
Tensor expm1(const Tensor& x);  ///< e^x - 1, exact near 0
Tensor log1p(const Tensor& x);  ///< ln(1 + x), exact near 0
Tensor log2(const Tensor& x);
Tensor log10(const Tensor& x);
Tensor tan(const Tensor& x);
Tensor asin(const Tensor& x);  ///< NaN outside of [-1, 1], as acos and atanh
Tensor acos(const Tensor& x);
Tensor atan(const Tensor& x);
Tensor sinh(const Tensor& x);
Tensor cosh(const Tensor& x);
Tensor asinh(const Tensor& x);
Tensor acosh(const Tensor& x);  ///< NaN below 1
Tensor atanh(const Tensor& x);
Tensor erfc(const Tensor& x);

Tensor gelu_tanh(const Tensor& x);    ///< x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2
Tensor log_sigmoid(const Tensor& x);  ///< -ln(1 + e^-x)
Tensor softsign(const Tensor& x);     ///< x / (1 + |x|)
Tensor mish(const Tensor& x);         ///< x tanh(ln(1 + e^x)) (Misra 2019)
Tensor selu(const Tensor& x);         ///< scale (x > 0 ? x : alpha (e^x - 1)) (Klambauer et al. 2017)
Tensor hardsigmoid(const Tensor& x);  ///< min(max(x + 3, 0), 6) / 6
Tensor hardswish(const Tensor& x);    ///< x hardsigmoid(x) (Howard et al. 2019)

// No gradient (it is zero).
Tensor floor(const Tensor& x);
Tensor ceil(const Tensor& x);
Tensor trunc(const Tensor& x);
Tensor round(const Tensor& x);  ///< halves to the even integer

}  // namespace suiren
