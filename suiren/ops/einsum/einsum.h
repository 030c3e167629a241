#pragma once
// Sums of products by the names of their dimensions: functions of matmul, reduce and views, so that every
// chip and every gradient comes with them.

#include <string_view>
#include <vector>

#include "suiren/core/tensor.h"

namespace suiren {

/// Einstein's notation: einsum("bij,bjk->bik", {a, b}). A letter names a dimension; one that the result does
/// not name is summed over, one that an operand names twice is its diagonal. Without "->" the result names,
/// in alphabetical order, the letters that stand once. Operands are contracted from left to right, each pair
/// as one matrix product. Floats, one dtype. Throws Error{kShape} naming the letter whose extents differ, or
/// Error{kInvalid} naming what the equation lacks.
Tensor einsum(std::string_view equation, const std::vector<Tensor>& operands);

/// y[i, j] = a[i] b[j]: a [M], b [N] -> [M, N].
Tensor outer(const Tensor& a, const Tensor& b);

/// The product over the last `dims` dimensions of a and the first `dims` of b.
Tensor tensordot(const Tensor& a, const Tensor& b, int64_t dims = 2);

/// The Kronecker product: block (i, j, ...) of the result is a[i, j, ...] b; the shorter shape is padded with
/// ones in front.
Tensor kron(const Tensor& a, const Tensor& b);

}  // namespace suiren
