#include "suiren/models/transformer.h"

#include <nlohmann/json.hpp>

#include "suiren/base/file.h"
#include "suiren/core/autograd.h"
#include "suiren/models/families/families.h"
#include "suiren/models/folder_weights.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/cross_entropy/cross_entropy.h"
#include "suiren/ops/linear_cross_entropy/linear_cross_entropy.h"
#include "suiren/ops/matmul/matmul.h"
#include "suiren/ops/unary/unary.h"
#include "suiren/ops/view/view.h"

namespace suiren::models {
namespace {

// What a cache would give back, without one: keys and values rounded to its dtype.
class Rounded : public KvStore {
 public:
  explicit Rounded(DType dtype) : dtype_(dtype) {}
  int64_t length() const override { return 0; }
  std::pair<Tensor, Tensor> append(int64_t, const Tensor& k, const Tensor& v) override {
    return {round(k), v.defined() ? round(v) : Tensor()};
  }
  void advance(int64_t) override {}

 private:
  Tensor round(const Tensor& x) const {
    const Tensor rounded = as_computed(as_stored(x.detach(), dtype_), x.dtype());
    // The sum is `rounded`, whose last bits are zeros: the difference is exact, or off by half of the last
    // bit and the sum rounds that away. Its gradient is that of x.
    return grad_enabled() && x.requires_grad() ? x + (rounded - x.detach()) : rounded;
  }
  DType dtype_;
};

DType default_cache_dtype(const Transformer& model) {
  for (const Tensor& p : model.parameters())
    if (p.dtype().is_block()) return kF16;
  return model.dtype();
}

}  // namespace

Block::Block(const TransformerConfig& c, int64_t layer, const nn::Placement& at)
    : multiplier_(c.branch_multiplier()) {
  if (c.latent.kv_rank)
    add_child("self_attn", latent_.emplace(c, layer, at));
  else
    add_child("self_attn", attention_.emplace(c, layer, at));
  if (c.sparse(layer))
    add_child("mlp", experts_.emplace(c, at));
  else
    add_child("mlp", mlp_.emplace(c, c.intermediate_size, c.mlp_bias, at));
  const auto norm = [&](const char* name, std::optional<Norm>& n) {
    add_child(name, n.emplace(c, c.hidden_size, at));
  };
  const bool after = c.norm_placement != NormPlacement::kBefore;
  if (c.norm_placement != NormPlacement::kAfter) norm("input_layernorm", before_attention_);
  if (after) norm("post_attention_layernorm", after_attention_);
  if (c.norm_placement == NormPlacement::kBefore) norm("post_attention_layernorm", before_mlp_);
  if (c.norm_placement == NormPlacement::kAround) norm("pre_feedforward_layernorm", before_mlp_);
  if (after) norm("post_feedforward_layernorm", after_mlp_);
}

Tensor Block::operator()(const Tensor& x, const RopeTables::Slice* rope, KvStore* store) const {
  const auto normed = [](const std::optional<Norm>& norm, const Tensor& y) { return norm ? (*norm)(y) : y; };
  const auto add = [&](const Tensor& to, const Tensor& branch) {
    return multiplier_ == 1 ? to + branch : to + branch * multiplier_;
  };
  const Tensor n = normed(before_attention_, x);
  const Tensor attended = latent_ ? (*latent_)(n, *rope, store) : (*attention_)(n, rope, store);
  const Tensor h = add(x, normed(after_attention_, attended));
  const Tensor m = normed(before_mlp_, h);
  return add(h, normed(after_mlp_, experts_ ? (*experts_)(m) : (*mlp_)(m)));
}

Transformer::Transformer(const TransformerConfig& c, NoInit, const nn::Placement& at)
    : config_(c),
      at_(at),
      cache_dtype_(at.dtype),
      embed_(c.vocab_size, c.hidden_size, at),
      norm_(c, c.hidden_size, at) {
  set_context(c.max_position_embeddings);
  add_child("model.embed_tokens", embed_);
  if (c.learned_positions)
    add_child("model.embed_positions",
              embed_positions_.emplace(c.max_position_embeddings, c.hidden_size, at));
  for (int64_t i = 0; i < c.num_hidden_layers; ++i) {
    blocks_.push_back(std::make_unique<Block>(c, i, at));
    add_child(fmt::format("model.layers.{}", i), *blocks_.back());
  }
  add_child("model.norm", norm_);
  if (!c.tie_word_embeddings) add_child("lm_head", head_.emplace(c.hidden_size, c.vocab_size, false, at));
}

Transformer::Transformer(const TransformerConfig& c, uint64_t seed, const nn::Placement& at)
    : Transformer((c.validate(), c), NoInit{}, at) {
  initialize(seed, c.initializer_range);
}

std::unique_ptr<Transformer> Transformer::load(const std::string& folder, const nn::Placement& at) {
  return from_entries(TransformerConfig::load(folder), FolderWeights::open(folder).entries(), folder, at);
}

std::unique_ptr<Transformer> Transformer::from_entries(const TransformerConfig& config,
                                                       std::span<const io::BlockEntry> entries,
                                                       const std::string& where, const nn::Placement& at) {
  config.validate(where);
  check_size(entries, config.parameter_count(), where);
  std::unique_ptr<Transformer> model(new Transformer(config, NoInit{}, at));
  model->load_entries(entries, where);
  model->cache_dtype_ = default_cache_dtype(*model);
  return model;
}

void Transformer::set_context(int64_t context) {
  const TransformerConfig& c = config_;
  SR_CHECK(context >= 1, "the context is {} positions, expected at least 1", context);
  positions_ = c.max_position_embeddings;
  if (c.rope.type == "dynamic") positions_ = std::max(positions_, context);
  context = std::min(context, positions_);
  if (c.learned_positions) return;
  const auto tables = [&](const RopeConfig& rope) {
    const int64_t dim = c.latent.kv_rank ? c.latent.rope_head_dim : c.head_dim;
    return std::make_unique<RopeTables>(rope_frequencies(rope, dim, c.max_position_embeddings, context),
                                        positions_, at_.device, at_.dtype);
  };
  rope_ = tables(c.rope);
  if (c.windowed_rope) windowed_rope_ = tables(*c.windowed_rope);
}

std::unique_ptr<Transformer> Transformer::placed(const nn::Placement& at) const {
  std::unique_ptr<Transformer> model(new Transformer(config_, NoInit{}, at));
  model->copy_from(*this);
  model->cache_dtype_ = default_cache_dtype(*model);
  return model;
}

void Transformer::save(const std::string& folder) const {
  make_directories(folder);
  Module::save(folder + "/model.safetensors", {{"format", "pt"}});
  config_.save(folder);
}

Tensor Transformer::ids(std::span<const int64_t> ids) const {
  for (const int64_t id : ids)
    SR_CHECK(id >= 0 && id < config_.vocab_size, "token id {} is outside the model's vocabulary of {}", id,
             config_.vocab_size);
  return Tensor::from(ids, {1, static_cast<int64_t>(ids.size())}, at_.device);
}

void Transformer::set_cache_dtype(DType dtype) {
  SR_CHECK(dtype == kF32 || dtype == kF16 || dtype == kBF16 || dtype == kQ8_0 || dtype == at_.dtype,
           "a cache of keys and values holds f32, f16, bf16 or q8_0, not {}", dtype);
  SR_CHECK(config_.cache_width() % dtype.block_elements() == 0,
           "a {} cache holds blocks of {} numbers, and {} of this model is {} wide; take f16", dtype,
           dtype.block_elements(), config_.caches_values() ? "a head" : "the compressed vector",
           config_.cache_width());
  cache_dtype_ = dtype;
}

Tensor Transformer::hidden(const Tensor& ids, KvStore* store) const {
  SR_CHECK_AS(kShape, ids.rank() == 2, "the model's ids have shape {}, expected [batch, positions]",
              ids.shape());
  const int64_t past = store ? store->length() : 0, count = ids.dim(1);
  SR_CHECK(past + count <= positions_, "{} tokens exceed the model's {} positions; shorten the text",
           past + count, positions_);
  Rounded rounded(cache_dtype_);
  if (!store && cache_dtype_ != at_.dtype) store = &rounded;
  RopeTables::Slice full, windowed;
  if (rope_) full = windowed = rope_->at(past, count);
  if (windowed_rope_) windowed = windowed_rope_->at(past, count);
  Tensor x = embed_(ids);
  if (config_.embedding_multiplier != 1) x = x * config_.embedding_multiplier;
  if (embed_positions_) x = x + slice(embed_positions_->weight, 0, past, past + count);
  for (size_t i = 0; i < blocks_.size(); ++i) {
    const auto layer = static_cast<int64_t>(i);
    const RopeTables::Slice* rope = config_.windowed(layer) ? &windowed : &full;
    x = (*blocks_[i])(x, config_.rotary(layer) ? rope : nullptr, store);
  }
  if (store) store->advance(count);
  return norm_(x);
}

Tensor Transformer::head_input(const Tensor& hidden) const {
  const double divisor = config_.logit_divisor();
  return divisor == 1 ? hidden : hidden / divisor;
}

Tensor Transformer::head(const Tensor& hidden) const {
  const double cap = config_.logit_softcap;
  const Tensor y = linear(head_input(hidden), head_weight());
  return cap == 0 ? y : tanh(y / cap) * cap;
}

Tensor Transformer::token_losses(const Tensor& ids, const Tensor& targets) const {
  SR_CHECK_AS(kShape, ids.shape() == targets.shape(), "targets have shape {}, expected {} as the ids",
              targets.shape(), ids.shape());
  return losses_after(hidden(ids), targets);
}

Tensor Transformer::losses_after(const Tensor& states, const Tensor& targets) const {
  const Tensor rows = reshape(targets, {-1});
  // For the backward pass the logits are kept rather than formed twice; of a batch, its dimension too: the
  // weight's gradient is then the sum of those of its sequences, in order.
  if (!linear_head() || (grad_enabled() && states.requires_grad()))
    return cross_entropy(reshape(head(states), {-1, config_.vocab_size}), rows);
  return linear_cross_entropy(head_input(reshape(states, {-1, config_.hidden_size})), head_weight(), rows);
}

nn::Stored Transformer::stored(const std::string& name, const Shape& shape) const {
  const Family& row = family(config_.model_type, "model");
  return row.stored ? row.stored(config_, name, shape) : nn::Stored{name, shape};
}

std::string Transformer::published(const std::string& name) const {
  const Family& row = family(config_.model_type, "model");
  return row.published ? row.published(name) : name;
}

// A tied head that was stored all the same, buffers that older files carry, and layers that predict further
// tokens, which follow the others.
bool Transformer::ignores(const std::string& name) const {
  if (config_.tie_word_embeddings && name == "lm_head.weight") return true;
  for (const char* buffer : {"rotary_emb.inv_freq", ".attn.bias", ".attn.masked_bias"})
    if (name.ends_with(buffer)) return true;
  const int64_t layers = config_.num_hidden_layers;
  for (int64_t i = layers; i < layers + config_.skipped_predict_layers; ++i)
    if (name.starts_with(fmt::format("model.layers.{}.", i))) return true;
  return false;
}

}  // namespace suiren::models
