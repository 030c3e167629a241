#pragma once
// Larger or smaller images by interpolation over the spatial dimensions of x [N, C, L...].

#include "suiren/core/tensor.h"

namespace suiren {

/// y[n, c, p] = x[n, c, floor(p L / size)]: one number in `size` for each spatial dimension. Floating dtypes.
/// Throws Error{kShape} when the lists do not fit or there is nothing to interpolate.
Tensor upsample_nearest(const Tensor& x, const Dims& size);
/// Linear along each dimension (bilinear for images): output p reads at s = (p + 1/2) L / size - 1/2, no less
/// than 0; with align_corners at s = p (L - 1) / (size - 1), so that the outermost elements meet.
/// y = (1 - t) x[floor(s)] + t x[floor(s) + 1] with t = s - floor(s).
Tensor upsample_linear(const Tensor& x, const Dims& size, bool align_corners = false);

}  // namespace suiren
