#pragma once
// Matrix products.

#include "suiren/core/tensor.h"

namespace suiren {

/// y = a @ b over the last two dimensions: a [..., M, K], b [..., K, N] -> [..., M, N]; both of rank >= 2,
/// one floating dtype; the batch dimensions broadcast. Strided and transposed views are read as they lie. a
/// [..., M, K] with b [K, N] is one product of all rows of a. Sums in f32 (f64 for f64). Throws Error{kShape}
/// naming both shapes.
Tensor matmul(const Tensor& a, const Tensor& b);

/// y = sum over i of a[i] @ b[i]: a [B, M, K], b [B, K, N] -> [M, N], the gradient of a weight that a batch
/// shares. Order of the sum: each product is formed whole, then products are added for ascending i, so that B
/// sequences at once have the bits of B gradients accumulated one by one.
Tensor matmul_sum(const Tensor& a, const Tensor& b);

/// sum += a[i] @ b[i] for ascending i, in place: sum [M, N], a [B, M, K], b [B, K, N]; the gradient of a
/// weight over many micro-batches. Each product is formed whole, in the dtype of a and b, before it is added,
/// so that the bits are those of accumulate(sum, matmul_sum(a, b)) for one sequence after the other. bf16 and
/// f16 may be added to an f32 sum; the sum is f32 or f64. Throws Error{kInvalid} when `sum` requires a
/// gradient (write under NoGrad).
void matmul_accumulate(const Tensor& sum, const Tensor& a, const Tensor& b);

/// y = a @ b of int8 matrices, exact: i8 [..., M, K], [..., K, N] -> i32 [..., M, N]; shapes and strides as
/// matmul's. Throws Error{kShape} when K is over 131071, too: longer sums could leave i32. No gradient.
Tensor int_matmul(const Tensor& a, const Tensor& b);

/// y = x @ weight^T (+ bias): x [..., K], weight [N, K], bias [N] -> [..., N]. A weight in a block format is
/// multiplied as quantized_linear does.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});

}  // namespace suiren
