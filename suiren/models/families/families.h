#pragma once
// The families of transformers: a row each, with what sets its files apart. To add one, write its fields
// (and, where its tensors have other names or shapes, where they lie), and a row of the table in
// families.cpp.

#include <string>
#include <vector>

#include "suiren/models/config.h"
#include "suiren/models/families/fields.h"
#include "suiren/nn/module.h"

namespace suiren::models {

struct Family {
  const char* model_type;
  const char* architecture;
  /// config.json to the description and back. A fresh description comes in; when reading, the function first
  /// sets what transformers' configuration class of the family says where a file is silent.
  void (*fields)(Fields& f, TransformerConfig& c);
  /// Where a parameter lies in the files; null: under its own name (see nn::Stored).
  nn::Stored (*stored)(const TransformerConfig& c, const std::string& name, const Shape& shape) = nullptr;
  /// The name that other publishers' files mean by `name`; null: the same.
  std::string (*published)(const std::string& name) = nullptr;
};

const std::vector<Family>& families();
/// The row of a model_type. Error{kUnsupported} lists the model types there are; `name` opens the message.
const Family& family(const std::string& model_type, const std::string& name);

// Fields of each family, and what several share.
void llama_fields(Fields& f, TransformerConfig& c);
void mistral_fields(Fields& f, TransformerConfig& c);
void qwen2_fields(Fields& f, TransformerConfig& c);
void qwen3_fields(Fields& f, TransformerConfig& c);
void smollm3_fields(Fields& f, TransformerConfig& c);
void granite_fields(Fields& f, TransformerConfig& c);
void seed_oss_fields(Fields& f, TransformerConfig& c);
void ernie4_5_fields(Fields& f, TransformerConfig& c);
void hunyuan_fields(Fields& f, TransformerConfig& c);
void olmo2_fields(Fields& f, TransformerConfig& c);
void glm4_fields(Fields& f, TransformerConfig& c);
void phi3_fields(Fields& f, TransformerConfig& c);
void gpt2_fields(Fields& f, TransformerConfig& c);
void gemma2_fields(Fields& f, TransformerConfig& c);
void gemma3_fields(Fields& f, TransformerConfig& c);
void mixtral_fields(Fields& f, TransformerConfig& c);
void qwen2_moe_fields(Fields& f, TransformerConfig& c);
void qwen3_moe_fields(Fields& f, TransformerConfig& c);
void gpt_oss_fields(Fields& f, TransformerConfig& c);
void minicpm3_fields(Fields& f, TransformerConfig& c);
void deepseek_v2_fields(Fields& f, TransformerConfig& c);
void deepseek_v3_fields(Fields& f, TransformerConfig& c);

nn::Stored hunyuan_stored(const TransformerConfig& c, const std::string& name, const Shape& shape);
nn::Stored glm4_stored(const TransformerConfig& c, const std::string& name, const Shape& shape);
nn::Stored phi3_stored(const TransformerConfig& c, const std::string& name, const Shape& shape);
nn::Stored gpt2_stored(const TransformerConfig& c, const std::string& name, const Shape& shape);
nn::Stored mixtral_stored(const TransformerConfig& c, const std::string& name, const Shape& shape);
nn::Stored qwen2_moe_stored(const TransformerConfig& c, const std::string& name, const Shape& shape);
nn::Stored gpt_oss_stored(const TransformerConfig& c, const std::string& name, const Shape& shape);
std::string gpt2_published(const std::string& name);

/// What most families share, with Llama's names: sizes, activation, norms, rotary positions, special tokens.
/// num_key_value_heads and head_dim of 0 mean: as many as there are heads, and hidden_size over the heads.
void common_fields(Fields& f, TransformerConfig& c);
/// A number of key and value heads or head size where files are silent; 0: see common_fields.
void set_heads(TransformerConfig& c, int64_t heads, int64_t kv_heads, int64_t head_dim);
/// Special tokens where files are silent.
void set_tokens(TransformerConfig& c, std::optional<int64_t> bos, std::vector<int64_t> eos,
                std::optional<int64_t> pad);
/// One field for the biases of q, k, v and of the output projection.
void attention_bias(Fields& f, TransformerConfig& c, const char* key = "attention_bias");
/// "layer_types": which layers are windowed; `windowed` says so where the file does not.
template <class F>
void layer_types(Fields& f, TransformerConfig& c, F&& windowed);
/// The list itself; Error for a length other than the layers' or an unknown type.
bool read_layer_types(Fields& f, TransformerConfig& c);
void write_layer_types(Fields& f, const TransformerConfig& c);
/// The description of a window that no layer has is no window.
void settle_window(TransformerConfig& c, const std::string& name);
/// Qwen's: use_sliding_window, sliding_window, max_window_layers; `windowed(layer, max_window_layers)`.
void qwen_window(Fields& f, TransformerConfig& c, bool (*windowed)(int64_t layer, int64_t limit));

template <class F>
void layer_types(Fields& f, TransformerConfig& c, F&& windowed) {
  if (!f.reading()) return write_layer_types(f, c);
  if (!read_layer_types(f, c)) {
    c.windowed_layers.clear();
    for (int64_t i = 0; i < c.num_hidden_layers; ++i) c.windowed_layers.push_back(windowed(i));
  }
  settle_window(c, f.name());
}

/// `name` with its last part equal to `from` replaced; unchanged when there is none.
std::string renamed(const std::string& name, const std::string& from, const std::string& to);

}  // namespace suiren::models
