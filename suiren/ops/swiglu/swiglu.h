#pragma once
// The gated product of Llama's feed-forward block (Shazeer 2020).

#include <vector>

#include "suiren/core/tensor.h"

namespace suiren {

/// y = silu(gate) * up, elementwise; both of one shape and dtype. Computes in f32 (f64 for f64).
Tensor swiglu(const Tensor& gate, const Tensor& up);
/// {dgate, dup} for the gradient g of y.
std::vector<Tensor> swiglu_backward(const Tensor& g, const Tensor& gate, const Tensor& up);

}  // namespace suiren
