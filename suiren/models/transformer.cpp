#include "suiren/models/transformer.h"

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "suiren/base/file.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/attention/attention.h"
#include "suiren/ops/cross_entropy/cross_entropy.h"
#include "suiren/ops/matmul/matmul.h"
#include "suiren/ops/rope/rope.h"
#include "suiren/ops/swiglu/swiglu.h"
#include "suiren/ops/view/view.h"

namespace suiren::models {

Block::Block(const TransformerConfig& c, const nn::Placement& at)
    : heads_(c.num_attention_heads),
      kv_heads_(c.num_key_value_heads),
      head_dim_(c.head_dim),
      input_norm_(c.hidden_size, c.rms_norm_eps, at),
      post_norm_(c.hidden_size, c.rms_norm_eps, at),
      q_(c.hidden_size, heads_ * head_dim_, c.attention_bias, at),
      k_(c.hidden_size, kv_heads_ * head_dim_, c.attention_bias, at),
      v_(c.hidden_size, kv_heads_ * head_dim_, c.attention_bias, at),
      o_(heads_ * head_dim_, c.hidden_size, c.attention_bias, at),
      gate_(c.hidden_size, c.intermediate_size, c.mlp_bias, at),
      up_(c.hidden_size, c.intermediate_size, c.mlp_bias, at),
      down_(c.intermediate_size, c.hidden_size, c.mlp_bias, at) {
  add_child("self_attn.q_proj", q_);
  add_child("self_attn.k_proj", k_);
  add_child("self_attn.v_proj", v_);
  add_child("self_attn.o_proj", o_);
  if (c.qk_norm()) {
    add_child("self_attn.q_norm", q_norm_.emplace(head_dim_, c.rms_norm_eps, at));
    add_child("self_attn.k_norm", k_norm_.emplace(head_dim_, c.rms_norm_eps, at));
  }
  add_child("mlp.gate_proj", gate_);
  add_child("mlp.up_proj", up_);
  add_child("mlp.down_proj", down_);
  add_child("input_layernorm", input_norm_);
  add_child("post_attention_layernorm", post_norm_);
}

Tensor Block::attend(const Tensor& x, const RopeTables::Slice& tables, int64_t layer, KvStore* store) const {
  const int64_t b = x.dim(0), t = x.dim(1);
  Tensor q = reshape(q_(x), {b, t, heads_, head_dim_});
  Tensor k = reshape(k_(x), {b, t, kv_heads_, head_dim_});
  Tensor v = reshape(v_(x), {b, t, kv_heads_, head_dim_});
  if (q_norm_) q = (*q_norm_)(q), k = (*k_norm_)(k);
  q = rope(q, tables.cos, tables.sin);
  k = rope(k, tables.cos, tables.sin);
  if (store) std::tie(k, v) = store->append(layer, k, v);
  const double scale = 1 / std::sqrt(static_cast<double>(head_dim_));
  const Tensor out = scaled_dot_product_attention(q, k, v, scale, true);  // [b, t, heads, head_dim]
  return o_(reshape(out, {b, t, heads_ * head_dim_}));
}

Tensor Block::operator()(const Tensor& x, const RopeTables::Slice& tables, int64_t layer,
                         KvStore* store) const {
  const Tensor h = x + attend(input_norm_(x), tables, layer, store);
  const Tensor n = post_norm_(h);
  return h + down_(swiglu(gate_(n), up_(n)));
}

Transformer::Transformer(const TransformerConfig& c, NoInit, const nn::Placement& at)
    : config_(c),
      at_(at),
      rope_(c.head_dim, c.rope_theta, c.max_position_embeddings, at.device, at.dtype),
      embed_(c.vocab_size, c.hidden_size, at),
      norm_(c.hidden_size, c.rms_norm_eps, at) {
  add_child("model.embed_tokens", embed_);
  for (int64_t i = 0; i < c.num_hidden_layers; ++i) {
    blocks_.push_back(std::make_unique<Block>(c, at));
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
  const TransformerConfig config = TransformerConfig::load(folder);
  std::vector<std::string> files{folder + "/model.safetensors"};
  const std::string index = files[0] + ".index.json";
  if (!std::filesystem::exists(files[0]) && std::filesystem::exists(index)) {
    const io::Json json = io::read_json(index);
    std::set<std::string> shards;
    for (const auto& [tensor, file] : io::json_member(json, "weight_map", index).items()) {
      SR_CHECK(file.is_string() && file.get_ref<const std::string&>().find('/') == std::string::npos,
               "{}: weight_map.{} is {}, expected a file name beside the index", index, tensor, file.dump());
      shards.insert(folder + "/" + file.get<std::string>());
    }
    files.assign(shards.begin(), shards.end());
  }
  // Before any memory is taken: an element has at least a byte in the file.
  size_t bytes = 0;
  for (const std::string& file : files) bytes += MappedFile(file).bytes().size();
  SR_CHECK(static_cast<int64_t>(bytes) >= config.parameter_count(),
           "{} has {} bytes, too few for the {} parameters that config.json states", files[0], bytes,
           config.parameter_count());
  std::unique_ptr<Transformer> model(new Transformer(config, NoInit{}, at));
  model->load_files(files);
  return model;
}

std::unique_ptr<Transformer> Transformer::placed(const nn::Placement& at) const {
  std::unique_ptr<Transformer> model(new Transformer(config_, NoInit{}, at));
  model->copy_from(*this);
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

Tensor Transformer::hidden(const Tensor& ids, KvStore* store) const {
  SR_CHECK_AS(kShape, ids.rank() == 2, "the model's ids have shape {}, expected [batch, positions]",
              ids.shape());
  const int64_t past = store ? store->length() : 0, count = ids.dim(1);
  SR_CHECK(past + count <= config_.max_position_embeddings,
           "{} tokens exceed the model's {} positions; shorten the text", past + count,
           config_.max_position_embeddings);
  const RopeTables::Slice tables = rope_.at(past, count);
  Tensor x = embed_(ids);
  for (size_t i = 0; i < blocks_.size(); ++i) x = (*blocks_[i])(x, tables, static_cast<int64_t>(i), store);
  if (store) store->advance(count);
  return norm_(x);
}

Tensor Transformer::head(const Tensor& hidden) const {
  return head_ ? (*head_)(hidden) : linear(hidden, embed_.weight);
}

Tensor Transformer::token_losses(const Tensor& ids, const Tensor& targets) const {
  SR_CHECK_AS(kShape, ids.shape() == targets.shape(), "targets have shape {}, expected {} as the ids",
              targets.shape(), ids.shape());
  return cross_entropy(reshape(logits(ids), {-1, config_.vocab_size}), reshape(targets, {-1}));
}

// A tied head that was stored all the same, and buffers that older files carry.
bool Transformer::ignores(const std::string& name) const {
  return (config_.tie_word_embeddings && name == "lm_head.weight") || name.ends_with("rotary_emb.inv_freq");
}

}  // namespace suiren::models
