#pragma once
// Rows of a table by number, and the sum that is its gradient.

#include "suiren/core/tensor.h"

namespace suiren {

/// y[..., :] = weight[ids[...], :]: weight [V, D], ids [...] i32 or i64 in [0, V) -> [..., D].
/// The caller answers for the range of ids; the reference throws Error{kInvalid}, kernels may read elsewhere.
Tensor embedding(const Tensor& weight, const Tensor& ids);

/// dweight[v, :] = sum of g[p, :] over positions p with ids[p] = v: g [..., D], ids [...] -> [V, D].
/// Order of the sum: positions ascending within a sequence (the last dimension of ids), sequences ascending
/// after that, so that a batch at once has the bits of its sequences accumulated one by one.
Tensor embedding_backward(const Tensor& g, const Tensor& ids, int64_t V);

}  // namespace suiren
