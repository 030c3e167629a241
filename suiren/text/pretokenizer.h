#pragma once
// Pre-tokenization: text -> the pieces that byte-pair encoding never merges across. Immutable; safe to share.

#include <string>
#include <string_view>
#include <vector>

#include "suiren/base/threads.h"
#include "suiren/text/regex.h"
#include "suiren/text/scanner.h"

namespace suiren::text {

/// What becomes of a match when a stage cuts a piece, named as in tokenizer.json.
enum class SplitBehavior : uint8_t { kIsolated, kRemoved, kMergedWithPrevious, kMergedWithNext, kContiguous };

/// One step: it takes a piece and gives smaller ones.
struct SplitStage {
  enum Kind : uint8_t {
    kScan,         ///< a known pattern, each match a piece
    kRegex,        ///< any pattern, PCRE2
    kLiteral,      ///< a fixed string
    kDigits,       ///< runs of numbers
    kDigit,        ///< single numbers
    kSpaces,       ///< single white-space characters
    kPunctuation,  ///< single punctuation characters, and all ASCII symbols
    kWords,        ///< runs of word characters, runs of what is neither word nor white space
    kWordStart,    ///< nothing is taken away: a piece begins where `literal` stands after something else
    kPrefixSpace,  ///< a space goes before a piece that does not begin with one
    kMetaspace,    ///< spaces become `literal`; `prefix` says where one is put before the piece
    kCharacters,   ///< bytes become the characters of GPT-2's alphabet
  };
  enum Prefix : uint8_t { kNever, kFirst, kAlways };
  Kind kind = kScan;
  Pattern pattern = Pattern::kCl100k;
  SplitBehavior behavior = SplitBehavior::kIsolated;
  bool invert = false;       ///< what lies between matches counts as match
  std::vector<Regex> regex;  ///< one for kRegex, else none
  std::string literal;
  Prefix prefix = kAlways;  ///< kFirst: only at the beginning of the whole text
};

class PreTokenizer {
 public:
  PreTokenizer() = default;
  explicit PreTokenizer(std::vector<SplitStage> stages);
  /// One stage by pattern: a name (gpt2, cl100k, qwen2, o200k) or a regular expression.
  static PreTokenizer from_pattern(const std::string& pattern);

  /// Calls piece(view) for each piece in order; none is empty. A view lives as long as the call. `first`:
  /// this is the beginning of the whole text, not what follows an added token.
  void split(std::string_view text, FunctionRef<void(std::string_view)> piece, bool first = true) const {
    run(0, text, first, piece);
  }
  /// The regular expression of a pre-tokenizer made by from_pattern.
  const std::string& regex() const { return regex_; }

 private:
  void run(size_t stage, std::string_view text, bool first, FunctionRef<void(std::string_view)> piece) const;
  std::vector<SplitStage> stages_;
  std::string regex_;
};

}  // namespace suiren::text
