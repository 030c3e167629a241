#pragma once
// Random tensors without state: element i is a function of (seed, stream, i) by Philox (base/philox.h), so
// neither threads nor the order of calls change it.

#include "suiren/core/tensor.h"

namespace suiren {

/// low + (high - low) * philox_uniform(seed, stream, i), formed in f64 and rounded to dtype (floats only).
/// Values lie in [low, high]; rounding may reach `high`.
Tensor uniform(const Shape& shape, double low, double high, uint64_t seed, uint64_t stream = 0,
               DType dtype = kF32, const Device& device = {});
/// mean + std * philox_normal(seed, stream, i), likewise.
Tensor normal(const Shape& shape, double mean, double std, uint64_t seed, uint64_t stream = 0,
              DType dtype = kF32, const Device& device = {});

}  // namespace suiren
