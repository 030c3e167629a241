#pragma once
// Cross-entropy of one row of f32 logits: what the kernels of losses share. Safe to call from any thread.

#include <cstdint>

#include "backends/cpu/kernel_list.h"

namespace suiren::cpu {

/// targets[i] (i32 or i64); Error{kInvalid} names it when it is outside [0, classes).
int64_t target_class(const Operand& targets, int64_t i, int64_t classes);

/// log(sum(exp(x))) of n >= 1 numbers; an infinite maximum is the result.
float logsumexp_row(const float* x, int64_t n);

/// x = g (softmax(x) - onehot(target)) in place: the gradient of g times the loss. Returns the loss,
/// logsumexp(x) - x[target].
float cross_entropy_row(float* x, int64_t n, int64_t target, float g);

}  // namespace suiren::cpu
