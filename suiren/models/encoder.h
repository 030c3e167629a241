#pragma once
// An encoder of text from its description (encoder_config.h): every token sees every other of its text. One
// model may be read from several threads.

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "suiren/models/encoder_config.h"
#include "suiren/nn/layers.h"
#include "suiren/nn/vision.h"

namespace suiren::models {

/// layer_norm(x + attention(x)), then layer_norm(x + mlp(x)) (Vaswani et al. 2017), with the names of Hugging
/// Face's files.
class EncoderLayer : public nn::Module {
 public:
  EncoderLayer(const EncoderConfig& config, const nn::Placement& at);
  /// x [N, hidden], texts of `lengths` rows one after another -> [N, hidden].
  Tensor operator()(const Tensor& x, std::span<const int64_t> lengths) const;

 private:
  Tensor attend(const Tensor& x, std::span<const int64_t> lengths) const;
  int64_t heads_;
  EncoderActivation activation_;
  nn::Linear query_, key_, value_, attended_, up_, down_;
  nn::LayerNorm after_attention_, after_mlp_;
};

class Encoder : public nn::Module {
 public:
  /// Reads FOLDER/config.json and model.safetensors (or the shards of model.safetensors.index.json). Heads
  /// and the pooler, which embeddings do not pass through, are left out.
  static std::unique_ptr<Encoder> load(const std::string& folder, const nn::Placement& at = {});

  const EncoderConfig& config() const { return config_; }
  /// The last states of texts that stand one after another in `ids`, of `lengths` tokens each (their sum is
  /// ids.size()): [ids.size(), hidden]. There is no padding: a text sees itself alone, and its bits are those
  /// that it has by itself. Token types are 0. Error{kInvalid} names an id beyond the vocabulary, or states
  /// both lengths when a text exceeds config().positions().
  Tensor hidden(std::span<const int64_t> ids, std::span<const int64_t> lengths) const;

 protected:
  bool ignores(const std::string& name) const override;
  std::string published(const std::string& name) const override;

 private:
  Encoder(const EncoderConfig& config, const nn::Placement& at);
  void check(std::span<const int64_t> ids, std::span<const int64_t> lengths) const;
  EncoderConfig config_;
  nn::Placement at_;
  nn::Embedding words_, positions_, types_;
  nn::LayerNorm norm_;
  std::vector<std::unique_ptr<EncoderLayer>> layers_;
};

}  // namespace suiren::models
