#pragma once
// Tokens that stand in the text as they are: end marks, chat roles. Immutable; safe to share.

#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "suiren/base/threads.h"
#include "suiren/text/trie.h"

namespace suiren::text {

/// A row of tokenizer.json's added_tokens, with its flags.
struct AddedToken {
  uint32_t id = 0;
  std::string content;
  bool single_word = false;  ///< only where no word character touches it
  bool lstrip = false;       ///< takes the spaces before it along
  bool rstrip = false;       ///< takes the spaces after it along
  bool normalized = false;   ///< looked for, normalized itself, in normalized text
  bool special = false;
};

/// Tokens that are looked for at the same time.
class AddedTokens {
 public:
  AddedTokens() = default;
  /// `spellings`: what to look for, by token; an empty one is never found.
  AddedTokens(std::vector<AddedToken> tokens, const std::vector<std::string>& spellings);

  /// Cuts text into tokens and what lies between: the longest token at the leftmost place wins. With
  /// `parse_special` off, special tokens are plain text.
  void split(std::string_view text, bool parse_special, FunctionRef<void(std::string_view)> plain,
             FunctionRef<void(uint32_t id)> token) const;
  bool empty() const { return trie_.empty(); }

 private:
  /// The first token at or after `begin`, which moves there; `end` is its end.
  const AddedToken* match(std::string_view text, size_t& begin, size_t& end) const;

  std::vector<AddedToken> tokens_;
  Trie trie_;
  std::bitset<256> first_bytes_;
  int only_first_byte_ = -1;  ///< when all begin alike
};

}  // namespace suiren::text
