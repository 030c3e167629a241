#pragma once
// Activations with parameters; those without are functions in suiren/ops/unary. Floats only, dtype and shape
// of x (but glu); they throw Error{kShape} for other dtypes and Error{kInvalid} for a parameter out of its
// range.

#include "suiren/core/tensor.h"

namespace suiren {

/// x > 0 ? x : slope x.
Tensor leaky_relu(const Tensor& x, double slope = 0.01);
/// x > 0 ? x : alpha (e^x - 1) (Clevert et al. 2015).
Tensor elu(const Tensor& x, double alpha = 1);
/// x > 0 ? x : alpha (e^(x / alpha) - 1), alpha > 0 (Barron 2017).
Tensor celu(const Tensor& x, double alpha = 1);
/// ln(1 + e^(beta x)) / beta, and x itself where beta x > threshold; beta > 0.
Tensor softplus(const Tensor& x, double beta = 1, double threshold = 20);
/// min(max(x, low), high).
Tensor hardtanh(const Tensor& x, double low = -1, double high = 1);
Tensor relu6(const Tensor& x);  ///< min(max(x, 0), 6)

/// x > 0 ? x : weight x, with a weight [C] for the channels (dimension 1 of x; dimension 0 of a vector), or
/// one weight [1] for all (He et al. 2015).
Tensor prelu(const Tensor& x, const Tensor& weight);
/// a sigmoid(b), where a and b are the halves of x along `axis` (Dauphin et al. 2016). That extent is even.
Tensor glu(const Tensor& x, int64_t axis = -1);

}  // namespace suiren
