#pragma once
// The shape of a transformer in the field's terms. Everything that is computed reads this description and
// never the name of a family; suiren/models/families/ maps each family's config.json to it and back.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "suiren/io/json.h"

namespace suiren::models {

enum class NormKind { kRms, kLayer };
/// Where a branch (attention, MLP) is normed: its input (Llama), its output (OLMo 2), or both (Gemma 2).
enum class NormPlacement { kBefore, kAfter, kAround };
/// Norms of queries and keys: of each head (Qwen3), the same after the rotation (Hunyuan), or of all heads
/// together (OLMo 2).
enum class QkNorm { kNone, kHead, kHeadAfterRope, kWhole };
/// kClampedSwiglu is gpt-oss's: gate and up cut to +-swiglu_limit, gate sigmoid(swiglu_alpha gate) (up + 1).
enum class Activation { kSilu, kGeluTanh, kClampedSwiglu };
/// From router logits to weights: softmax over all experts, softmax over the chosen ones, or sigmoids.
enum class Routing { kSoftmax, kSoftmaxOfChosen, kSigmoid };
/// What a group of experts is worth: its best expert (DeepSeek-V2) or the sum of its two best (V3).
enum class GroupScore { kBest, kTwoBest };

/// Rotary positions, with config.json's names; suiren/models/rope_tables.h has the formulas.
struct RopeConfig {
  std::string type = "default";  ///< default, linear, dynamic, ntk_alpha, yarn, longrope, llama3
  double theta = 10000;
  double partial_rotary_factor = 1;  ///< the share of a head that turns
  std::optional<double> factor, attention_factor, alpha;
  std::optional<int64_t> original_max_position_embeddings;
  double beta_fast = 32, beta_slow = 1, mscale = 0, mscale_all_dim = 0;
  double low_freq_factor = 1, high_freq_factor = 4;
  bool truncate = true;
  std::vector<double> short_factor, long_factor;
  bool operator==(const RopeConfig&) const = default;
};

/// Attention through a compressed vector of keys and values (DeepSeek-AI 2024, section 2.1).
struct LatentConfig {
  int64_t kv_rank = 0;  ///< 0: attention is not latent
  int64_t q_rank = 0;   ///< 0: queries are not compressed
  int64_t nope_head_dim = 0, rope_head_dim = 0, v_head_dim = 0;
  bool operator==(const LatentConfig&) const = default;
};

/// Mixture of experts in place of the MLP.
struct MoeConfig {
  int64_t experts = 0;  ///< 0: all layers are dense
  int64_t experts_per_token = 2;
  int64_t intermediate_size = 0;         ///< of one expert
  int64_t shared_intermediate_size = 0;  ///< of the expert that every token takes; 0: none
  bool shared_gate = false;              ///< that one's output is multiplied by the sigmoid of a gate
  Routing routing = Routing::kSoftmax;
  bool normalize = false;    ///< the chosen weights are divided by their sum
  double scale = 1;          ///< and multiplied by this
  bool choice_bias = false;  ///< a bias added to the scores for the choice alone
  int64_t groups = 1, groups_kept = 1;
  GroupScore group_score = GroupScore::kBest;
  bool bias = false;                  ///< of router and experts
  int64_t first_dense_layers = 0;     ///< layers below this one are dense,
  int64_t sparse_step = 1;            ///< those whose number from 1 is no multiple of this,
  std::vector<int64_t> dense_layers;  ///< and these, ascending
  bool operator==(const MoeConfig&) const = default;
};

/// Fields that config.json has too carry its names; the defaults are those of transformers' LlamaConfig.
struct TransformerConfig {
  std::string model_type = "llama";  ///< names the family: how files spell this description, nothing else
  int64_t vocab_size = 32000;
  int64_t hidden_size = 4096;
  int64_t intermediate_size = 11008;
  int64_t num_hidden_layers = 32;
  int64_t num_attention_heads = 32;
  int64_t num_key_value_heads = 32;
  int64_t head_dim = 128;  ///< of queries and keys
  int64_t max_position_embeddings = 2048;
  double initializer_range = 0.02;
  bool tie_word_embeddings = false;
  std::optional<int64_t> bos_token_id = 1, pad_token_id;
  std::vector<int64_t> eos_token_ids = {2};

  NormKind norm = NormKind::kRms;
  NormPlacement norm_placement = NormPlacement::kBefore;
  bool norm_offset = false;  ///< RMS norms multiply by 1 + weight
  double rms_norm_eps = 1e-6;

  bool attention_bias = false, attention_out_bias = false;  ///< of q, k, v; of the output projection
  QkNorm qk_norm = QkNorm::kNone;
  std::optional<double> query_pre_attn_scalar;  ///< scores are divided by its root in place of head_dim's
  std::optional<double> attention_multiplier;   ///< or multiplied by this
  double attention_softcap = 0;                 ///< 0: none
  bool sinks = false;
  int64_t sliding_window = 0;         ///< positions that a windowed layer sees; 0: all
  std::vector<bool> windowed_layers;  ///< empty: each layer, where there is a window
  LatentConfig latent;

  bool learned_positions = false;  ///< in place of rotary ones
  RopeConfig rope;
  bool rope_interleaved = false;            ///< pairs are neighbours, not halves of the head
  std::optional<RopeConfig> windowed_rope;  ///< what windowed layers take instead
  std::vector<bool> rotary_layers;          ///< empty: each layer

  bool mlp_gated = true, mlp_bias = false;
  Activation activation = Activation::kSilu;
  double swiglu_limit = 0, swiglu_alpha = 0;
  MoeConfig moe;

  double embedding_multiplier = 1;
  double residual_multiplier = 1;      ///< of each branch,
  bool residual_by_depth = false;      ///< divided by the root of the number of layers (MiniCPM)
  double logits_scaling = 1;           ///< logits are divided by this,
  int64_t logits_base_width = 0;       ///< or by hidden_size over this (MiniCPM); 0: not
  double logit_softcap = 0;            ///< 0: none
  int64_t skipped_predict_layers = 0;  ///< multi-token prediction: layers of the file that are not used

  int64_t window(int64_t layer) const;
  bool windowed(int64_t layer) const { return window(layer) > 0; }
  bool rotary(int64_t layer) const;
  bool sparse(int64_t layer) const;  ///< experts, not an MLP
  double attention_scale() const;
  double branch_multiplier() const;
  double logit_divisor() const;
  /// What a KV cache holds for a position of a layer: rows of `cache_width` elements for each of
  /// `cache_heads`; of keys and values, or one compressed vector for both.
  int64_t cache_heads() const { return latent.kv_rank ? 1 : num_key_value_heads; }
  int64_t cache_width() const { return latent.kv_rank ? latent.kv_rank + latent.rope_head_dim : head_dim; }
  bool caches_values() const { return latent.kv_rank == 0; }

  int64_t parameter_count() const;
  /// Those that a token passes: of the experts only the chosen ones.
  int64_t active_parameter_count() const;
  /// The widest intermediate state of a token: of an MLP, or of its experts together.
  int64_t active_intermediate_size() const;

  /// Reads the object of a config.json; `name` (a path) opens every message. Missing keys take transformers'
  /// defaults for the model_type ("llama" when that is missing too). Throws Error{kInvalid} for a key of the
  /// wrong type or an unknown one (suggesting the nearest), Error{kUnsupported} naming what is valid but not
  /// here: another family, activation or rope type.
  static TransformerConfig from_json(const io::Json& json, const std::string& name);
  /// from_json of FOLDER/config.json.
  static TransformerConfig load(const std::string& folder);
  /// What transformers loads unchanged; rope settings stand in both spellings.
  io::Json to_json() const;
  void save(const std::string& folder) const;

  /// Throws Error{kInvalid} naming field and value: sizes below 1, heads that do not divide, odd head_dim.
  void validate(const std::string& name = "model") const;
  bool operator==(const TransformerConfig&) const = default;
};

}  // namespace suiren::models
