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
/// -log(1 - philox_uniform(seed, stream, i)) / rate, likewise. Throws Error{kInvalid} unless rate > 0.
Tensor exponential(const Shape& shape, double rate, uint64_t seed, uint64_t stream = 0, DType dtype = kF32,
                   const Device& device = {});
/// low + floor((high - low) philox_uniform(seed, stream, i)), in [low, high); any number type. Throws
/// Error{kInvalid} unless low < high, at most 2^53 apart and from 0.
Tensor randint(const Shape& shape, int64_t low, int64_t high, uint64_t seed, uint64_t stream = 0,
               DType dtype = kI64, const Device& device = {});

}  // namespace suiren
