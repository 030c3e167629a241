#pragma once
// The models of tokenizer.json: one pre-token -> ids, as PyPI tokenizers does it. Immutable: safe to share; a
// scratch belongs to one thread.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "suiren/text/bpe.h"
#include "suiren/text/trie.h"

namespace suiren::text {

/// Memory that is used again from piece to piece.
struct ModelScratch {
  struct Best {  ///< Unigram: the best way to some place
    double score;
    uint32_t start, id;
  };
  Bpe::Scratch bpe;
  std::vector<uint32_t> symbols;
  std::vector<Best> best;
  /// Whether one giant piece took more than is worth keeping.
  bool is_large() const { return bpe.ids.capacity() + symbols.capacity() + best.capacity() > (1 << 20); }
};

class Model {
 public:
  virtual ~Model() = default;
  /// Appends the ids of `piece`, which is not empty.
  virtual void encode(std::string_view piece, std::vector<uint32_t>& out, ModelScratch& scratch) const = 0;
};

/// What becomes of a character without a token: its bytes, if each has one (<0x00> to <0xFF>); else the
/// unknown token; else nothing.
struct Unknown {
  std::optional<uint32_t> id;
  bool fuse = false;  ///< neighbours become one
  bool byte_fallback = false;
  std::array<uint32_t, 256> byte_ids{};  ///< Bpe::kNone: none
  /// Appends the ids of the bytes; false, and nothing done, when byte_fallback is off or one has none.
  bool append_bytes(std::string_view bytes, std::vector<uint32_t>& out) const;
};

/// BPE over bytes: every byte has a token.
class ByteBpe : public Model {
 public:
  explicit ByteBpe(Bpe bpe) : bpe_(std::move(bpe)) {}
  void encode(std::string_view piece, std::vector<uint32_t>& out, ModelScratch& scratch) const override {
    bpe_.encode(piece, out, scratch.bpe);
  }

 private:
  Bpe bpe_;
};

/// BPE over characters, as SentencePiece has it (Kudo & Richardson 2018).
class CharacterBpe : public Model {
 public:
  /// `symbols`: tokens of single characters; with a prefix or a suffix those that stand inside a word
  /// (continuing_subword_prefix) or at its end (end_of_word_suffix) carry it.
  struct Options {
    std::string prefix, suffix;
    Unknown unknown;
  };
  CharacterBpe(Bpe bpe, Trie tokens, Options options)
      : bpe_(std::move(bpe)), tokens_(std::move(tokens)), options_(std::move(options)) {}
  void encode(std::string_view piece, std::vector<uint32_t>& out, ModelScratch& scratch) const override;

 private:
  uint32_t symbol(std::string_view character, bool first, bool last) const;
  Bpe bpe_;
  Trie tokens_;
  Options options_;
};

/// WordPiece (Devlin et al. 2019): from the left the longest token that fits; a word that does not come out
/// even is one unknown token.
class WordPiece : public Model {
 public:
  struct Options {
    uint32_t unknown = 0;
    std::string prefix = "##";       ///< of tokens that do not begin a word
    uint64_t most_characters = 100;  ///< longer words are unknown
  };
  WordPiece(Trie tokens, Options options) : tokens_(std::move(tokens)), options_(std::move(options)) {}
  void encode(std::string_view piece, std::vector<uint32_t>& out, ModelScratch& scratch) const override;

 private:
  Trie tokens_;
  Options options_;
};

/// Unigram (Kudo 2018): the tokens whose scores sum highest (Viterbi). A character that no token covers costs
/// 10 more than the worst token; neighbours of that kind become one.
class Unigram : public Model {
 public:
  Unigram(Trie tokens, std::vector<double> scores, Unknown unknown);
  /// Error{kInvalid} when a character has no token and there is no unknown one.
  void encode(std::string_view piece, std::vector<uint32_t>& out, ModelScratch& scratch) const override;

 private:
  Trie tokens_;
  std::vector<double> scores_;  // by id
  Unknown unknown_;
  double unknown_score_ = 0;
};

}  // namespace suiren::text
