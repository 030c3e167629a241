#include "suiren/text/model.h"

#include <algorithm>
#include <limits>

#include "suiren/base/error.h"
#include "suiren/text/unicode.h"

namespace suiren::text {

namespace {

size_t character_size(std::string_view text, size_t at) {
  return read_char(text.data() + at, text.data() + text.size(), char_classes()).size;
}

}  // namespace

bool Unknown::append_bytes(std::string_view bytes, std::vector<uint32_t>& out) const {
  const auto has_token = [&](char c) { return byte_ids[static_cast<uint8_t>(c)] != Bpe::kNone; };
  if (!byte_fallback || !std::all_of(bytes.begin(), bytes.end(), has_token)) return false;
  for (const char c : bytes) out.push_back(byte_ids[static_cast<uint8_t>(c)]);
  return true;
}

uint32_t CharacterBpe::symbol(std::string_view character, bool first, bool last) const {
  uint32_t node = first ? Trie::kRoot : tokens_.walk(Trie::kRoot, options_.prefix);
  node = tokens_.walk(node, character);
  return tokens_.id(last ? tokens_.walk(node, options_.suffix) : node);
}

void CharacterBpe::encode(std::string_view piece, std::vector<uint32_t>& out, ModelScratch& scratch) const {
  const Unknown& unknown = options_.unknown;
  std::vector<uint32_t>& symbols = scratch.symbols;
  symbols.clear();
  bool pending = false;  // an unknown token, held back because the next may join it
  for (size_t at = 0, size; at < piece.size(); at += size) {
    size = character_size(piece, at);
    const std::string_view character = piece.substr(at, size);
    const uint32_t id = symbol(character, at == 0, at + size == piece.size());
    if (id != Trie::kNone) {
      if (pending) symbols.push_back(*unknown.id);
      pending = false;
      symbols.push_back(id);
    } else if (!unknown.append_bytes(character, symbols) && unknown.id) {
      if (pending && !unknown.fuse) symbols.push_back(*unknown.id);
      pending = true;
    }
  }
  if (pending) symbols.push_back(*unknown.id);
  bpe_.merge(symbols, out, scratch.bpe);
}

void WordPiece::encode(std::string_view piece, std::vector<uint32_t>& out, ModelScratch&) const {
  uint64_t characters = 0;
  for (size_t at = 0; at < piece.size(); at += character_size(piece, at)) ++characters;
  if (characters > options_.most_characters) return out.push_back(options_.unknown);
  const size_t begin = out.size();
  for (size_t at = 0; at < piece.size();) {
    uint32_t node = at == 0 ? Trie::kRoot : tokens_.walk(Trie::kRoot, options_.prefix);
    uint32_t longest = Trie::kNone;
    size_t end = at;
    for (size_t i = at; i < piece.size() && node != Trie::kNone;) {
      const size_t next = i + character_size(piece, i);
      node = tokens_.walk(node, piece.substr(i, next - i));
      i = next;
      if (tokens_.id(node) != Trie::kNone) longest = tokens_.id(node), end = i;
    }
    if (longest == Trie::kNone) {
      out.resize(begin);
      return out.push_back(options_.unknown);
    }
    out.push_back(longest);
    at = end;
  }
}

Unigram::Unigram(Trie tokens, std::vector<double> scores, Unknown unknown)
    : tokens_(std::move(tokens)), scores_(std::move(scores)), unknown_(std::move(unknown)) {
  constexpr double kPenalty = 10;
  double least = std::numeric_limits<double>::infinity();
  for (const double s : scores_) least = std::min(least, s);
  unknown_score_ = least - kPenalty;
}

void Unigram::encode(std::string_view piece, std::vector<uint32_t>& out, ModelScratch& scratch) const {
  constexpr uint32_t kUnreached = 0xFFFFFFFF;
  SR_CHECK_AS(kUnsupported, piece.size() < kUnreached,
              "a piece of text without a place to split has {} bytes; at most 4 GiB can be encoded",
              piece.size());
  auto& best = scratch.best;
  best.assign(piece.size() + 1, {0, kUnreached, Trie::kNone});
  const auto offer = [&](size_t start, size_t end, double score, uint32_t id) {
    if (best[end].start == kUnreached || score > best[end].score)
      best[end] = {score, static_cast<uint32_t>(start), id};
  };
  for (size_t at = 0, size; at < piece.size(); at += size) {
    size = character_size(piece, at);
    const double here = best[at].score;
    bool covered = false;
    uint32_t node = Trie::kRoot;
    for (size_t i = at; i < piece.size(); ++i) {
      node = tokens_.next(node, piece[i]);
      if (node == Trie::kNone) break;
      const uint32_t id = tokens_.id(node);
      if (id == Trie::kNone) continue;
      offer(at, i + 1, scores_[id] + here, id);
      covered |= i + 1 == at + size;
    }
    if (covered) continue;
    SR_CHECK(unknown_.id.has_value(), "the tokenizer has no token for '{}' and no unknown token (unk_id)",
             piece.substr(at, size));
    offer(at, at + size, unknown_score_ + here, *unknown_.id);
  }
  // From the end back; then the ids are turned around.
  const size_t begin = out.size();
  std::vector<uint32_t> bytes;
  for (size_t end = piece.size(); end > 0;) {
    size_t start = best[end].start;
    if (!unknown_.id || best[end].id != *unknown_.id) {
      out.push_back(best[end].id);
      end = start;
      continue;
    }
    while (start > 0 && best[start].id == *unknown_.id) start = best[start].start;
    const std::string_view fused = piece.substr(start, end - start);
    const uint32_t whole = tokens_.find(fused);
    bytes.clear();
    if (whole != Trie::kNone)
      out.push_back(whole);
    else if (unknown_.append_bytes(fused, bytes))
      out.insert(out.end(), bytes.rbegin(), bytes.rend());
    else
      out.push_back(*unknown_.id);
    end = start;
  }
  std::reverse(out.begin() + static_cast<int64_t>(begin), out.end());
}

}  // namespace suiren::text
