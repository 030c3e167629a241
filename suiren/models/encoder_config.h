#pragma once
// The shape of an encoder of text (Devlin et al. 2019; Liu et al. 2019), with config.json's names.

#include <cstdint>
#include <string>

#include "suiren/io/json.h"

namespace suiren::models {

enum class EncoderActivation { kGelu, kGeluTanh, kRelu };

/// The defaults are those of transformers' BertConfig.
struct EncoderConfig {
  std::string model_type = "bert";
  int64_t vocab_size = 30522;
  int64_t hidden_size = 768;
  int64_t intermediate_size = 3072;
  int64_t num_hidden_layers = 12;
  int64_t num_attention_heads = 12;
  int64_t max_position_embeddings = 512;
  int64_t type_vocab_size = 2;
  double layer_norm_eps = 1e-12;
  EncoderActivation activation = EncoderActivation::kGelu;
  int64_t first_position = 0;  ///< of a text's first token: RoBERTa begins after pad_token_id

  /// The longest text, in tokens.
  int64_t positions() const { return max_position_embeddings - first_position; }
  int64_t parameter_count() const;

  /// Whether a model_type names an encoder: bert, roberta, xlm-roberta.
  static bool is_encoder(const std::string& model_type);
  /// Reads the object of a config.json; `name` (a path) opens every message. Throws Error{kInvalid} for a key
  /// of the wrong type, an unknown one (suggesting the nearest) or sizes that do not fit, Error{kUnsupported}
  /// naming what is valid but not here: a decoder, another activation, positions that are not learned.
  static EncoderConfig from_json(const io::Json& json, const std::string& name);
  /// from_json of FOLDER/config.json.
  static EncoderConfig load(const std::string& folder);

  bool operator==(const EncoderConfig&) const = default;
};

}  // namespace suiren::models
