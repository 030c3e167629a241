#pragma once
// Elements chosen by index. Indices are i32 or i64 in [0, extent); Error{kInvalid} names one that is not.

#include "suiren/core/tensor.h"

namespace suiren {

/// y[i, j, ...] = x[index[i, j, ...], j, ...] for axis 0, and so on for other axes; shape of `index`, which
/// has the rank of x and no larger extents but along `axis`.
Tensor gather(const Tensor& x, int64_t axis, const Tensor& index);
/// A copy of x with src added where gather would read: y[index[i, j], j] += src[i, j]; src has the shape of
/// `index`. Elements that meet are added in row-major order of `index`.
Tensor scatter_add(const Tensor& x, int64_t axis, const Tensor& index, const Tensor& src);
/// Slices of x along `axis`: y[..., i, ...] = x[..., index[i], ...]; index [N].
Tensor index_select(const Tensor& x, int64_t axis, const Tensor& index);

}  // namespace suiren
