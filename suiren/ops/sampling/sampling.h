#pragma once
// Random choices without state: each is a function of (seed, stream, place) by Philox (base/philox.h), so
// neither threads nor the order of calls change it.

#include "suiren/core/tensor.h"

namespace suiren {

/// y[i] = 1 where philox_uniform(seed, stream, i) < p[i], else 0; dtype and shape of p, floats only.
Tensor bernoulli(const Tensor& p, uint64_t seed, uint64_t stream = 0);
/// Draws from each row of weights p [..., C], which need not add up to 1: [..., samples], i64.
/// With replacement draw j of row r is the first c with p[0] + ... + p[c] > u (p[0] + ... + p[C-1]), sums in
/// f64, u = philox_uniform(seed, stream, r samples + j). Without, they are the c with the smallest
/// -log(1 - u[c]) / p[c], u[c] = philox_uniform(seed, stream, r C + c), in that order (Efraimidis & Spirakis
/// 2006). Throws Error{kInvalid} for a weight that is negative or not finite, and when a row has too few
/// positive ones.
Tensor multinomial(const Tensor& p, int64_t samples, bool replacement, uint64_t seed, uint64_t stream = 0);
/// The numbers 0 .. n - 1 in the order of the first 64 bits of philox(seed, stream, i): [n], i64.
Tensor randperm(int64_t n, uint64_t seed, uint64_t stream = 0, const Device& device = {});

}  // namespace suiren
