#pragma once
// From a token to its id. Not thread-safe while it grows.

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace suiren::text {

/// Of strings that lie elsewhere, by number: `string_of(number)` must give what was added. Open addressing.
class TokenIndex {
 public:
  static constexpr uint32_t kNone = 0xFFFFFFFF;

  /// The number of the string equal to `token`, else kNone.
  template <class StringOf>
  uint32_t find(std::string_view token, StringOf&& string_of) const {
    if (slots_.empty()) return kNone;
    const uint32_t h = hash(token);
    for (size_t i = h & mask();; i = (i + 1) & mask()) {
      const Slot& s = slots_[i];
      if (s.number == kNone || (s.hash == h && string_of(s.number) == token)) return s.number;
    }
  }
  /// Adds a string that is not in it yet.
  void add(std::string_view token, uint32_t number) {
    if (++used_ * 2 > slots_.size()) grow(used_ * 2);
    put({hash(token), number});
  }
  void reserve(size_t strings) {
    if (strings * 2 > slots_.size()) grow(strings * 2);
  }
  bool empty() const { return used_ == 0; }

 private:
  struct Slot {
    uint32_t hash, number;
  };
  static uint32_t hash(std::string_view s) {
    uint64_t h = s.size() * 0x9E3779B97F4A7C15;
    for (; s.size() >= 8; s.remove_prefix(8)) h = mix(h, s.data(), 8);
    if (!s.empty()) h = mix(h, s.data(), s.size());
    return static_cast<uint32_t>(h >> 32);
  }
  static uint64_t mix(uint64_t h, const char* data, size_t size) {
    uint64_t word = 0;
    std::memcpy(&word, data, size);
    h = (h ^ word) * 0xBF58476D1CE4E5B9;
    return h ^ h >> 29;
  }
  size_t mask() const { return slots_.size() - 1; }
  void put(Slot slot) {
    size_t i = slot.hash & mask();
    while (slots_[i].number != kNone) i = (i + 1) & mask();
    slots_[i] = slot;
  }
  void grow(size_t least) {
    std::vector<Slot> old(std::bit_ceil(least + 2), Slot{0, kNone});
    old.swap(slots_);
    for (const Slot& s : old)
      if (s.number != kNone) put(s);
  }
  std::vector<Slot> slots_;
  size_t used_ = 0;
};

/// Tokens and their ids, with the tokens' text held here.
class TokenMap {
 public:
  static constexpr uint32_t kNone = TokenIndex::kNone;

  void reserve(size_t tokens) {
    rows_.reserve(tokens);
    index_.reserve(tokens);
  }
  uint32_t find(std::string_view token) const {
    const uint32_t row = row_of(token);
    return row == kNone ? kNone : rows_[row].id;
  }
  /// False, and nothing changes, when the token is there already.
  bool add(std::string_view token, uint32_t id) {
    if (row_of(token) != kNone) return false;
    index_.add(token, static_cast<uint32_t>(rows_.size()));
    rows_.push_back({text_.size(), static_cast<uint32_t>(token.size()), id});
    text_ += token;
    return true;
  }
  /// As add; a token that is there already gets the new id.
  void assign(std::string_view token, uint32_t id) {
    if (!add(token, id)) rows_[row_of(token)].id = id;
  }
  /// f(token, id), in the order in which they were added.
  template <class F>
  void for_each(F&& f) const {
    for (const Row& r : rows_) f(view(r), r.id);
  }

 private:
  struct Row {
    size_t begin;
    uint32_t size, id;
  };
  std::string_view view(const Row& r) const { return std::string_view(text_).substr(r.begin, r.size); }
  uint32_t row_of(std::string_view token) const {
    return index_.find(token, [&](uint32_t row) { return view(rows_[row]); });
  }
  std::string text_;
  std::vector<Row> rows_;
  TokenIndex index_;
};

}  // namespace suiren::text
