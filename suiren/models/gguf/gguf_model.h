#pragma once
// A GGUF file as a model: its description, and its tensors as Hugging Face's files of the family have them.
// Read-only after it is made: share it between threads freely.

#include <cstdint>
#include <string>
#include <vector>

#include "suiren/io/block_entry.h"
#include "suiren/io/gguf.h"
#include "suiren/models/config.h"

namespace suiren::models {

class GgufModel {
 public:
  /// Maps the file (the first of several). Throws as Gguf::open; Error{kUnsupported} naming an architecture,
  /// key, rotary scaling or tensor that is not understood, Error{kInvalid} what is missing or damaged, or a
  /// tensor of a shape that does not fit the description.
  static GgufModel open(const std::string& path) { return GgufModel(io::Gguf::open(path)); }
  explicit GgufModel(io::Gguf file);

  const io::Gguf& file() const { return file_; }
  const TransformerConfig& config() const { return config_; }
  /// Jinja; "" when the file has none.
  const std::string& chat_template() const { return chat_template_; }
  /// Ids after which generation ends: of the end of text, of a turn, of a message. Ascending.
  const std::vector<int64_t>& end_tokens() const { return end_tokens_; }

  /// The weights under the names, in the shapes and with the order of rows of Hugging Face's files: stacked
  /// experts one by one, rows of q and k half a head apart, Gemma's norms less 1 (as they were before
  /// conversion where "suiren.norms" holds them). A tied output and rotary factors are not among them.
  /// Tensors in blocks that those files have transposed stand under the parameters' own names, [out, in]:
  /// "model.layers.0.self_attn.q_proj.weight" of GPT-2, "model.layers.0.mlp.experts.3.up_proj.weight" of
  /// gpt-oss.
  ///
  /// Valid as long as this model. The bytes lie in the mapped file; those of tensors that must be rearranged
  /// (q and k of llama, norms of Gemma, matrices of GPT-2) are made when they are read.
  const std::vector<io::BlockEntry>& entries() const { return entries_; }

 private:
  io::Gguf file_;
  TransformerConfig config_;
  std::string chat_template_;
  std::vector<int64_t> end_tokens_;
  std::vector<io::BlockEntry> entries_;
};

}  // namespace suiren::models
