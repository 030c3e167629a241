#pragma once
// The shape of a transformer, as Hugging Face's config.json states it. Plain values.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "suiren/io/json.h"

namespace suiren::models {

/// Fields carry config.json's names; defaults are those of transformers' LlamaConfig.
struct TransformerConfig {
  std::string model_type = "llama";  ///< "llama" or "qwen3" (q/k norm)
  int64_t vocab_size = 32000;
  int64_t hidden_size = 4096;
  int64_t intermediate_size = 11008;
  int64_t num_hidden_layers = 32;
  int64_t num_attention_heads = 32;
  int64_t num_key_value_heads = 32;
  int64_t head_dim = 128;
  int64_t max_position_embeddings = 2048;
  double rms_norm_eps = 1e-6;
  double rope_theta = 10000;
  double initializer_range = 0.02;
  bool tie_word_embeddings = false;
  bool attention_bias = false;
  bool mlp_bias = false;
  std::optional<int64_t> bos_token_id = 1, pad_token_id;
  std::vector<int64_t> eos_token_ids = {2};

  bool qk_norm() const { return model_type == "qwen3"; }
  int64_t parameter_count() const;

  /// Reads the object of a config.json; `name` (a path) opens every message. Missing keys take transformers'
  /// defaults for the model_type ("llama" when that is missing too). Throws Error{kInvalid} for a key of the
  /// wrong type or an unknown one (suggesting the nearest), Error{kUnsupported} naming what is valid but not
  /// here: another family, activation or rope type.
  static TransformerConfig from_json(const io::Json& json, const std::string& name);
  /// from_json of FOLDER/config.json.
  static TransformerConfig load(const std::string& folder);
  /// What transformers loads unchanged; rope_theta stands in both spellings.
  io::Json to_json() const;
  void save(const std::string& folder) const;

  /// Throws Error{kInvalid} naming field and value: sizes below 1, heads that do not divide, odd head_dim.
  void validate(const std::string& name = "model") const;
  bool operator==(const TransformerConfig&) const = default;
};

}  // namespace suiren::models
