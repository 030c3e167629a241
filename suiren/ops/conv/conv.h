#pragma once
// Convolution over any number of spatial dimensions, channels first (NCHW), its transpose, and its gradients.
// The three are linear in each operand, and the gradients of each are the other two.

#include "suiren/core/tensor.h"

namespace suiren {

/// One number for each spatial dimension, or a single one for all.
struct ConvOptions {
  Dims stride{1}, padding{0}, dilation{1};
  int64_t groups = 1;
};
struct ConvTransposeOptions {
  Dims stride{1}, padding{0}, output_padding{0};
  int64_t groups = 1;
  Dims dilation{1};
};

/// y[n, o, p] = bias[o] + sum over c, k of x[n, c, p stride - padding + k dilation] weight[o, c, k], where c
/// runs over the channels of o's group and x is 0 outside: x [N, C, L...], weight [O, C / groups, K...],
/// bias [O] or undefined -> [N, O, (L + 2 padding - dilation (K - 1) - 1) / stride + 1 ...]. Floating dtypes;
/// bf16 and f16 are summed in f32 and rounded once. The zeros outside are multiplied like other elements:
/// an infinite weight makes NaN there. Throws Error{kShape} when shapes, groups or lists do not fit.
Tensor conv(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, const ConvOptions& options = {});
/// conv for x of rank 3, 4 and 5.
Tensor conv1d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
              const ConvOptions& options = {});
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
              const ConvOptions& options = {});
Tensor conv3d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
              const ConvOptions& options = {});

/// y[n, o, i stride - padding + k dilation] sums x[n, c, i] weight[c, o, k], plus bias[o]: x [N, C, L...],
/// weight [C, O / groups, K...] -> [N, O, (L - 1) stride - 2 padding + dilation (K - 1) + output_padding +
/// 1 ...]. The gradient of conv by its input, as a layer (Zeiler et al. 2010). output_padding must be less
/// than stride or dilation.
Tensor conv_transpose(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                      const ConvTransposeOptions& options = {});
/// conv_transpose for x of rank 3, 4 and 5.
Tensor conv_transpose1d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                        const ConvTransposeOptions& options = {});
Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                        const ConvTransposeOptions& options = {});
Tensor conv_transpose3d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                        const ConvTransposeOptions& options = {});

/// dweight[o, c, k] = sum over n, p of x[n, c, p stride - padding + k dilation] g[n, o, p]: x [N, C, L...],
/// g [N, O, P...] -> [O, C / groups, kernel...]: the gradient of conv by its weight. Images are added in
/// ascending order within fixed parts of the batch, whatever the threads.
Tensor conv_weight_gradient(const Tensor& x, const Tensor& g, const Dims& kernel,
                            const ConvOptions& options = {});

}  // namespace suiren
