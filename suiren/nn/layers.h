#pragma once
// The layers that the transformer families share. Calls are const and safe from several threads.

#include "suiren/nn/module.h"

namespace suiren::nn {

/// y = x W^T + b: x [..., in] -> [..., out]; weight [out, in], bias [out].
class Linear : public Module {
 public:
  Linear(int64_t in, int64_t out, bool bias = true, const Placement& at = {});
  Tensor operator()(const Tensor& x) const;
  Tensor weight, bias;  ///< bias is undefined without one
};

/// Rows of a table: ids [...] (i32 or i64, each in [0, count)) -> [..., width]; weight [count, width].
class Embedding : public Module {
 public:
  Embedding(int64_t count, int64_t width, const Placement& at = {});
  Tensor operator()(const Tensor& ids) const;
  Tensor weight;
};

/// x / sqrt(mean(x^2) + eps) * weight over the last dimension (Zhang & Sennrich 2019); weight [width].
class RmsNorm : public Module {
 public:
  RmsNorm(int64_t width, double eps, const Placement& at = {});
  Tensor operator()(const Tensor& x) const;
  Tensor weight;

 private:
  double eps_;
};

}  // namespace suiren::nn
