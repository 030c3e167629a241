#pragma once
// One step of AdamW (Loshchilov & Hutter 2019) on one tensor, in place.

#include <cstdint>

#include "suiren/core/tensor.h"

namespace suiren {

struct AdamWStep {
  double lr, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0.01;
  int64_t step = 1;       ///< of this update, from 1
  double grad_scale = 1;  ///< multiplies grad first: clipping, or the mean over micro-batches
};

/// Writes param, m and v (of one shape; f32 or f64), with g = grad * grad_scale and t = step:
///   p *= 1 - lr weight_decay;  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
///   p -= lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps)
/// grad may have another floating dtype. No gradient flows through it: call it under NoGrad.
void adamw(const Tensor& param, const Tensor& m, const Tensor& v, const Tensor& grad, const AdamWStep& step);

}  // namespace suiren
