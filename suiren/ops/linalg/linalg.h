#pragma once
// Dense linear algebra on the last two dimensions, f32 and f64, any batch in front. `shift` is added to the
// diagonal first: a ridge, a damping or a resolvent costs no copy.

#include <vector>

#include "suiren/core/tensor.h"

namespace suiren {

/// y [..., N, N], lower triangular with a positive diagonal, y y^T = x + shift I. Reads the lower triangle of
/// x alone; the gradient is that of its elements. Throws Error{kInvalid} naming the order of the first
/// leading minor that is not positive.
Tensor cholesky(const Tensor& x, double shift = 0);

/// x with op(a) x = b for the lower (or upper) triangle of a, whose diagonal is taken as ones with `unit`:
/// a [..., N, N], b [..., N, M] -> [..., N, M]; the batches broadcast. op transposes with `transposed`.
/// Throws Error{kInvalid} where the diagonal has a zero.
Tensor triangular_solve(const Tensor& a, const Tensor& b, bool upper = false, bool transposed = false,
                        bool unit = false);

/// x with (a + shift I) x = b: a [..., N, N], b [..., N, M] or, for a of rank 2, [N]; the batches broadcast.
/// Gaussian elimination with partial pivoting. Throws Error{kInvalid} when the matrix is singular.
Tensor solve(const Tensor& a, const Tensor& b, double shift = 0);

/// (x + shift I)^-1. Throws as solve.
Tensor inverse(const Tensor& x, double shift = 0);

/// The determinant of x + shift I: [..., N, N] -> [...]; 1 for N = 0. Its gradient asks for the inverse.
Tensor det(const Tensor& x, double shift = 0);
/// {sign, log |det|} of x + shift I: sign is -1, 0 or 1; {0, -inf} when the matrix is singular.
std::vector<Tensor> slogdet(const Tensor& x, double shift = 0);

}  // namespace suiren
