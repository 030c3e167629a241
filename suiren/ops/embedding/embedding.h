#pragma once
// Rows of a table by number, and the sum that is its gradient.

#include "suiren/core/tensor.h"

namespace suiren {

/// y[..., :] = weight[ids[...], :]: weight [V, D], ids [...] i32 or i64 in [0, V) -> [..., D]; rows of a
/// weight in a block format come out as f32. The caller answers for the range of ids; the reference throws
/// Error{kInvalid}, kernels may read elsewhere.
Tensor embedding(const Tensor& weight, const Tensor& ids);

/// dweight[v, :] = sum of g[p, :] over positions p with ids[p] = v: g [..., D], ids [...] -> [V, D].
/// Order of the sum: positions ascending within a sequence (the last dimension of ids), sequences ascending
/// after that, so that a batch at once has the bits of its sequences accumulated one by one.
Tensor embedding_backward(const Tensor& g, const Tensor& ids, int64_t V);

/// How the rows of a bag become one.
enum class Bag { kSum, kMean, kMax };
/// Rows of a table brought together bag by bag: weight [V, D], ids [N], offsets [B] -> [B, D]. Bag b holds
/// the positions from offsets[b] up to the next offset, the last one the rest; an empty bag gives 0. Offsets
/// are i32 or i64 in [0, N], ascending from 0 on as in torch.nn.functional.embedding_bag (others count as
/// sorted, and positions before the first are in no bag). `scale` [N], of weight's dtype, multiplies the rows
/// of a sum. Sums are kept in f32 for narrow floats. Throws Error{kInvalid} for an offset out of range.
Tensor embedding_bag(const Tensor& weight, const Tensor& ids, const Tensor& offsets, Bag bag = Bag::kMean,
                     const Tensor& scale = {});

}  // namespace suiren
