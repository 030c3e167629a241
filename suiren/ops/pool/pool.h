#pragma once
// Pooling over the spatial dimensions of x [N, C, L...]: windows that slide, or that divide x evenly
// (adaptive). Lists hold one number for each spatial dimension, or a single one for all.

#include <vector>

#include "suiren/core/tensor.h"

namespace suiren {

struct MaxPoolOptions {
  Dims stride{};  ///< none: that of the kernel
  Dims padding{0}, dilation{1};
  bool ceil_mode = false;  ///< a last window may begin inside x and reach past its end
};
struct AvgPoolOptions {
  Dims stride{};  ///< none: that of the kernel
  Dims padding{0};
  bool ceil_mode = false;
  bool count_include_pad = true;  ///< the zeros of the padding count in the divisor
};

/// y[n, c, p] = the largest x[n, c, p stride - padding + k dilation] over k inside x; NaN counts as the
/// largest. Floating dtypes. Padding is at most half the kernel. Throws Error{kShape} when lists do not fit
/// or a window would be empty.
Tensor max_pool(const Tensor& x, const Dims& kernel, const MaxPoolOptions& options = {});
/// {y, index}: i64, where in its plane of x (row-major over L...) each maximum stands, the first of equals.
std::vector<Tensor> max_pool_with_indices(const Tensor& x, const Dims& kernel,
                                          const MaxPoolOptions& options = {});
/// y[n, c, p] = the mean of x over the window p stride - padding + k, zeros outside.
Tensor avg_pool(const Tensor& x, const Dims& kernel, const AvgPoolOptions& options = {});
/// Window i of `size` covers the elements floor(i L / size) <= j < ceil((i + 1) L / size).
Tensor adaptive_avg_pool(const Tensor& x, const Dims& size);
Tensor adaptive_max_pool(const Tensor& x, const Dims& size);
/// {y, index} as max_pool_with_indices.
std::vector<Tensor> adaptive_max_pool_with_indices(const Tensor& x, const Dims& size);

/// dx[n, c, index] = sum of g[n, c, p] where index[n, c, p] says so, 0 elsewhere; in order of p. `size` is
/// that of the planes of x. The caller answers for the range of the indices.
Tensor max_pool_backward(const Tensor& g, const Tensor& index, const Dims& size);

}  // namespace suiren
