#pragma once
// Rotary settings in GGUF: keys rope.*, and tensors of factors.

#include <string>

#include "suiren/io/gguf_writer.h"
#include "suiren/io/json.h"
#include "suiren/models/config.h"
#include "suiren/models/gguf/keys.h"

namespace suiren::models {

/// Adds to the config.json of a family what the file says of rotary positions. rope_freqs.weight holds what
/// each frequency is divided by: Llama 3's scaling where that explains it, else the factors themselves.
void read_gguf_rope(const GgufKeys& keys, const io::Gguf& file, const std::string& type, io::Json& j);

/// Sets PREFIXrope.*.
void write_gguf_rope(const TransformerConfig& config, const std::string& prefix, io::GgufMetadata& metadata);

}  // namespace suiren::models
