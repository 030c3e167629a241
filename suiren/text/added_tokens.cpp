#include "suiren/text/added_tokens.h"

#include <algorithm>

#include "suiren/text/unicode.h"

namespace suiren::text {

namespace {

/// The start of the character that ends at text[at - 1].
size_t before(std::string_view text, size_t at) {
  size_t i = at - 1;
  while (i > 0 && at - i < 4 && (static_cast<uint8_t>(text[i]) & 0xC0) == 0x80) --i;
  return i;
}

uint8_t bits_at(std::string_view text, size_t at) {
  return read_char(text.data() + at, text.data() + text.size(), char_classes()).bits;
}

bool touches_word(std::string_view text, size_t begin, size_t end) {
  return (begin > 0 && (bits_at(text, before(text, begin)) & kWord)) ||
         (end < text.size() && (bits_at(text, end) & kWord));
}

}  // namespace

AddedTokens::AddedTokens(std::vector<AddedToken> tokens, const std::vector<std::string>& spellings)
    : tokens_(std::move(tokens)) {
  std::vector<std::pair<std::string_view, uint32_t>> strings;
  for (size_t i = 0; i < tokens_.size(); ++i) {
    if (spellings[i].empty()) continue;
    strings.emplace_back(spellings[i], static_cast<uint32_t>(i));
    first_bytes_.set(static_cast<uint8_t>(spellings[i][0]));
    only_first_byte_ = static_cast<uint8_t>(spellings[i][0]);
  }
  if (first_bytes_.count() != 1) only_first_byte_ = -1;
  trie_ = Trie(std::move(strings));
}

const AddedToken* AddedTokens::match(std::string_view text, size_t& begin, size_t& end) const {
  for (; begin < text.size(); ++begin) {
    if (only_first_byte_ >= 0)
      begin = std::min(text.find(static_cast<char>(only_first_byte_), begin), text.size());
    if (begin == text.size()) return nullptr;
    if (!first_bytes_[static_cast<uint8_t>(text[begin])]) continue;
    uint32_t longest = Trie::kNone, node = Trie::kRoot;
    for (size_t i = begin; i < text.size() && (node = trie_.next(node, text[i])) != Trie::kNone; ++i)
      if (trie_.id(node) != Trie::kNone) longest = trie_.id(node), end = i + 1;
    if (longest != Trie::kNone) return &tokens_[longest];
  }
  return nullptr;
}

void AddedTokens::split(std::string_view text, bool parse_special, FunctionRef<void(std::string_view)> plain,
                        FunctionRef<void(uint32_t)> token) const {
  size_t done = 0, begin = 0, end = 0;
  for (size_t at = 0; const AddedToken* found = empty() ? nullptr : match(text, begin = at, end);) {
    at = end;
    if (found->special && !parse_special) continue;
    if (found->single_word && touches_word(text, begin, end)) continue;
    if (found->lstrip)
      while (begin > done && (bits_at(text, before(text, begin)) & kSpace)) begin = before(text, begin);
    if (found->rstrip)
      while (end < text.size() && (bits_at(text, end) & kSpace))
        end += read_char(text.data() + end, text.data() + text.size(), char_classes()).size;
    if (done < begin) plain(text.substr(done, begin - done));
    token(found->id);
    done = end;
  }
  if (done < text.size()) plain(text.substr(done));
}

}  // namespace suiren::text
