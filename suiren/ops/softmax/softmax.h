#pragma once
// Softmax and its kin over one dimension, with the maximum subtracted first. They compute in f32 (f64 for
// f64) and round once. An axis below zero counts from the end.

#include "suiren/core/tensor.h"

namespace suiren {

/// y = exp(x) / sum(exp(x)) along `axis`.
Tensor softmax(const Tensor& x, int64_t axis = -1);
/// y = x - log(sum(exp(x))) along `axis`.
Tensor log_softmax(const Tensor& x, int64_t axis = -1);
/// y = log(sum(exp(x))) along `axis`, which goes (or stays with extent 1, with `keep`); -inf when all of x
/// is. Throws Error{kShape} when that dimension is empty.
Tensor logsumexp(const Tensor& x, int64_t axis = -1, bool keep = false);

}  // namespace suiren
