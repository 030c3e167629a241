#pragma once
// The cosine of the angle between vectors.

#include "suiren/core/tensor.h"

namespace suiren {

/// sum(a b) / (max(|a|, eps) max(|b|, eps)) along `axis`, which goes: a and b of one shape and floating
/// dtype. Throws Error{kShape} otherwise and Error{kInvalid} for a negative eps.
Tensor cosine_similarity(const Tensor& a, const Tensor& b, int64_t axis = 1, double eps = 1e-8);

}  // namespace suiren
