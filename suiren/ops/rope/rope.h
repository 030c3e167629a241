#pragma once
// Rotary position embedding (Su et al. 2021).

#include "suiren/core/tensor.h"

namespace suiren {

/// Rotates pairs of the first R elements of each head: y1 = x1 cos - x2 sin, y2 = x2 cos + x1 sin. A pair is
/// (i, i + R / 2), as in Llama checkpoints and GPT-NeoX, or with `interleaved` (2 i, 2 i + 1), as in the
/// paper and GPT-J; i < R / 2. The elements from R on are copied. x [B, T, H, D], cos and sin [T, R / 2] in
/// f32 or the dtype of x, R <= D -> [B, T, H, D]. Position t takes row t of the tables: slice them where a
/// sequence does not begin at 0. No gradient flows into the tables.
Tensor rope(const Tensor& x, const Tensor& cos, const Tensor& sin, bool interleaved = false);

}  // namespace suiren
