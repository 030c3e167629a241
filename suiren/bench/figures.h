#pragma once
// The groups of figures; a file each. Random data is seeded. Not for callers of the library.

#include "suiren/bench/bench.h"

namespace suiren::bench {

/// Products of n = 1024, 1536, 2048, and those of a training step: forward, both gradients.
std::vector<Figure> gemm_figures();
/// Causal attention, forward and backward, length 2048, head 64.
std::vector<Figure> attention_figures();
/// AdamW on float32 tensors larger than the caches.
std::vector<Figure> optimizer_figures();
/// Training steps of the first `models` of three models: 1.85 M, 6.9 M and 91 M parameters.
std::vector<Figure> training_figures(int models);
/// Encoding, one thread. `text`: files, or none for what there is offline, which `notes` then names.
std::vector<Figure> tokenizer_figures(const std::vector<std::string>& text, std::vector<std::string>& notes);

}  // namespace suiren::bench
