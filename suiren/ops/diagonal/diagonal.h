#pragma once
// Diagonals of matrices. Any dtype.

#include "suiren/core/tensor.h"

namespace suiren {

/// A view: y[..., i] = x[i, i + offset] of the matrices that dimensions row and column of x form, or
/// x[i - offset, i] below the main diagonal; those two go, and the diagonal is the last dimension.
Tensor diagonal(const Tensor& x, int64_t offset = 0, int64_t row = -2, int64_t column = -1);
/// Zeros of `shape` with g on that diagonal: its gradient, itself differentiable. Throws Error{kShape} unless
/// g has the diagonal's shape.
Tensor diagonal_backward(const Tensor& g, const Shape& shape, int64_t offset, int64_t row, int64_t column);
/// Square matrices [..., n, n] with the rows x [..., n - |offset|] on a diagonal, else 0.
Tensor diag_embed(const Tensor& x, int64_t offset = 0);

}  // namespace suiren
