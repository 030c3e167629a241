#pragma once
// Cross-entropy of rows of logits against one right class each.

#include <vector>

#include "suiren/core/tensor.h"

namespace suiren {

/// loss[i] = logsumexp(logits[i]) - logits[i, targets[i]], natural logarithm: logits [N, V], targets [N] i32
/// or i64 in [0, V) -> [N] in f32 (f64 for f64). The caller answers for the range of targets.
Tensor cross_entropy(const Tensor& logits, const Tensor& targets);
/// {loss [N], lse [N]} with lse = logsumexp(logits).
std::vector<Tensor> cross_entropy_with_lse(const Tensor& logits, const Tensor& targets);

/// dlogits[i, j] = p[i, j] (g[i] + g_lse[i]) - (j = targets[i]) g[i] with p = exp(logits - lse), for the
/// gradients g of loss and g_lse of lse.
Tensor cross_entropy_backward(const Tensor& logits, const Tensor& targets, const Tensor& lse, const Tensor& g,
                              const Tensor& g_lse);

}  // namespace suiren
