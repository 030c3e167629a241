#pragma once
// Views: another shape on the same memory. They launch nothing and are differentiable.

#include <vector>

#include "suiren/core/tensor.h"

namespace suiren {

/// The same elements in row-major order under `shape`; one extent may be -1 (inferred). A tensor whose
/// strides do not allow it is copied first. Throws Error{kShape} when the element counts differ.
Tensor reshape(const Tensor& x, Shape shape);
/// Dimension i of the result is dimension order[i] of x.
Tensor permute(const Tensor& x, const Dims& order);
/// Two dimensions swapped; by default the last two.
Tensor transpose(const Tensor& x, int64_t a = -2, int64_t b = -1);
/// Elements begin, begin + step, ... below end of one dimension; step > 0. Negative begin and end count from
/// the end.
Tensor slice(const Tensor& x, int64_t axis, int64_t begin, int64_t end, int64_t step = 1);
/// x repeated along new or unit dimensions without a copy (NumPy rules).
Tensor broadcast_to(const Tensor& x, const Shape& shape);
/// A dimension of extent 1 added at `axis` or taken away there.
Tensor unsqueeze(const Tensor& x, int64_t axis);
Tensor squeeze(const Tensor& x, int64_t axis);
/// Dimension `from` moved to place `to`; the others keep their order.
Tensor movedim(const Tensor& x, int64_t from, int64_t to);
/// Parts of `sizes` elements along `axis`, one after another. Throws Error{kShape} unless they add up to its
/// extent.
std::vector<Tensor> split(const Tensor& x, const std::vector<int64_t>& sizes, int64_t axis);
/// Parts of `size` elements along `axis`; the last may be smaller.
std::vector<Tensor> split(const Tensor& x, int64_t size, int64_t axis);
/// At most `parts` parts of ceil(extent / parts) elements; the last may be smaller.
std::vector<Tensor> chunk(const Tensor& x, int64_t parts, int64_t axis);
/// Rows x_i [N_i] as coordinates of a grid: result i is [N_0, N_1, ...] and varies along dimension i alone.
std::vector<Tensor> meshgrid(const std::vector<Tensor>& rows);

}  // namespace suiren
