#pragma once
// Connectionist temporal classification (Graves et al. 2006): the loss of a sequence of labels whose places
// in time are not known.

#include "suiren/ops/loss/loss.h"

namespace suiren {

/// -ln of the probability that log_probs [T, N, C] (of a log_softmax over C) spell targets [N, S], i32 or i64
/// in [0, C) without `blank`: over all paths that give the target once repeats are merged and blanks removed.
/// input_lengths and target_lengths [N] i64: the steps in [1, T] and labels in [0, S] that count. One loss
/// for each of N (infinite when a target does not fit; 0 instead with `zero_infinity`), f32 (f64 for f64);
/// kMean divides each by its target's length first, as PyTorch does. Throws Error{kShape}; the caller answers
/// for lengths and labels.
///
/// The gradient is the true one of log_probs, -(probability of being in a label at a step); PyTorch's differs
/// by exp(log_probs), which its log_softmax takes out again.
Tensor ctc_loss(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths,
                const Tensor& target_lengths, int64_t blank = 0, Reduction reduction = Reduction::kMean,
                bool zero_infinity = false);

/// The gradient of log_probs for the gradient g [N] of the losses.
Tensor ctc_loss_backward(const Tensor& g, const Tensor& log_probs, const Tensor& targets,
                         const Tensor& input_lengths, const Tensor& target_lengths, int64_t blank);

}  // namespace suiren
