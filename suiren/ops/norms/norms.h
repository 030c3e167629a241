#pragma once
// Normalization to mean 0 and variance 1 over a row, a group of channels or a batch, then scale and shift.
// All compute in f32 (f64 for f64) and round once; variances are the mean squared deviation (over n, not
// n - 1). (rms_norm has a room of its own.)

#include <vector>

#include "suiren/core/tensor.h"

namespace suiren {

/// y = (x - mean) / sqrt(var + eps) * weight + bias over the last weight.rank() dimensions (Ba, Kiros &
/// Hinton 2016): weight and bias [D...] are those dimensions of x; an undefined bias counts as 0.
Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, double eps = 1e-5);
/// {dx, dweight, dbias} for the gradient g of y.
std::vector<Tensor> layer_norm_backward(const Tensor& g, const Tensor& x, const Tensor& weight, double eps);

/// The same over each of `groups` groups of channels of an image (Wu & He 2018): x [N, C, L...], weight and
/// bias [C]; C must be a multiple of groups.
Tensor group_norm(const Tensor& x, int64_t groups, const Tensor& weight, const Tensor& bias = {},
                  double eps = 1e-5);
std::vector<Tensor> group_norm_backward(const Tensor& g, const Tensor& x, const Tensor& weight,
                                        int64_t groups, double eps);
/// group_norm with one channel in each group (Ulyanov, Vedaldi & Lempitsky 2016).
Tensor instance_norm(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, double eps = 1e-5);

/// {y, mean [C], var [C]}: the same over each channel of a whole batch (Ioffe & Szegedy 2015): x [N, C,
/// L...], weight and bias [C]. mean and var (of the accumulator's dtype) are for running statistics.
std::vector<Tensor> batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                               double eps = 1e-5);
/// y with the given mean and var [C] in place of the batch's: for evaluation.
Tensor batch_norm_inference(const Tensor& x, const Tensor& mean, const Tensor& var, const Tensor& weight,
                            const Tensor& bias = {}, double eps = 1e-5);
/// {dx, dweight, dbias} of batch_norm for the gradients of y, mean and var.
std::vector<Tensor> batch_norm_backward(const Tensor& g, const Tensor& x, const Tensor& weight,
                                        const Tensor& mean, const Tensor& var, const Tensor& g_mean,
                                        const Tensor& g_var, double eps);

}  // namespace suiren
