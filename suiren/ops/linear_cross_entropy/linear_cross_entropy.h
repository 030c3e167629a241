#pragma once
// Cross-entropy behind a linear layer, for the head of a language model: the logits, tokens times vocabulary,
// are far larger than what goes in and comes out, and a chip that has a kernel never holds them whole
// (Wijmans et al., "Cut your losses in large-vocabulary language models", 2024).
//
// x [N, D] and weight [V, D] of one floating dtype, targets [N] i32 or i64 in [0, V), for which the caller
// answers; z = x weight^T, formed and kept in f32 (f64 for f64) whatever the dtype of x.

#include <vector>

#include "suiren/core/tensor.h"

namespace suiren {

/// loss[i] = logsumexp(z[i]) - z[i, targets[i]], natural logarithm -> [N] in f32 (f64 for f64). Its gradient
/// forms z once more: a third more multiplications than linear() and cross_entropy(), which keep it. Where
/// the gradient of the loss is known beforehand, as in training, the functions below take none more.
Tensor linear_cross_entropy(const Tensor& x, const Tensor& weight, const Tensor& targets);

/// {loss [N], dx [N, D], dweight [V, D]} with d the gradients of sum(g * loss) for g [N], in one pass over z.
std::vector<Tensor> linear_cross_entropy_gradients(const Tensor& x, const Tensor& weight,
                                                   const Tensor& targets, const Tensor& g);

/// {loss [N], dx [N, D]}, and sum += dweight in place: sum [V, D] in f32 (f64 for f64). Throws
/// Error{kInvalid} when `sum` requires a gradient (write under NoGrad).
std::vector<Tensor> linear_cross_entropy_accumulate(const Tensor& sum, const Tensor& x, const Tensor& weight,
                                                    const Tensor& targets, const Tensor& g);

}  // namespace suiren
