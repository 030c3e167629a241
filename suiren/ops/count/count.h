#pragma once
// What a tensor has that is not zero (NaN is not zero), over dimensions as in suiren/ops/reduce. Any dtype;
// no gradient.

#include "suiren/core/tensor.h"

namespace suiren {

Tensor any(const Tensor& x, const Dims& axes = {}, bool keep = false);            ///< bool; false for nothing
Tensor all(const Tensor& x, const Dims& axes = {}, bool keep = false);            ///< bool; true for nothing
Tensor count_nonzero(const Tensor& x, const Dims& axes = {}, bool keep = false);  ///< i64

}  // namespace suiren
