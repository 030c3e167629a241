#pragma once
// Variance and standard deviation over dimensions as in suiren/ops/reduce. Floats only, computed in
// accumulator(dtype) in two passes and rounded once.

#include "suiren/core/tensor.h"

namespace suiren {

/// sum of (x - mean)^2 over axes / (n - correction), n their number of elements; 1 is Bessel's correction.
/// NaN or infinite where n <= correction.
Tensor var(const Tensor& x, const Dims& axes = {}, double correction = 1, bool keep = false);
/// sqrt(var): torch.std, under a name that leaves namespace std alone. Its gradient is 0 where it is 0.
Tensor stddev(const Tensor& x, const Dims& axes = {}, double correction = 1, bool keep = false);

}  // namespace suiren
