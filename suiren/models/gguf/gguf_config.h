#pragma once
// The metadata of a GGUF file as the description of a model, and back.
// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md Thread-safe.

#include "suiren/io/gguf.h"
#include "suiren/io/gguf_writer.h"
#include "suiren/io/json.h"
#include "suiren/models/config.h"

namespace suiren::models {

/// The config.json that a file's keys say: "suiren.config" where that stands, else from ARCHITECTURE.*,
/// the tensors that are there and the shape of the embedding. Throws Error{kInvalid} naming a key that is
/// missing or damaged; Error{kUnsupported} naming what is not understood: architecture, rotary scaling, any
/// key of the architecture.
io::Json gguf_config_json(const io::Gguf& file);

/// Sets general.architecture, ARCHITECTURE.* and the special tokens' ids. What GGUF has no key for is left
/// out. Error{kUnsupported} for a family that GGUF has not.
void write_gguf_config(const TransformerConfig& config, io::GgufMetadata& metadata);

/// Tensors that hold rotary factors in place of weights.
bool is_gguf_rope_tensor(std::string_view name);
/// Those that this description needs: names and values.
std::vector<std::pair<std::string, std::vector<float>>> gguf_rope_tensors(const TransformerConfig& config);

}  // namespace suiren::models
