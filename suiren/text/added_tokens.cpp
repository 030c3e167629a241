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

AddedTokens::AddedTokens(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  for (size_t i = 0; i < tokens_.size(); ++i) {
    if (tokens_[i].content.empty()) continue;
    Group& group = tokens_[i].normalized ? normalized_ : raw_;
    auto& list = group.by_first[static_cast<uint8_t>(tokens_[i].content[0])];
    if (list.empty()) group.first_bytes += tokens_[i].content[0];
    list.push_back(static_cast<uint32_t>(i));
  }
  for (Group* group : {&raw_, &normalized_})
    for (auto& list : group->by_first)
      std::stable_sort(list.begin(), list.end(), [&](uint32_t a, uint32_t b) {
        return tokens_[a].content.size() > tokens_[b].content.size();
      });
}

const AddedToken* AddedTokens::match(const Group& group, std::string_view text, size_t& at) const {
  const bool one = group.first_bytes.size() == 1;
  for (; at < text.size(); ++at) {
    if (one) at = std::min(text.find(group.first_bytes[0], at), text.size());
    if (at == text.size()) return nullptr;
    for (const uint32_t i : group.by_first[static_cast<uint8_t>(text[at])])
      if (text.substr(at).starts_with(tokens_[i].content)) return &tokens_[i];
  }
  return nullptr;
}

void AddedTokens::split_group(const Group& group, std::string_view text, bool parse_special,
                              FunctionRef<void(std::string_view)> plain,
                              FunctionRef<void(uint32_t)> token) const {
  size_t done = 0;
  for (size_t at = 0;
       const AddedToken* found = group.first_bytes.empty() ? nullptr : match(group, text, at);) {
    size_t begin = at, end = at + found->content.size();
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

void AddedTokens::split(std::string_view text, bool parse_special, FunctionRef<void(std::string_view)> plain,
                        FunctionRef<void(uint32_t)> token) const {
  if (normalized_.first_bytes.empty()) return split_group(raw_, text, parse_special, plain, token);
  split_group(
      raw_, text, parse_special,
      [&](std::string_view rest) { split_group(normalized_, rest, parse_special, plain, token); }, token);
}

}  // namespace suiren::text
