#pragma once
// What the recurrent rooms share: inputs [B, T, ...] taken step by step, and gates side by side in the last
// dimension. Pure functions.

#include "suiren/ops/concat/concat.h"
#include "suiren/ops/view/view.h"

namespace suiren {

/// [B, ...]: step t of x [B, T, ...].
inline Tensor step(const Tensor& x, int64_t t) { return squeeze(slice(x, 1, t, t + 1), 1); }
/// The i-th of the gates, H wide each.
inline Tensor part(const Tensor& x, int64_t i, int64_t H) { return slice(x, -1, i * H, (i + 1) * H); }
/// The states [B, T, H] that the steps begin with: first, y_0 .. y_{T-2}.
inline Tensor shifted(const Tensor& first, const Tensor& y) {
  return concat({unsqueeze(first, 1), slice(y, 1, 0, y.dim(1) - 1)}, 1);
}

}  // namespace suiren
