#pragma once
// What a GGUF file can be made of: a model folder, or another GGUF file. For one thread at a time.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "suiren/io/gguf_writer.h"
#include "suiren/models/config.h"

namespace suiren::cli {

struct GgufSource {
  models::TransformerConfig config;
  std::vector<io::BlockEntry> tensors;  ///< names, formats and shapes; no bytes
  io::GgufMetadata metadata;
  std::function<std::vector<uint8_t>(size_t)> bytes;  ///< of a tensor, in its format
  std::function<std::vector<float>(size_t)> values;   ///< of a tensor, row-major
  bool has_fields = true;                             ///< tokenizer.ggml.* say what tokenizer.json says

  /// A folder with config.json and safetensors: matrices in their format, or in `format`. All files that a
  /// folder's use depends on are kept: tokenizer, template, settings.
  static GgufSource from_folder(const std::string& folder, std::optional<quant::BlockFormat> format = {});
  static GgufSource from_gguf(const std::string& path);
};

/// The files of a model folder, beside weights, config.json and tokenizer.json, that a GGUF file keeps as
/// "suiren.files.NAME".
const std::vector<std::string>& kept_files();

/// Writes tensors as `bytes` gives them, with a line of progress.
void write_gguf_file(const std::string& path, const std::vector<io::BlockEntry>& tensors,
                     const io::GgufMetadata& metadata,
                     const std::function<std::vector<uint8_t>(size_t)>& bytes);

}  // namespace suiren::cli
