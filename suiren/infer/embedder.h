#pragma once
// Texts to vectors whose distances mean something (Reimers & Gurevych 2019): an encoder, its tokenizer, and
// what becomes of the states of a text's tokens. Safe to read from several threads.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "suiren/io/json.h"
#include "suiren/models/encoder.h"
#include "suiren/text/tokenizer.h"

namespace suiren::infer {

/// A vector from the states of all tokens: their mean, that of the first (CLS), or the largest of each
/// element.
enum class Pooling { kMean, kCls, kMax };

/// What a publisher says about it, in the files of sentence-transformers (every version's spelling).
struct EmbeddingSettings {
  Pooling pooling = Pooling::kMean;
  bool normalize = true;   ///< vectors have length 1
  int64_t max_tokens = 0;  ///< of a text, with its special tokens; 0: as many as the encoder has positions

  /// Each reads one file's object; `name` (its path) opens the message of Error{kInvalid} for a value of the
  /// wrong type, and of Error{kUnsupported} for what would change the vectors and is not here.
  /// modules.json: whether there is a Normalize; the result is the folder of Pooling's config.json.
  std::string read_modules(const io::Json& json, const std::string& name);
  void read_pooling(const io::Json& json, const std::string& name);          ///< 1_Pooling/config.json
  void read_sentence_config(const io::Json& json, const std::string& name);  ///< sentence_bert_config.json
  /// tokenizer_config.json's model_max_length, unless max_tokens is set.
  void read_tokenizer_config(const io::Json& json, const std::string& name);
  /// A model folder. Without modules.json: the mean, of length 1.
  static EmbeddingSettings load(const std::string& folder);
};

class Embedder {
 public:
  /// A text as the encoder takes it, special tokens included; `cut` ids at its end were one too many.
  struct Text {
    std::vector<int64_t> ids;
    int64_t cut = 0;
  };

  /// From a folder as Hugging Face and sentence-transformers lay it out: config.json, tokenizer.json,
  /// weights, and what EmbeddingSettings reads. Error{kUnsupported} for a model that is no encoder.
  static Embedder load(const std::string& folder, const nn::Placement& at = {});

  int64_t dimensions() const { return encoder_->config().hidden_size; }
  int64_t max_tokens() const { return max_tokens_; }
  const EmbeddingSettings& settings() const { return settings_; }

  /// The ids of a text, at most max_tokens(): of a longer one the beginning, between its special tokens.
  Text encode(std::string_view text) const;
  /// float32 [texts.size(), dimensions()]. Texts run together by length; the vector of each is, bit for bit,
  /// the one that it has alone.
  std::vector<float> embed(std::span<const Text> texts) const;

 private:
  Embedder(std::unique_ptr<models::Encoder> encoder, text::Tokenizer tokenizer, EmbeddingSettings settings);
  void pool(std::span<const float> states, std::span<float> vector) const;
  std::unique_ptr<models::Encoder> encoder_;
  text::Tokenizer tokenizer_;
  EmbeddingSettings settings_;
  int64_t max_tokens_;
};

}  // namespace suiren::infer
