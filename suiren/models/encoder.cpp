#include "suiren/models/encoder.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "suiren/base/error.h"
#include "suiren/models/folder_weights.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/attention/attention.h"
#include "suiren/ops/concat/concat.h"
#include "suiren/ops/unary/unary.h"
#include "suiren/ops/view/view.h"

namespace suiren::models {

EncoderLayer::EncoderLayer(const EncoderConfig& c, const nn::Placement& at)
    : heads_(c.num_attention_heads),
      activation_(c.activation),
      query_(c.hidden_size, c.hidden_size, true, at),
      key_(c.hidden_size, c.hidden_size, true, at),
      value_(c.hidden_size, c.hidden_size, true, at),
      attended_(c.hidden_size, c.hidden_size, true, at),
      up_(c.hidden_size, c.intermediate_size, true, at),
      down_(c.intermediate_size, c.hidden_size, true, at),
      after_attention_(c.hidden_size, c.layer_norm_eps, at),
      after_mlp_(c.hidden_size, c.layer_norm_eps, at) {
  add_child("attention.self.query", query_);
  add_child("attention.self.key", key_);
  add_child("attention.self.value", value_);
  add_child("attention.output.dense", attended_);
  add_child("attention.output.LayerNorm", after_attention_);
  add_child("intermediate.dense", up_);
  add_child("output.dense", down_);
  add_child("output.LayerNorm", after_mlp_);
}

// Neighbours of one length go together: [texts, length, heads, head_dim].
Tensor EncoderLayer::attend(const Tensor& x, std::span<const int64_t> lengths) const {
  const Tensor q = query_(x), k = key_(x), v = value_(x);
  const int64_t hidden = x.dim(1), head_dim = hidden / heads_;
  const double scale = 1 / std::sqrt(static_cast<double>(head_dim));
  std::vector<Tensor> parts;
  int64_t row = 0;
  for (size_t i = 0, end; i < lengths.size(); i = end) {
    const int64_t length = lengths[i];
    for (end = i; end < lengths.size() && lengths[end] == length;) ++end;
    const auto texts = static_cast<int64_t>(end - i), rows = texts * length;
    const auto part = [&](const Tensor& y) {
      return reshape(slice(y, 0, row, row + rows), {texts, length, heads_, head_dim});
    };
    const Tensor out = scaled_dot_product_attention(part(q), part(k), part(v), scale, false);
    parts.push_back(reshape(out, {rows, hidden}));
    row += rows;
  }
  return parts.size() == 1 ? parts[0] : concat(parts, 0);
}

Tensor EncoderLayer::operator()(const Tensor& x, std::span<const int64_t> lengths) const {
  const Tensor h = after_attention_(attended_(attend(x, lengths)) + x);
  const Tensor y = up_(h);
  const Tensor active = activation_ == EncoderActivation::kGelu       ? gelu(y)
                        : activation_ == EncoderActivation::kGeluTanh ? gelu_tanh(y)
                                                                      : relu(y);
  return after_mlp_(down_(active) + h);
}

Encoder::Encoder(const EncoderConfig& c, const nn::Placement& at)
    : config_(c),
      at_(at),
      words_(c.vocab_size, c.hidden_size, at),
      positions_(c.max_position_embeddings, c.hidden_size, at),
      types_(c.type_vocab_size, c.hidden_size, at),
      norm_(c.hidden_size, c.layer_norm_eps, at) {
  add_child("embeddings.word_embeddings", words_);
  add_child("embeddings.position_embeddings", positions_);
  add_child("embeddings.token_type_embeddings", types_);
  add_child("embeddings.LayerNorm", norm_);
  for (int64_t i = 0; i < c.num_hidden_layers; ++i) {
    layers_.push_back(std::make_unique<EncoderLayer>(c, at));
    add_child(fmt::format("encoder.layer.{}", i), *layers_.back());
  }
}

std::unique_ptr<Encoder> Encoder::load(const std::string& folder, const nn::Placement& at) {
  const EncoderConfig config = EncoderConfig::load(folder);
  const FolderWeights weights = FolderWeights::open(folder);
  check_size(weights.entries(), config.parameter_count(), folder);
  std::unique_ptr<Encoder> model(new Encoder(config, at));
  model->load_entries(weights.entries(), folder);
  return model;
}

void Encoder::check(std::span<const int64_t> ids, std::span<const int64_t> lengths) const {
  for (const int64_t id : ids)
    SR_CHECK(id >= 0 && id < config_.vocab_size, "token id {} is outside the model's vocabulary of {}", id,
             config_.vocab_size);
  for (const int64_t length : lengths)
    SR_CHECK(length >= 1 && length <= config_.positions(),
             "a text has {} tokens, the model has {} positions; shorten the text", length,
             config_.positions());
  const int64_t sum = std::accumulate(lengths.begin(), lengths.end(), int64_t{0});
  SR_CHECK(sum >= 1 && sum == static_cast<int64_t>(ids.size()),
           "the lengths of the texts add up to {}, but there are {} ids", sum, ids.size());
}

Tensor Encoder::hidden(std::span<const int64_t> ids, std::span<const int64_t> lengths) const {
  check(ids, lengths);
  std::vector<int64_t> positions(ids.size());
  for (auto at = positions.begin(); const int64_t length : lengths) {
    std::iota(at, at + length, config_.first_position);
    at += length;
  }
  const Shape shape{static_cast<int64_t>(ids.size())};
  Tensor x = words_(Tensor::from(ids, shape, at_.device)) + slice(types_.weight, 0, 0, 1) +
             positions_(Tensor::from(positions, shape, at_.device));
  x = norm_(x);
  for (const auto& layer : layers_) x = (*layer)(x, lengths);
  return x;
}

// What stands beside the encoder: position numbers, the pooler, heads.
bool Encoder::ignores(const std::string& name) const {
  static const std::array kParts = {
      "embeddings.position_ids", "pooler.", "cls.", "lm_head.", "classifier.", "qa_outputs."};
  return std::ranges::any_of(kParts, [&](const char* part) { return name.starts_with(part); });
}

// Models with a head put the family's name in front; the first files wrote gamma and beta.
std::string Encoder::published(const std::string& name) const {
  std::string own = name;
  for (const char* prefix : {"bert.", "roberta."})
    if (own.starts_with(prefix)) own.erase(0, std::string_view(prefix).size());
  for (const auto& [older, newer] : {std::pair{".gamma", ".weight"}, {".beta", ".bias"}})
    if (own.ends_with(older)) own.replace(own.size() - std::string_view(older).size(), own.npos, newer);
  return own;
}

}  // namespace suiren::models
