#pragma once
// Tokens that stand in the text as they are: end marks, chat roles. Immutable; safe to share.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "suiren/base/threads.h"

namespace suiren::text {

/// A row of tokenizer.json's added_tokens, with its flags.
struct AddedToken {
  uint32_t id = 0;
  std::string content;
  bool single_word = false;  ///< only where no word character touches it
  bool lstrip = false;       ///< takes the spaces before it along
  bool rstrip = false;       ///< takes the spaces after it along
  bool normalized = false;   ///< looked for after those that are not
  bool special = false;
};

class AddedTokens {
 public:
  AddedTokens() = default;
  explicit AddedTokens(std::vector<AddedToken> tokens);

  /// Cuts text into tokens and what lies between: the longest token at the leftmost place wins. With
  /// `parse_special` off, special tokens are plain text.
  void split(std::string_view text, bool parse_special, FunctionRef<void(std::string_view)> plain,
             FunctionRef<void(uint32_t id)> token) const;
  const std::vector<AddedToken>& tokens() const { return tokens_; }

 private:
  /// Tokens by first byte, longest first.
  struct Group {
    std::array<std::vector<uint32_t>, 256> by_first;
    std::string first_bytes;
  };
  const AddedToken* match(const Group& group, std::string_view text, size_t& at) const;
  void split_group(const Group& group, std::string_view text, bool parse_special,
                   FunctionRef<void(std::string_view)> plain, FunctionRef<void(uint32_t id)> token) const;

  std::vector<AddedToken> tokens_;
  Group raw_, normalized_;
};

}  // namespace suiren::text
