#pragma once
// Clipping by the global norm. Safe from any thread.

#include <span>

#include "suiren/core/tensor.h"

namespace suiren::optim {

/// sqrt of the sum of squares over all gradients: each tensor's sum in f64 (op sum_squares), the sums added
/// in order. Infinite or NaN when a gradient is.
double global_norm(std::span<const Tensor> grads);
/// min(1, limit / (norm + 1e-6)); 1 when limit is 0 (no clipping). Pass it to Optimizer::step as grad_scale.
double clip_coefficient(double norm, double limit);

}  // namespace suiren::optim
