#pragma once
// The decoders of tokenizer.json: tokens, one after another, to text. Immutable: safe to share; a State
// belongs to one text.
//
// Bytes that do not make UTF-8 together (of byte-level tokens, of <0x00> to <0xFF>) are given out as they
// are, where PyPI tokenizers writes U+FFFD.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "suiren/text/regex.h"

namespace suiren::text {

/// One step, on one token at a time.
struct DecoderStep {
  enum Kind : uint8_t {
    kReplace,       ///< each `literal`, or match of `regex`, becomes `content`
    kByteFallback,  ///< <0x00> to <0xFF> become that byte
    kMetaspace,     ///< `literal` becomes a space; with `drops_first` none in the first token
    kWordPiece,     ///< `literal` at the beginning goes, other tokens but the first get a space before them
    kCleanUp,       ///< the spaces that English does not put before punctuation and contractions go
    kStrip,         ///< up to `start` and `stop` times `literal` goes from the token's ends
    kBytes,         ///< characters of GPT-2's alphabet become bytes
    kJoin,          ///< a space goes before each token but the first
    kSuffix,        ///< `literal` becomes a space, in the last token nothing
  };
  Kind kind = kReplace;
  std::string literal, content;
  std::vector<Regex> regex;  ///< one for a kReplace without literal
  bool drops_first = false;
  uint64_t start = 0, stop = 0;
};

class Decoder {
 public:
  /// How far a text has come.
  struct State {
    uint64_t tokens = 0;
    uint64_t stripped = 0;   ///< times `literal` was taken from the text's beginning
    bool at_start = true;    ///< nothing has come out that stays
    std::string held;        ///< what the end of the text may lose
    std::string last_token;  ///< held back because the last token is another
  };

  Decoder() = default;
  /// `steps` on each token; then `whole`, kStrip steps on the text as one.
  Decoder(std::vector<DecoderStep> steps, std::vector<DecoderStep> whole);

  /// Appends what the token adds to the text.
  void push(std::string_view token, State& state, std::string& out) const;
  /// Appends what was held back.
  void finish(State& state, std::string& out) const;
  /// Nothing to do: a token is its own text.
  bool empty() const { return steps_.empty() && whole_.empty(); }

 private:
  void emit(std::string text, State& state, std::string& out) const;
  std::string decode(std::string_view token, bool first, bool last) const;
  std::vector<DecoderStep> steps_, whole_;
  bool holds_token_ = false;
};

}  // namespace suiren::text
