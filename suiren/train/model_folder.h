#pragma once
// A model folder as Hugging Face lays it out. Safe from any thread for distinct folders.

#include <string>

#include "suiren/models/transformer.h"
#include "suiren/train/checkpoint.h"

namespace suiren::train {

/// Copies checkpointed tensors into the model's parameters. Throws Error{kInvalid} naming what is missing or
/// of another shape.
void restore_parameters(models::Transformer& model, const NamedTensors& tensors);

/// config.json, generation_config.json, model.safetensors and, with `tokenizer` (a tokenizer.json), the
/// tokenizer files.
void write_model_folder(const std::string& folder, const models::Transformer& model,
                        const std::string& tokenizer);

}  // namespace suiren::train
