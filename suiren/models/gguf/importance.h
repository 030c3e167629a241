#pragma once
// How much each column of a matrix matters: the mean square of the activations that meet it, as llama.cpp's
// importance matrices hold it. Read-only after it is made: share it between threads freely.

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "suiren/models/config.h"

namespace suiren::models {

class ImportanceMatrix {
 public:
  /// What llama.cpp's imatrix writes, a GGUF file or the older .dat. Error{kNotFound}, or Error{kInvalid}
  /// naming file, tensor and rule: sizes fit, numbers are finite and at least 0, no name stands twice.
  static ImportanceMatrix load(const std::string& path);
  /// The same over bytes; `name` opens messages.
  static ImportanceMatrix from_bytes(std::span<const uint8_t> bytes, const std::string& name);
  /// As a GGUF file, whole or not at all. `tokens` is what a mean was taken over at most.
  void save(const std::string& path, int64_t tokens) const;

  /// Of the columns of a GGUF file's tensor; of stacked experts, of each in turn, 0 for those that met
  /// nothing. Empty for a tensor that is not known.
  std::span<const float> of(const std::string& tensor) const;
  /// Error{kInvalid} for a name that stands already, or numbers that are not finite and at least 0.
  void add(const std::string& tensor, std::vector<float> means, const std::string& where);
  size_t size() const { return means_.size(); }

 private:
  std::map<std::string, std::vector<float>> means_;
};

/// The tensors of a GGUF file in which a parameter of a layer lies ("model.layers.0.mlp.up_proj.weight" in
/// "blk.0.ffn_up.weight"), and which expert of them it is, or -1; none for others.
struct GgufPlace {
  std::string tensor;
  int64_t expert = -1;
};
std::vector<GgufPlace> gguf_places(const TransformerConfig& config, const std::string& parameter);

}  // namespace suiren::models
