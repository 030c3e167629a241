#pragma once
// The tensors of Hugging Face's files as a GGUF file holds them: llama.cpp's names, order of rows and
// formats. Read-only after it is made: share it between threads freely.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "suiren/io/block_entry.h"
#include "suiren/io/gguf_writer.h"
#include "suiren/models/config.h"
#include "suiren/models/gguf/architectures.h"

namespace suiren::models {

class GgufExport {
 public:
  /// `weights` are tensors of f32, f16 or bf16, or experts in mxfp4, whose bytes outlive this. Matrices keep
  /// their format, or become `format`; vectors, norms, routers and learned positions become f32. Tied outputs
  /// and buffers that no parameter lies in are left out. Error{kUnsupported} names a tensor that the family
  /// has not, or a family that GGUF has not; Error{kInvalid} a tensor of a wrong shape, or experts that are
  /// missing.
  GgufExport(const TransformerConfig& config, std::vector<io::BlockEntry> weights,
             std::optional<quant::BlockFormat> format = {});

  /// What the file holds, without bytes.
  const std::vector<io::BlockEntry>& tensors() const { return tensors_; }
  /// The bytes of one of them.
  std::vector<uint8_t> bytes(size_t tensor) const;
  /// The same before it is brought into its format: row-major f32.
  std::vector<float> values(size_t tensor) const;

  /// Adds the description, and under "suiren.*" what GGUF has no place for: the norms of Gemma where 1 + w
  /// has lost bits, and the names of tensors that became f32.
  void write_metadata(io::GgufMetadata& metadata) const;

 private:
  struct Source {
    std::vector<const io::BlockEntry*> parts;  ///< of experts one each, else one
    GgufTensorRow::Layout layout;
    int64_t heads = 0;  ///< of rows in pairs
    bool offset = false;
    std::vector<float> rope;  ///< without parts
  };
  void plan(const io::BlockEntry& e, const std::vector<GgufTensorRow>& rows);
  void add(const io::BlockEntry& e, const GgufTensorRow& row, std::string name, int64_t expert);
  void check() const;
  std::vector<uint8_t> rearranged(size_t tensor) const;

  TransformerConfig config_;
  std::optional<quant::BlockFormat> format_;
  std::vector<io::BlockEntry> weights_, tensors_;
  std::vector<Source> sources_;  // by tensor
};

/// Whether llama.cpp computes with this tensor in f32 alone: vectors, norms, routers, learned positions.
bool stays_f32_in_gguf(const std::string& name, const std::vector<int64_t>& shape);

}  // namespace suiren::models
