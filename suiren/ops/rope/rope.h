#pragma once
// Rotary position embedding (Su et al. 2021), in the half-split layout of Llama checkpoints.

#include "suiren/core/tensor.h"

namespace suiren {

/// Rotates the pairs (i, i + D/2) of each head: y1 = x1 cos - x2 sin, y2 = x2 cos + x1 sin.
/// x [B, T, H, D], cos and sin [T, D/2] in f32 or the dtype of x -> [B, T, H, D]. Position t takes row t of
/// the tables: slice them where a sequence does not begin at 0. No gradient flows into the tables.
Tensor rope(const Tensor& x, const Tensor& cos, const Tensor& sin);

}  // namespace suiren
