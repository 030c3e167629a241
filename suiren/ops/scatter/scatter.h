#pragma once
// Writing by index; scatter_add stands with gather. Indices are i32 or i64 in [0, extent); Error{kInvalid}
// names one that is not. Where several elements meet, they are taken in row-major order of `index`.

#include "suiren/core/tensor.h"

namespace suiren {

/// A copy of x with y[index[i, j], j] = src[i, j] for axis 0, and so on for other axes. `index` has the rank
/// of x and no larger extents but along `axis`, src its shape. The last of several elements stays, and it
/// alone has a gradient.
Tensor scatter(const Tensor& x, int64_t axis, const Tensor& index, const Tensor& src);
/// Likewise y[index[i, j], j] = max(y[index[i, j], j], src[i, j]), or min; NaN wins. The gradient is shared
/// evenly by equal extrema (PyTorch's scatter_reduce with amax and amin, which includes x).
Tensor scatter_max(const Tensor& x, int64_t axis, const Tensor& index, const Tensor& src);
Tensor scatter_min(const Tensor& x, int64_t axis, const Tensor& index, const Tensor& src);
/// A copy of x with slices of src added along `axis`: y[..., index[i], ...] += src[..., i, ...]; index [N],
/// src as x but with extent N along `axis`.
Tensor index_add(const Tensor& x, int64_t axis, const Tensor& index, const Tensor& src);
/// Likewise y[..., index[i], ...] = src[..., i, ...].
Tensor index_copy(const Tensor& x, int64_t axis, const Tensor& index, const Tensor& src);

}  // namespace suiren
