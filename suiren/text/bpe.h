#pragma once
// The merge rules of byte-pair encoding, applied to one pre-token at a time. Immutable: safe to share; a
// Scratch belongs to one thread.

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace suiren::text {

/// A rule: the neighbours (left, right) become `result`. Its rank is its place in the list.
struct MergeRule {
  uint32_t left, right, result;
  bool operator==(const MergeRule&) const = default;
};

class Bpe {
 public:
  static constexpr uint32_t kNone = 0xFFFFFFFF;

  /// Memory that is used again from piece to piece, and a count of the work done on long ones.
  struct Scratch {
    std::vector<uint32_t> ids, next, previous;
    std::vector<uint64_t> heap;
    uint64_t heap_pops = 0;
  };

  Bpe() = default;
  /// `byte_ids`: the token of each byte. When a pair stands twice in `rules`, its last place counts.
  Bpe(const std::array<uint32_t, 256>& byte_ids, std::span<const MergeRule> rules);

  /// Appends the ids of `piece`: the applicable rule of lowest rank goes first, the leftmost place among
  /// equals. O(n^2) with small constants up to kShort bytes, O(n log n) above.
  void encode(std::string_view piece, std::vector<uint32_t>& out, Scratch& scratch) const;
  /// The same from symbols instead of bytes.
  void merge(std::span<const uint32_t> symbols, std::vector<uint32_t>& out, Scratch& scratch) const;

  static constexpr size_t kShort = 48;

 private:
  struct Slot {
    uint32_t left, right, rank, result;
  };
  /// The slot of a pair; rank is kNone when no rule joins it.
  const Slot& find(uint32_t left, uint32_t right) const {
    size_t i = hash(left, right) & mask_;
    while (true) {
      const Slot& s = slots_[i];
      if ((s.left == left && s.right == right) || s.rank == kNone) return s;
      i = (i + 1) & mask_;
    }
  }
  static uint64_t hash(uint32_t left, uint32_t right) {
    const uint64_t x = (uint64_t{left} << 32 | right) * 0x9E3779B97F4A7C15;
    return x >> 29;
  }
  template <class SymbolAt>
  void encode_short(size_t n, SymbolAt&& symbol_at, std::vector<uint32_t>& out) const;
  template <class SymbolAt>
  void encode_long(size_t size, SymbolAt&& symbol_at, std::vector<uint32_t>& out, Scratch& scratch) const;

  std::array<uint32_t, 256> byte_ids_{};
  std::vector<Slot> slots_;
  std::vector<uint32_t> results_;  // by rank
  size_t mask_ = 0;
};

}  // namespace suiren::text
