#pragma once
// Losses of predicted classes with class weights, ignored targets and label smoothing. The bare loss of the
// training loop is suiren/ops/cross_entropy.
//
// x is [N, C] or [N, C, ...] with targets [N] or [N, ...], i32 or i64 in [0, C) or equal to `ignore_index`; a
// weight is [C] in the dtype of x, or undefined (1). The mean is weighted: sum of losses / sum of the weights
// of the targets that are not ignored. Losses are f32 (f64 for f64). Throw Error{kShape} for other shapes.

#include "suiren/ops/loss/loss.h"

namespace suiren {

struct ClassLossOptions {
  Tensor weight;
  int64_t ignore_index = -100;
  double label_smoothing = 0;  ///< cross_entropy_loss only: the share of the uniform distribution, in [0, 1]
  Reduction reduction = Reduction::kMean;
};

/// -weight[t] x[t] for log-probabilities x.
Tensor nll_loss(const Tensor& log_probs, const Tensor& targets, const ClassLossOptions& options = {});
/// Of logits x with p = log_softmax(x) and s = label_smoothing:
/// -(1 - s) weight[t] p[t] - s / C (sum over classes c of weight[c] p[c]).
Tensor cross_entropy_loss(const Tensor& logits, const Tensor& targets, const ClassLossOptions& options = {});

}  // namespace suiren
