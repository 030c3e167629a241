#include "suiren/text/bpe.h"

#include <algorithm>
#include <bit>

#include "suiren/base/error.h"

namespace suiren::text {

Bpe::Bpe(const std::array<uint32_t, 256>& byte_ids, std::span<const MergeRule> rules) : byte_ids_(byte_ids) {
  slots_.assign(std::bit_ceil(rules.size() * 2 + 2), Slot{kNone, kNone, kNone, kNone});
  mask_ = slots_.size() - 1;
  for (const MergeRule& rule : rules) {
    auto& slot = const_cast<Slot&>(find(rule.left, rule.right));
    slot = {rule.left, rule.right, static_cast<uint32_t>(results_.size()), rule.result};
    results_.push_back(rule.result);
  }
}

template <class SymbolAt>
void Bpe::encode_short(size_t n, SymbolAt&& symbol_at, std::vector<uint32_t>& out) const {
  uint32_t ids[kShort], ranks[kShort];  // ranks[i]: of the rule that joins ids[i] and ids[i + 1]
  for (size_t i = 0; i < n; ++i) ids[i] = symbol_at(i);
  for (size_t i = 0; i + 1 < n; ++i) ranks[i] = find(ids[i], ids[i + 1]).rank;
  while (n > 1) {
    size_t best = 0;
    uint32_t rank = ranks[0];
    for (size_t i = 1; i + 1 < n; ++i) {
      const bool better = ranks[i] < rank;
      rank = better ? ranks[i] : rank;
      best = better ? i : best;
    }
    if (rank == kNone) break;
    ids[best] = results_[rank];
    --n;
    for (size_t i = best + 1; i < n; ++i) ids[i] = ids[i + 1];
    for (size_t i = best; i + 1 < n; ++i) ranks[i] = ranks[i + 1];
    if (best > 0) ranks[best - 1] = find(ids[best - 1], ids[best]).rank;
    if (best + 1 < n) ranks[best] = find(ids[best], ids[best + 1]).rank;
  }
  out.insert(out.end(), ids, ids + n);
}

template <class SymbolAt>
void Bpe::encode_long(size_t size, SymbolAt&& symbol_at, std::vector<uint32_t>& out, Scratch& s) const {
  SR_CHECK_AS(kUnsupported, size < (uint64_t{1} << 31),
              "a piece of text without a place to split has {} symbols; at most 2^31 can be encoded", size);
  const auto n = static_cast<uint32_t>(size);
  s.ids.resize(n);
  s.next.resize(n);
  s.previous.resize(n);
  s.heap.clear();
  for (uint32_t i = 0; i < n; ++i) {
    s.ids[i] = symbol_at(i);
    s.next[i] = i + 1;
    s.previous[i] = i - 1;
  }
  // A heap entry is rank << 32 | position. It is stale when the pair at its position has another rank by now.
  const auto rank_at = [&](uint32_t i) { return find(s.ids[i], s.ids[s.next[i]]).rank; };
  const auto push = [&](uint32_t i) {
    if (const uint32_t rank = rank_at(i); rank != kNone) {
      s.heap.push_back(uint64_t{rank} << 32 | i);
      std::push_heap(s.heap.begin(), s.heap.end(), std::greater<>());
    }
  };
  for (uint32_t i = 0; i + 1 < n; ++i)
    if (const uint32_t rank = rank_at(i); rank != kNone) s.heap.push_back(uint64_t{rank} << 32 | i);
  std::make_heap(s.heap.begin(), s.heap.end(), std::greater<>());
  while (!s.heap.empty()) {
    std::pop_heap(s.heap.begin(), s.heap.end(), std::greater<>());
    const uint64_t top = s.heap.back();
    s.heap.pop_back();
    ++s.heap_pops;
    const auto i = static_cast<uint32_t>(top), rank = static_cast<uint32_t>(top >> 32);
    if (s.ids[i] == kNone || s.next[i] == n || rank_at(i) != rank) continue;
    const uint32_t gone = s.next[i];
    s.ids[i] = results_[rank];
    s.ids[gone] = kNone;
    s.next[i] = s.next[gone];
    if (s.next[i] != n) {
      s.previous[s.next[i]] = i;
      push(i);
    }
    if (i > 0) push(s.previous[i]);
  }
  for (uint32_t i = 0; i < n; i = s.next[i]) out.push_back(s.ids[i]);
}

void Bpe::encode(std::string_view piece, std::vector<uint32_t>& out, Scratch& scratch) const {
  const auto symbol_at = [&](size_t i) { return byte_ids_[static_cast<uint8_t>(piece[i])]; };
  if (piece.size() == 1) {
    out.push_back(symbol_at(0));
  } else if (piece.size() <= kShort) {
    encode_short(piece.size(), symbol_at, out);
  } else {
    encode_long(piece.size(), symbol_at, out, scratch);
  }
}

void Bpe::merge(std::span<const uint32_t> symbols, std::vector<uint32_t>& out, Scratch& scratch) const {
  const auto symbol_at = [&](size_t i) { return symbols[i]; };
  if (symbols.size() <= kShort) {
    encode_short(symbols.size(), symbol_at, out);
  } else {
    encode_long(symbols.size(), symbol_at, out, scratch);
  }
}

}  // namespace suiren::text
