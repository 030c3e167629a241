#include "suiren/train/planner.h"

#include <algorithm>

#include "backends/cpu/linear_cross_entropy.h"
#include "backends/cpu/packed_weights.h"
#include "suiren/base/cpu.h"
#include "suiren/base/error.h"
#include "suiren/base/threads.h"
#include "suiren/train/progress.h"

namespace suiren::train {

MemoryPlan plan_memory(const models::TransformerConfig& c, int64_t T, int optimizer_states,
                       int64_t together) {
  const int64_t f32 = 4, n = c.parameter_count();
  // Latent attention works on the vectors that it caches.
  const int64_t width = c.cache_width(), q = c.num_attention_heads * width, kv = c.cache_heads() * width;
  // Kept for the backward pass in each layer: two residual sums, two normed inputs, q k v before and after
  // rotation, the attention's result, gate, up and their product. The backward pass holds about one layer's
  // worth more.
  const int64_t layer = 4 * c.hidden_size + 3 * q + 3 * kv + 3 * c.active_intermediate_size();
  MemoryPlan p;
  p.weights = n * f32;
  p.gradients = (together > 1 ? 1 + together : 1) * n * f32;  // the sums, and those of sequences side by side
  p.optimizer = optimizer_states * n * f32;
  p.packed = 2 * n * f32;
  if (T >= cpu::kManyRows) p.packed = std::min(p.packed, cpu::kPackedForManyRows);
  // Behind the last layer: logits (with a soft cap all of them, before and after, and a gradient), and the
  // gradient of the head's weight until it is added to the others.
  const int64_t rows = c.logit_softcap == 0 ? std::min(T, cpu::cross_entropy_chunk(c.vocab_size)) : 3 * T;
  const int64_t logits = rows * c.vocab_size;
  const int64_t head = logits + (large_gradients(c) ? 0 : c.vocab_size * c.hidden_size);
  p.activations = ((c.num_hidden_layers + 1) * layer * T + head) * f32 * together;
  return p;
}

// Side by side, threads meet less often; alone, products add to the sums of gradients as they go, which pays
// where gradients fit no cache.
bool large_gradients(const models::TransformerConfig& c) {
  constexpr int64_t kLarge = 64 << 20;
  return c.parameter_count() * 4 > kLarge;
}

int64_t sequences_together(const models::TransformerConfig& c, int64_t T, int optimizer_states,
                           int64_t sequences) {
  const int64_t threads = thread_count();
  if (sequences < threads || threads == 1 || large_gradients(c)) return 1;
  return plan_memory(c, T, optimizer_states, threads).total() <= memory_available() / 2 ? threads : 1;
}

double training_flops_per_token(const models::TransformerConfig& c, int64_t T) {
  return 6.0 * static_cast<double>(c.active_parameter_count()) +
         6.0 * static_cast<double>(c.num_hidden_layers * T * c.hidden_size);
}

void check_memory(const MemoryPlan& plan) {
  const int64_t available = memory_available();
  SR_CHECK(plan.total() <= available,
           "this run needs about {}, and {} are free; make the model or the sequence smaller, or free memory",
           format_bytes(static_cast<double>(plan.total())), format_bytes(static_cast<double>(available)));
}

}  // namespace suiren::train
