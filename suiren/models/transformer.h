#pragma once
// The Llama family: RMSNorm, rotary positions, grouped-query attention, SwiGLU (Touvron et al. 2023), with
// q/k norm as in Qwen3. One model may be read from several threads.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "suiren/models/config.h"
#include "suiren/models/kv_store.h"
#include "suiren/models/rope_tables.h"
#include "suiren/nn/layers.h"

namespace suiren::models {

/// x + attention(norm(x)), then x + mlp(norm(x)). Names as in Hugging Face's files.
class Block : public nn::Module {
 public:
  Block(const TransformerConfig& config, const nn::Placement& at);
  /// x [B, T, hidden], cos and sin [T, head_dim / 2] of its positions -> [B, T, hidden].
  Tensor operator()(const Tensor& x, const RopeTables::Slice& rope, int64_t layer, KvStore* store) const;

 private:
  Tensor attend(const Tensor& x, const RopeTables::Slice& rope, int64_t layer, KvStore* store) const;
  int64_t heads_, kv_heads_, head_dim_;
  nn::RmsNorm input_norm_, post_norm_;
  nn::Linear q_, k_, v_, o_, gate_, up_, down_;
  std::optional<nn::RmsNorm> q_norm_, k_norm_;
};

class Transformer : public nn::Module {
 public:
  /// Random weights: normal(0, initializer_range), norms one, biases zero, keyed by seed and parameter name.
  Transformer(const TransformerConfig& config, uint64_t seed, const nn::Placement& at = {});
  /// Reads FOLDER/config.json and model.safetensors (or the shards of model.safetensors.index.json).
  static std::unique_ptr<Transformer> load(const std::string& folder, const nn::Placement& at = {});
  /// Writes config.json and model.safetensors.
  void save(const std::string& folder) const;

  const TransformerConfig& config() const { return config_; }
  const Device& device() const { return at_.device; }
  DType dtype() const { return at_.dtype; }

  /// Checked ids as a tensor [1, ids.size()]; Error{kInvalid} names an id beyond the vocabulary.
  Tensor ids(std::span<const int64_t> ids) const;
  /// ids [B, T] (i32 or i64) -> the normed states before the head, [B, T, hidden]. With `store`, the
  /// positions follow those it holds, and it grows by T. Error{kInvalid} states both lengths when the context
  /// is exceeded.
  Tensor hidden(const Tensor& ids, KvStore* store = nullptr) const;
  /// [..., hidden] -> [..., vocabulary].
  Tensor head(const Tensor& hidden) const;
  Tensor logits(const Tensor& ids, KvStore* store = nullptr) const { return head(hidden(ids, store)); }
  /// A model of the same shape and weights, placed otherwise.
  std::unique_ptr<Transformer> placed(const nn::Placement& at) const;
  /// Cross-entropy in nats of each target, [B * T]: ids and targets [B, T].
  Tensor token_losses(const Tensor& ids, const Tensor& targets) const;

 protected:
  bool ignores(const std::string& name) const override;

 private:
  struct NoInit {};
  Transformer(const TransformerConfig& config, NoInit, const nn::Placement& at);
  TransformerConfig config_;
  nn::Placement at_;
  RopeTables rope_;
  nn::Embedding embed_;
  std::vector<std::unique_ptr<Block>> blocks_;
  nn::RmsNorm norm_;
  std::optional<nn::Linear> head_;  // none: tied to the embedding
};

}  // namespace suiren::models
