#pragma once
// Layers for images and other fields, channels first: x [N, C, L...]. Calls are const; those that depend on
// training() change state then (running statistics, the number of a dropout mask) and belong to one thread.

#include "suiren/nn/module.h"

namespace suiren::nn {

/// One number for each spatial dimension, or a single one for all.
class PerDimension : public Dims {
 public:
  PerDimension(int64_t all) : Dims{all} {}
  PerDimension(std::initializer_list<int64_t> each) : Dims(each) {}
};

struct ConvLayerOptions {
  PerDimension kernel = 1, stride = 1, padding = 0, dilation = 1;
  int64_t groups = 1;
  bool bias = true;
};

/// y = conv(x, weight) + bias (suiren/ops/conv): weight [out, in / groups, kernel...], bias [out].
template <int kDims>
class Conv : public Module {
 public:
  Conv(int64_t in, int64_t out, const ConvLayerOptions& options, const Placement& at = {});
  Tensor operator()(const Tensor& x) const;
  Tensor weight, bias;  ///< bias is undefined without one

 private:
  ConvLayerOptions options_;
};
using Conv1d = Conv<1>;
using Conv2d = Conv<2>;
using Conv3d = Conv<3>;

struct ConvTransposeLayerOptions {
  PerDimension kernel = 1, stride = 1, padding = 0, output_padding = 0, dilation = 1;
  int64_t groups = 1;
  bool bias = true;
};

/// y = conv_transpose(x, weight) + bias: weight [in, out / groups, kernel...], bias [out].
template <int kDims>
class ConvTranspose : public Module {
 public:
  ConvTranspose(int64_t in, int64_t out, const ConvTransposeLayerOptions& options, const Placement& at = {});
  Tensor operator()(const Tensor& x) const;
  Tensor weight, bias;

 private:
  ConvTransposeLayerOptions options_;
};
using ConvTranspose1d = ConvTranspose<1>;
using ConvTranspose2d = ConvTranspose<2>;
using ConvTranspose3d = ConvTranspose<3>;

/// Training: normalized by the batch, and running = (1 - momentum) running + momentum batch, with the
/// variance over n - 1. Evaluation: normalized by the running statistics. weight, bias, running_mean,
/// running_var [channels].
class BatchNorm : public Module {
 public:
  explicit BatchNorm(int64_t channels, double eps = 1e-5, double momentum = 0.1, const Placement& at = {});
  Tensor operator()(const Tensor& x) const;
  Tensor weight, bias, running_mean, running_var;

 private:
  double eps_, momentum_;
};
using BatchNorm1d = BatchNorm;
using BatchNorm2d = BatchNorm;
using BatchNorm3d = BatchNorm;

/// Over the last dimensions, of extents `shape`.
class LayerNorm : public Module {
 public:
  explicit LayerNorm(const PerDimension& shape, double eps = 1e-5, const Placement& at = {});
  Tensor operator()(const Tensor& x) const;
  Tensor weight, bias;

 private:
  double eps_;
};

class GroupNorm : public Module {
 public:
  GroupNorm(int64_t groups, int64_t channels, double eps = 1e-5, const Placement& at = {});
  Tensor operator()(const Tensor& x) const;
  Tensor weight, bias;

 private:
  int64_t groups_;
  double eps_;
};

struct PoolLayerOptions {
  PerDimension stride = 0;  ///< 0: that of the kernel
  PerDimension padding = 0;
  bool ceil_mode = false;
};
class MaxPool : public Module {
 public:
  explicit MaxPool(const PerDimension& kernel, const PoolLayerOptions& options = {});
  Tensor operator()(const Tensor& x) const;

 private:
  PerDimension kernel_;
  PoolLayerOptions options_;
};
using MaxPool1d = MaxPool;
using MaxPool2d = MaxPool;
using MaxPool3d = MaxPool;

class AvgPool : public Module {
 public:
  explicit AvgPool(const PerDimension& kernel, const PoolLayerOptions& options = {});
  Tensor operator()(const Tensor& x) const;

 private:
  PerDimension kernel_;
  PoolLayerOptions options_;
};
using AvgPool1d = AvgPool;
using AvgPool2d = AvgPool;
using AvgPool3d = AvgPool;

/// Pools to the given extents, whatever those of x.
class AdaptiveAvgPool : public Module {
 public:
  explicit AdaptiveAvgPool(const PerDimension& size) : size_(size) {}
  Tensor operator()(const Tensor& x) const;

 private:
  PerDimension size_;
};
using AdaptiveAvgPool1d = AdaptiveAvgPool;
using AdaptiveAvgPool2d = AdaptiveAvgPool;
using AdaptiveAvgPool3d = AdaptiveAvgPool;

/// Each spatial extent times `scale`, by the nearest element or by linear interpolation.
class Upsample : public Module {
 public:
  explicit Upsample(const PerDimension& scale, bool linear = false, bool align_corners = false)
      : scale_(scale), linear_(linear), align_corners_(align_corners) {}
  Tensor operator()(const Tensor& x) const;

 private:
  PerDimension scale_;
  bool linear_, align_corners_;
};

/// [N, ...] -> [N, elements of one]; no parameters.
struct Flatten : Module {
  Tensor operator()(const Tensor& x) const;
};

/// In training, zeroes each element with probability p and scales the others by 1 / (1 - p). Call k uses the
/// mask of stream k of `seed`.
class Dropout : public Module {
 public:
  explicit Dropout(double p, uint64_t seed = 0) : p_(p), seed_(seed) {}
  Tensor operator()(const Tensor& x) const;

 private:
  double p_;
  uint64_t seed_;
  mutable uint64_t calls_ = 0;
};

// Elementwise functions as layers.
struct Relu : Module {
  Tensor operator()(const Tensor& x) const;
};
struct Gelu : Module {
  Tensor operator()(const Tensor& x) const;
};
struct Silu : Module {
  Tensor operator()(const Tensor& x) const;
};
struct Sigmoid : Module {
  Tensor operator()(const Tensor& x) const;
};
struct Tanh : Module {
  Tensor operator()(const Tensor& x) const;
};

}  // namespace suiren::nn
