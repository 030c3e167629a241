#pragma once
// Triangles of matrices [..., M, N]; the rest is 0. Any dtype.

#include "suiren/core/tensor.h"

namespace suiren {

/// y[..., i, j] = x[..., i, j] where j - i <= diagonal, else 0.
Tensor tril(const Tensor& x, int64_t diagonal = 0);
/// y[..., i, j] = x[..., i, j] where j - i >= diagonal, else 0.
Tensor triu(const Tensor& x, int64_t diagonal = 0);

}  // namespace suiren
