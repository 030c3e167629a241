#include "suiren/nn/vision.h"

#include <cmath>

#include "suiren/core/autograd.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/conv/conv.h"
#include "suiren/ops/copy/copy.h"
#include "suiren/ops/dropout/dropout.h"
#include "suiren/ops/norms/norms.h"
#include "suiren/ops/pool/pool.h"
#include "suiren/ops/unary/unary.h"
#include "suiren/ops/upsample/upsample.h"
#include "suiren/ops/view/view.h"

namespace suiren::nn {
namespace {

Dims for_each_dim(const Dims& list, int dims, const char* name) {
  SR_CHECK(list.size() == 1 || list.size() == dims, "{} is {}, expected 1 or {} numbers", name, list, dims);
  if (list.size() == dims) return list;
  Dims all;
  for (int d = 0; d < dims; ++d) all.push_back(list[0]);
  return all;
}

// [a, b / groups, kernel...]
Shape weight_shape(int64_t a, int64_t b, int64_t groups, const Dims& kernel, int dims) {
  SR_CHECK(groups >= 1 && a % groups == 0 && b % groups == 0,
           "{} and {} channels cannot be divided into {} groups", a, b, groups);
  Shape shape{a, b / groups};
  for (int64_t k : for_each_dim(kernel, dims, "kernel")) shape.push_back(k);
  return shape;
}
double uniform_bound(const Shape& weight) {
  return 1 / std::sqrt(static_cast<double>(weight.numel()) / static_cast<double>(weight[0]));
}

Dims stride_of(const PoolLayerOptions& o) { return o.stride == Dims{0} ? Dims{} : Dims(o.stride); }

}  // namespace

template <int kDims>
Conv<kDims>::Conv(int64_t in, int64_t out, const ConvLayerOptions& options, const Placement& at)
    : options_(options) {
  const Shape shape = weight_shape(out, in, options.groups, options.kernel, kDims);
  add_parameter("weight", weight, shape, Init::kNormal, at, uniform_bound(shape));
  if (options.bias) add_parameter("bias", bias, {out}, Init::kZeros, at, uniform_bound(shape));
}
template <int kDims>
Tensor Conv<kDims>::operator()(const Tensor& x) const {
  return conv(x, weight, bias, {options_.stride, options_.padding, options_.dilation, options_.groups});
}
template class Conv<1>;
template class Conv<2>;
template class Conv<3>;

template <int kDims>
ConvTranspose<kDims>::ConvTranspose(int64_t in, int64_t out, const ConvTransposeLayerOptions& options,
                                    const Placement& at)
    : options_(options) {
  const Shape shape = weight_shape(in, out, options.groups, options.kernel, kDims);
  add_parameter("weight", weight, shape, Init::kNormal, at, uniform_bound(shape));
  if (options.bias) add_parameter("bias", bias, {out}, Init::kZeros, at, uniform_bound(shape));
}
template <int kDims>
Tensor ConvTranspose<kDims>::operator()(const Tensor& x) const {
  return conv_transpose(
      x, weight, bias,
      {options_.stride, options_.padding, options_.output_padding, options_.groups, options_.dilation});
}
template class ConvTranspose<1>;
template class ConvTranspose<2>;
template class ConvTranspose<3>;

BatchNorm::BatchNorm(int64_t channels, double eps, double momentum, const Placement& at)
    : eps_(eps), momentum_(momentum) {
  add_parameter("weight", weight, {channels}, Init::kOnes, at);
  add_parameter("bias", bias, {channels}, Init::kZeros, at);
  add_buffer("running_mean", running_mean, {channels}, Init::kZeros, at);
  add_buffer("running_var", running_var, {channels}, Init::kOnes, at);
}
Tensor BatchNorm::operator()(const Tensor& x) const {
  if (!training()) return batch_norm_inference(x, running_mean, running_var, weight, bias, eps_);
  const Tensors result = batch_norm(x, weight, bias, eps_);
  const NoGrad off;
  const double count = static_cast<double>(x.numel()) / static_cast<double>(x.dim(1));
  SR_CHECK(count > 1, "batch normalization of x with shape {}: one element a channel has no variance",
           x.shape());
  const auto follow = [&](const Tensor& running, const Tensor& batch, double scale) {
    assign(running, running * (1 - momentum_) + cast(batch.detach() * (momentum_ * scale), running.dtype()));
  };
  follow(running_mean, result[1], 1);
  follow(running_var, result[2], count / (count - 1));
  return result[0];
}

LayerNorm::LayerNorm(const PerDimension& shape, double eps, const Placement& at) : eps_(eps) {
  Shape s;
  for (int64_t d : shape) s.push_back(d);
  add_parameter("weight", weight, s, Init::kOnes, at);
  add_parameter("bias", bias, s, Init::kZeros, at);
}
Tensor LayerNorm::operator()(const Tensor& x) const { return layer_norm(x, weight, bias, eps_); }

GroupNorm::GroupNorm(int64_t groups, int64_t channels, double eps, const Placement& at)
    : groups_(groups), eps_(eps) {
  add_parameter("weight", weight, {channels}, Init::kOnes, at);
  add_parameter("bias", bias, {channels}, Init::kZeros, at);
}
Tensor GroupNorm::operator()(const Tensor& x) const { return group_norm(x, groups_, weight, bias, eps_); }

MaxPool::MaxPool(const PerDimension& kernel, const PoolLayerOptions& options)
    : kernel_(kernel), options_(options) {}
Tensor MaxPool::operator()(const Tensor& x) const {
  return max_pool(
      x, kernel_,
      {.stride = stride_of(options_), .padding = options_.padding, .ceil_mode = options_.ceil_mode});
}

AvgPool::AvgPool(const PerDimension& kernel, const PoolLayerOptions& options)
    : kernel_(kernel), options_(options) {}
Tensor AvgPool::operator()(const Tensor& x) const {
  return avg_pool(
      x, kernel_,
      {.stride = stride_of(options_), .padding = options_.padding, .ceil_mode = options_.ceil_mode});
}

Tensor AdaptiveAvgPool::operator()(const Tensor& x) const { return adaptive_avg_pool(x, size_); }

Tensor Upsample::operator()(const Tensor& x) const {
  Dims size = for_each_dim(scale_, x.rank() - 2, "scale");
  for (int d = 0; d < size.rank(); ++d) size[d] *= x.dim(d + 2);
  return linear_ ? upsample_linear(x, size, align_corners_) : upsample_nearest(x, size);
}

Tensor Flatten::operator()(const Tensor& x) const {
  int64_t elements = 1;
  for (int d = 1; d < x.rank(); ++d) elements *= x.dim(d);
  return reshape(x, {x.dim(0), elements});
}

Tensor Dropout::operator()(const Tensor& x) const { return training() ? dropout(x, p_, seed_, ++calls_) : x; }

Tensor Relu::operator()(const Tensor& x) const { return relu(x); }
Tensor Gelu::operator()(const Tensor& x) const { return gelu(x); }
Tensor Silu::operator()(const Tensor& x) const { return silu(x); }
Tensor Sigmoid::operator()(const Tensor& x) const { return sigmoid(x); }
Tensor Tanh::operator()(const Tensor& x) const { return tanh(x); }

}  // namespace suiren::nn
