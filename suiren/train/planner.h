#pragma once
// What a run will take, before it starts. Pure functions.

#include <cstdint>

#include "suiren/models/config.h"

namespace suiren::train {

/// Bytes, by what holds them, with `together` sequences in flight at a time.
struct MemoryPlan {
  int64_t weights = 0, gradients = 0, optimizer = 0;
  int64_t packed = 0;       ///< the chip's own copies of the weights, both ways round
  int64_t activations = 0;  ///< of the sequences in flight, with the logits and their gradient
  int64_t total() const { return weights + gradients + optimizer + packed + activations; }
};
/// `optimizer_states`: f32 numbers kept for each parameter (AdamW 2, momentum 1).
MemoryPlan plan_memory(const models::TransformerConfig& c, int64_t sequence_length, int optimizer_states,
                       int64_t together);

/// Whether the gradients of a model are so large that they are summed as they are formed, rather than a
/// sequence at a time; then sequences never run side by side.
bool large_gradients(const models::TransformerConfig& c);

/// How many sequences of a step of `sequences` run side by side: one a thread when there are enough of them,
/// the model is small, and half the free memory holds their activations and gradients; else one at a time.
/// The results are the same bits.
int64_t sequences_together(const models::TransformerConfig& c, int64_t sequence_length, int optimizer_states,
                           int64_t sequences);

/// Floating-point operations to train on one token: 6 parameters (of experts those that a token takes) + 6
/// layers length hidden (causal attention counted once).
double training_flops_per_token(const models::TransformerConfig& c, int64_t sequence_length);

/// Throws Error{kInvalid} with both numbers when the plan exceeds the memory that is left (cgroup too).
void check_memory(const MemoryPlan& plan);

}  // namespace suiren::train
