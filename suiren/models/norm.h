#pragma once
// The norm of a family: RMS (Zhang & Sennrich 2019), times weight or 1 + weight, or layer norm (Ba et al.
// 2016).

#include "suiren/models/config.h"
#include "suiren/nn/module.h"

namespace suiren::models {

class Norm : public nn::Module {
 public:
  /// Over the last dimension, of extent `width`.
  Norm(const TransformerConfig& config, int64_t width, const nn::Placement& at);
  /// An RMS norm with an epsilon of its own.
  Norm(int64_t width, double eps, const nn::Placement& at);
  Tensor operator()(const Tensor& x) const;

 private:
  NormKind kind_ = NormKind::kRms;
  bool offset_ = false;
  double eps_;
  Tensor weight_, bias_;  // [width]; a bias with layer norm only
};

}  // namespace suiren::models
