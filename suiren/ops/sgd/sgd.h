#pragma once
// One step of stochastic gradient descent with momentum (Sutskever et al. 2013) on one tensor, in place.

#include "suiren/core/tensor.h"

namespace suiren {

struct SgdStep {
  double lr, momentum = 0, weight_decay = 0;
  bool nesterov = false;
  double grad_scale = 1;  ///< multiplies grad first: clipping, or the mean over micro-batches
};

/// Writes param and velocity (of one shape; f32 or f64; velocity begins as zeros), with
/// g = grad * grad_scale + weight_decay p:
///   velocity = momentum velocity + g;  p -= lr (nesterov ? g + momentum velocity : velocity)
/// grad may have another floating dtype. No gradient flows through it: call it under NoGrad.
void sgd(const Tensor& param, const Tensor& velocity, const Tensor& grad, const SgdStep& step);

}  // namespace suiren
