#pragma once
// The groups of figures; a file each. Random data is seeded. Not for callers of the library.

#include "suiren/base/dtype.h"
#include "suiren/bench/bench.h"

namespace suiren::bench {

/// Products of n = 1024, 1536, 2048, and those of a training step: forward, both gradients.
std::vector<Figure> gemm_figures(DType dtype);
/// Causal attention, forward and backward, length 2048, head 64.
std::vector<Figure> attention_figures(DType dtype);
/// AdamW on float32 tensors larger than the caches.
std::vector<Figure> optimizer_figures();
/// Training steps of the first `models` of three models: 1.85 M, 6.9 M and 91 M parameters;
/// in bf16 as with `precision: bfloat16`.
std::vector<Figure> training_figures(int models, DType dtype);
/// Training steps of models from 1 M to 355 M parameters at 2 x 512 tokens; of 6.9 M at lengths from 128 to
/// 2048, and with 1 to 16 sequences. Not among "all".
std::vector<Figure> scaling_figures(DType dtype);
/// A prompt of 512 tokens, and 64 tokens one by one after 16 and, where the model has so many positions,
/// after 4,096, of a model in a folder or GGUF file; the peer is llama.cpp. `load` counts what layers
/// multiply (not attention, nor the head, which one token passes) and the bytes of the weights. `cache`: what
/// keys and values are kept as, and in the figures' names; none: as the model has it.
std::vector<Figure> inference_figures(const std::string& model, std::optional<DType> cache);
/// The roof of products of `dtype`, and what a figure's name says of it: " bf16", or nothing for f32.
Roof roof_of(DType dtype);
std::string suffix(DType dtype);

/// Encoding on one thread, and learning a vocabulary on all. `text`: files, or none for what there is
/// offline, which `notes` then names.
std::vector<Figure> tokenizer_figures(const std::vector<std::string>& text, std::vector<std::string>& notes);

}  // namespace suiren::bench
