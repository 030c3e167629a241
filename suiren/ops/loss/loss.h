#pragma once
// Losses of predictions x against targets of the same shape and floating dtype. The ops give one loss for
// each element; Reduction says what becomes of them. Throw Error{kShape} for other shapes or dtypes.

#include "suiren/core/tensor.h"

namespace suiren {

enum class Reduction {
  kNone,  ///< every loss
  kMean,  ///< their mean, []
  kSum    ///< their sum, []
};
/// The losses, reduced.
Tensor reduced(const Tensor& losses, Reduction reduction);

Tensor mse_loss(const Tensor& x, const Tensor& target,
                Reduction reduction = Reduction::kMean);                                        ///< (x - t)^2
Tensor l1_loss(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::kMean);  ///< |x - t|
/// d = |x - t|: d^2 / 2 up to delta > 0, then delta (d - delta / 2).
Tensor huber_loss(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::kMean,
                  double delta = 1);
/// d = |x - t|: d^2 / (2 beta) below beta >= 0, then d - beta / 2.
Tensor smooth_l1_loss(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::kMean,
                      double beta = 1);
/// -(t ln x + (1 - t) ln(1 - x)) for probabilities x; each logarithm is at least -100.
Tensor binary_cross_entropy(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::kMean);
/// The same for logits, -(w t ln s(x) + (1 - t) ln(1 - s(x))) with s the sigmoid, without overflow.
/// `pos_weight` (w, broadcast to x) may be undefined: 1.
Tensor bce_with_logits(const Tensor& x, const Tensor& target, const Tensor& pos_weight = {},
                       Reduction reduction = Reduction::kMean);
/// t (ln t - x) for log-probabilities x, 0 where t is 0; with `log_target` t is given as its logarithm.
Tensor kl_div(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::kMean,
              bool log_target = false);

}  // namespace suiren
