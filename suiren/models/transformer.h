#pragma once
// A decoder of text from its description (config.h): embedding, layers of attention and MLP or experts, a
// head. One model may be read from several threads.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "suiren/models/attention.h"
#include "suiren/models/config.h"
#include "suiren/models/kv_store.h"
#include "suiren/models/latent_attention.h"
#include "suiren/models/mlp.h"
#include "suiren/models/moe.h"
#include "suiren/models/rope_tables.h"
#include "suiren/nn/layers.h"

namespace suiren::models {

/// x + attention(x), then x + mlp(x), with norms before the branches, after them, or both. Names as in
/// Hugging Face's files for Llama, and for OLMo 2 and Gemma 2 where norms stand elsewhere.
class Block : public nn::Module {
 public:
  Block(const TransformerConfig& config, int64_t layer, const nn::Placement& at);
  /// x [B, T, hidden] -> [B, T, hidden]; `rope` holds the positions of x, or is null where none turn.
  Tensor operator()(const Tensor& x, const RopeTables::Slice* rope, KvStore* store) const;

 private:
  std::optional<Attention> attention_;
  std::optional<LatentAttention> latent_;
  std::optional<Mlp> mlp_;
  std::optional<Moe> experts_;
  std::optional<Norm> before_attention_, after_attention_, before_mlp_, after_mlp_;
  double multiplier_;  // of both branches
};

class Transformer : public nn::Module {
 public:
  /// Random weights: normal(0, initializer_range), norms one, biases zero, keyed by seed and parameter name.
  Transformer(const TransformerConfig& config, uint64_t seed, const nn::Placement& at = {});
  /// Reads FOLDER/config.json and model.safetensors (or the shards of model.safetensors.index.json).
  static std::unique_ptr<Transformer> load(const std::string& folder, const nn::Placement& at = {});
  /// The same from a description and the tensors of its files (nn::Module::load_entries).
  static std::unique_ptr<Transformer> from_entries(const TransformerConfig& config,
                                                   std::span<const io::BlockEntry> entries,
                                                   const std::string& where, const nn::Placement& at = {});
  /// Writes config.json and model.safetensors, which transformers loads unchanged.
  void save(const std::string& folder) const;

  const TransformerConfig& config() const { return config_; }
  const Device& device() const { return at_.device; }
  DType dtype() const { return at_.dtype; }

  /// The longest text that is meant, for rotary scalings that depend on length (dynamic, longrope); without
  /// it max_position_embeddings, which is also the most but with dynamic scaling. To be set before the model
  /// is read from several threads, and before a cache is filled: it holds keys of one setting.
  void set_context(int64_t positions);
  /// The positions there are: max_position_embeddings, or a longer context with dynamic scaling.
  int64_t positions() const { return positions_; }

  /// What keys and values are rounded to before attention sees them, with a cache or without, so that a
  /// token's bits do not depend on it: f32, f16, bf16 or q8_0. Unless it is set, f16 beside block-quantized
  /// weights, else the model's own dtype; to be set before the model is read from several threads. Gradients
  /// pass the rounding unchanged. Error{kInvalid} for another dtype, and for q8_0 where cache_width() is no
  /// multiple of 32.
  void set_cache_dtype(DType dtype);
  DType cache_dtype() const { return cache_dtype_; }

  /// Checked ids as a tensor [1, ids.size()]; Error{kInvalid} names an id beyond the vocabulary.
  Tensor ids(std::span<const int64_t> ids) const;
  /// ids [B, T] (i32 or i64) -> the normed states before the head, [B, T, hidden]. With `store`, which keeps
  /// cache_dtype(), the positions follow those it holds, and it grows by T. Error{kInvalid} states both
  /// lengths when the context is exceeded.
  Tensor hidden(const Tensor& ids, KvStore* store = nullptr) const;
  /// [..., hidden] -> [..., vocabulary]: head_input(hidden) head_weight()^T, with a soft cap where the family
  /// has one.
  Tensor head(const Tensor& hidden) const;
  /// The states, divided where the family divides its logits.
  Tensor head_input(const Tensor& hidden) const;
  /// [vocabulary, hidden], without a bias: the embedding's when they are tied.
  const Tensor& head_weight() const { return head_ ? head_->weight : embed_.weight; }
  /// The logits are that product of floats and nothing more.
  bool linear_head() const { return config_.logit_softcap == 0 && !head_weight().dtype().is_block(); }
  Tensor logits(const Tensor& ids, KvStore* store = nullptr) const { return head(hidden(ids, store)); }
  /// A model of the same shape and weights, placed otherwise.
  std::unique_ptr<Transformer> placed(const nn::Placement& at) const;
  /// Cross-entropy in nats of each target, [B * T]: ids and targets [B, T].
  Tensor token_losses(const Tensor& ids, const Tensor& targets) const;
  /// The same from states [B, T, hidden] = hidden(ids): minus the log-probabilities of the targets.
  Tensor losses_after(const Tensor& states, const Tensor& targets) const;

 protected:
  bool ignores(const std::string& name) const override;
  nn::Stored stored(const std::string& name, const Shape& shape) const override;
  std::string published(const std::string& name) const override;

 private:
  struct NoInit {};
  Transformer(const TransformerConfig& config, NoInit, const nn::Placement& at);
  TransformerConfig config_;
  nn::Placement at_;
  DType cache_dtype_;
  int64_t positions_;
  std::unique_ptr<RopeTables> rope_, windowed_rope_;  // none with learned positions, or one for all layers
  nn::Embedding embed_;
  std::optional<nn::Embedding> embed_positions_;
  std::vector<std::unique_ptr<Block>> blocks_;
  Norm norm_;
  std::optional<nn::Linear> head_;  // none: tied to the embedding
};

}  // namespace suiren::models
