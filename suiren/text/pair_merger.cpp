#include "suiren/text/pair_merger.h"

#include <algorithm>
#include <array>
#include <limits>
#include <queue>
#include <unordered_map>
#include <utility>

#include "suiren/base/error.h"
#include "suiren/text/byte_level.h"

namespace suiren::text {

namespace {

using Positions = std::vector<uint32_t>;

/// A pair of neighbours: how often it occurs, and where, if it is frequent enough to be worth a list.
struct Pair {
  static constexpr uint32_t kFree = 0xFFFFFFFF;
  uint32_t left = kFree, right = kFree;
  int64_t count = 0;
  uint32_t list = 0;  ///< index into the lists + 1; 0: none
};

/// All pairs ever met, by (left, right). References hold until the next insertion.
class PairTable {
 public:
  Pair& operator()(uint32_t left, uint32_t right) {
    if (used_ * 3 >= slots_.size() * 2) grow();
    Pair& p = slot(left, right);
    if (p.left == Pair::kFree) p.left = left, p.right = right, ++used_;
    return p;
  }

 private:
  Pair& slot(uint32_t left, uint32_t right) {
    const size_t mask = slots_.size() - 1;
    size_t i = (uint64_t{left} << 32 | right) * 0x9E3779B97F4A7C15 >> 24 & mask;
    while (slots_[i].left != Pair::kFree && (slots_[i].left != left || slots_[i].right != right))
      i = (i + 1) & mask;
    return slots_[i];
  }
  void grow() {
    std::vector<Pair> old(slots_.size() * 2);
    old.swap(slots_);
    for (const Pair& p : old)
      if (p.left != Pair::kFree) slot(p.left, p.right) = p;
  }
  std::vector<Pair> slots_{1 << 12};
  size_t used_ = 0;
};

/// The text is one array of symbols. A token of n bytes fills n places: its id stands at the first and at the
/// last of them, so that the token before and the token after a place are found without links. Words are set
/// apart by kWall.
template <class Symbol>
class Merger {
 public:
  Merger(WordCounter& words, const MergeOptions& options, std::vector<std::string>& tokens)
      : options_(options), tokens_(tokens) {
    for (uint32_t id = 0; id < tokens.size(); ++id) {
      sizes_.push_back(static_cast<uint32_t>(tokens[id].size()));
      if (!tokens[id].empty()) id_of_.emplace(tokens[id], id);
    }
    flatten(words);
    delta_[0].resize(options.vocab_size);
    delta_[1].resize(options.vocab_size);
    floor_ = options.floor > 0 ? options.floor : std::max<int64_t>(1, total_ / (options.vocab_size * 64));
    count_bytes();
  }

  std::vector<MergeRule> run() {
    std::vector<MergeRule> rules;
    while (static_cast<int64_t>(tokens_.size()) < options_.vocab_size) {
      uint32_t left = 0, right = 0;
      if (!pop(left, right)) break;
      const uint32_t result = token_of(left, right);
      rules.push_back({left, right, result});
      merge(left, right, result);
      if (options_.progress && rules.size() % 64 == 0)
        options_.progress(static_cast<int64_t>(tokens_.size()), options_.vocab_size);
    }
    return last_places(rules);
  }

 private:
  static constexpr Symbol kWall = std::numeric_limits<Symbol>::max();
  static constexpr Symbol kInside = kWall - 1;  // a place in the middle of a token

  struct Candidate {
    int64_t count;
    uint32_t left, right;
    bool operator<(const Candidate& o) const {
      return count != o.count ? count < o.count : std::pair(left, right) > std::pair(o.left, o.right);
    }
  };

  /// Lays the words out by falling count, so that a place's weight follows from where it lies.
  void flatten(WordCounter& words) {
    std::array<Symbol, 256> symbol;
    for (int i = 0; i < 256; ++i) symbol[byte_order()[i]] = static_cast<Symbol>(options_.first_byte + i);
    std::vector<std::pair<uint64_t, std::string_view>> order;
    size_t places = 1;
    words.for_each([&](std::string_view word, uint64_t count) {
      if (word.size() < 2) return;
      order.emplace_back(count, word);
      places += word.size() + 1;
    });
    SR_CHECK_AS(
        kUnsupported, places < (uint64_t{1} << 32),
        "the text has {} bytes of distinct pre-tokens; at most 4 GiB can be trained on: give less text",
        places);
    std::stable_sort(order.begin(), order.end(),
                     [](const auto& a, const auto& b) { return a.first > b.first; });
    text_.reserve(places);
    text_.push_back(kWall);
    for (const auto& [count, word] : order) {
      if (weights_.empty() || weights_.back() != static_cast<int64_t>(count)) {
        starts_.push_back(static_cast<uint32_t>(text_.size()));
        weights_.push_back(static_cast<int64_t>(count));
      }
      for (const char c : word) text_.push_back(symbol[static_cast<uint8_t>(c)]);
      text_.push_back(kWall);
      total_ += static_cast<int64_t>(count * (word.size() - 1));
    }
    starts_.push_back(0xFFFFFFFF);
    words = WordCounter(PreTokenizer());
  }

  /// The weight of rising places.
  struct Weights {
    const Merger& m;
    size_t i = 0;
    int64_t at(uint32_t place) {
      while (place >= m.starts_[i + 1]) ++i;
      return m.weights_[i];
    }
  };

  /// Calls f(place, left, right) for each two neighbours in the text.
  template <class F>
  void each_pair(F&& f) const {
    for (size_t p = 1; p < text_.size();) {
      if (text_[p] == kWall) {
        ++p;
        continue;
      }
      const size_t q = p + sizes_[text_[p]];
      if (text_[q] != kWall) f(static_cast<uint32_t>(p), text_[p], text_[q]);
      p = q;
    }
  }

  /// Counts all pairs of bytes and lists the frequent ones.
  void count_bytes() {
    std::vector<int64_t> counts(1 << 16), sizes(1 << 16);
    const auto cell = [&](uint32_t a, uint32_t b) {
      return (a - options_.first_byte) << 8 | (b - options_.first_byte);
    };
    Weights weights{*this};
    each_pair([&](uint32_t p, uint32_t a, uint32_t b) {
      counts[cell(a, b)] += weights.at(p);
      ++sizes[cell(a, b)];
    });
    std::vector<Positions*> lists(1 << 16);
    lists_.reserve(1 << 16);
    for (uint32_t c = 0; c < counts.size(); ++c) {
      if (counts[c] == 0) continue;
      Pair& pair = pairs_(options_.first_byte + (c >> 8), options_.first_byte + (c & 255));
      pair.count = counts[c];
      if (pair.count < floor_) continue;
      lists[c] = &open_list(pair);
      lists[c]->reserve(sizes[c]);
    }
    each_pair([&](uint32_t p, uint32_t a, uint32_t b) {
      if (Positions* list = lists[cell(a, b)]) list->push_back(p);
    });
  }

  /// Gives the pair a list and a place in the queue.
  Positions& open_list(Pair& pair) {
    if (pair.list == 0) {
      if (free_lists_.empty()) {
        lists_.emplace_back();
        pair.list = static_cast<uint32_t>(lists_.size());
      } else {
        pair.list = free_lists_.back();
        free_lists_.pop_back();
      }
    }
    queue_.push({pair.count, pair.left, pair.right});
    return lists_[pair.list - 1];
  }

  /// The next pair to merge. Counts in the queue may be out of date; they are checked when they come up.
  bool pop(uint32_t& left, uint32_t& right) {
    while (true) {
      while (!queue_.empty() && queue_.top().count >= floor_) {
        const Candidate top = queue_.top();
        queue_.pop();
        const Pair& pair = pairs_(top.left, top.right);
        if (pair.list == 0) continue;
        if (pair.count != top.count) {
          queue_.push({pair.count, top.left, top.right});
          continue;
        }
        left = top.left, right = top.right;
        return true;
      }
      if (floor_ == 1) return false;
      floor_ = std::max<int64_t>(1, floor_ / 16);
      list_more();
    }
  }

  /// Adds a place to the list of a frequent pair; lists are emptied when `fresh` does not have them yet.
  void relist(uint32_t place, Pair& pair, std::vector<bool>& fresh, bool keep_open) {
    if (pair.count < floor_) return;
    const bool open = pair.list != 0;
    if (!open) open_list(pair);
    if (fresh.size() <= pair.list) fresh.resize(pair.list + 1024);
    if (!fresh[pair.list]) {
      if (open && keep_open) return;
      if (open) queue_.push({pair.count, pair.left, pair.right});
      lists_[pair.list - 1].clear();
      fresh[pair.list] = true;
    }
    lists_[pair.list - 1].push_back(place);
  }

  /// After the floor fell: lists for the pairs between the old floor and the new.
  void list_more() {
    std::vector<bool> fresh;
    each_pair([&](uint32_t p, uint32_t a, uint32_t b) { relist(p, pairs_(a, b), fresh, true); });
  }

  uint32_t token_of(uint32_t left, uint32_t right) {
    std::string bytes = tokens_[left] + tokens_[right];
    const auto [found, added] = id_of_.emplace(bytes, static_cast<uint32_t>(tokens_.size()));
    if (added) {
      sizes_.push_back(static_cast<uint32_t>(bytes.size()));
      tokens_.push_back(std::move(bytes));
    }
    return found->second;
  }

  /// A neighbour met while merging: the token `other` at `place` now stands beside the result.
  struct Event {
    uint32_t other, place;
  };

  /// Replaces (left, right) by `result` everywhere; then counts of the pairs around change.
  void merge(uint32_t left, uint32_t right, uint32_t result) {
    Pair& pair = pairs_(left, right);
    Positions places = std::move(lists_[pair.list - 1]);
    lists_[pair.list - 1] = {};
    free_lists_.push_back(std::exchange(pair.list, 0));
    if (!std::is_sorted(places.begin(), places.end())) std::sort(places.begin(), places.end());
    const uint32_t left_size = sizes_[left], right_size = sizes_[right];
    events_[0].clear();
    events_[1].clear();
    Weights weights{*this};
    for (size_t i = 0; i < places.size(); ++i) {
      if (i + 16 < places.size()) __builtin_prefetch(&text_[places[i + 16]], 1);
      const uint32_t p = places[i], q = p + left_size, next = q + right_size;
      if (text_[p] != left || text_[q] != right) continue;
      const int64_t weight = weights.at(p);
      if (const Symbol before = text_[p - 1]; before != kWall) {
        delta_[0][before] += weight;
        events_[0].push_back({before, p - sizes_[before]});
      }
      if (const Symbol after = text_[next]; after != kWall) {
        delta_[1][after] += weight;
        events_[1].push_back({after, p});
      }
      text_[q - 1] = text_[q] = kInside;
      text_[p] = text_[next - 1] = static_cast<Symbol>(result);
    }
    if (update_counts(left, right, result)) {
      search_places(result);
    } else {
      list_new_pairs(result);
    }
  }

  /// (before, left) and (right, after) become (before, result) and (result, after). True when `result` was a
  /// token before and such a pair, frequent now, occurred elsewhere without a list.
  bool update_counts(uint32_t left, uint32_t right, uint32_t result) {
    bool search = false;
    for (int side : {0, 1}) {
      touched_[side].clear();
      for (const Event& e : events_[side]) {
        const int64_t d = std::exchange(delta_[side][e.other], 0);
        if (d == 0) continue;
        (side == 0 ? pairs_(e.other, left) : pairs_(right, e.other)).count -= d;
        Pair& pair = side == 0 ? pairs_(e.other, result) : pairs_(result, e.other);
        search |= pair.count > 0 && pair.list == 0 && pair.count + d >= floor_;
        pair.count += d;
        touched_[side].push_back(e.other);
      }
    }
    return search;
  }

  /// Lists for the new pairs that are frequent enough.
  void list_new_pairs(uint32_t result) {
    for (int side : {0, 1}) {
      for (const uint32_t other : touched_[side]) {
        Pair& pair = side == 0 ? pairs_(other, result) : pairs_(result, other);
        if (pair.count < floor_) continue;
        open_list(pair);
        delta_[side][other] = pair.list;
      }
      for (const Event& e : events_[side])
        if (const int64_t list = delta_[side][e.other]) lists_[list - 1].push_back(e.place);
      for (const uint32_t other : touched_[side]) delta_[side][other] = 0;
    }
  }

  /// Lists every place of every frequent pair that has the token `id` in it.
  void search_places(uint32_t id) {
    std::vector<bool> fresh;
    const auto begin = text_.begin();
    for (auto at = begin; (at = std::find(at, text_.end(), static_cast<Symbol>(id))) != text_.end();) {
      const auto p = static_cast<uint32_t>(at - begin);
      at += sizes_[id];
      if (const Symbol before = text_[p - 1]; before != kWall && before != id)
        relist(p - sizes_[before], pairs_(before, id), fresh, false);
      if (*at != kWall) relist(p, pairs_(id, *at), fresh, false);
    }
  }

  /// A pair may be merged again when its tokens arose anew in other ways; its rule stands at the last place.
  static std::vector<MergeRule> last_places(const std::vector<MergeRule>& rules) {
    std::unordered_map<uint64_t, size_t> last;
    for (size_t i = 0; i < rules.size(); ++i) last[uint64_t{rules[i].left} << 32 | rules[i].right] = i;
    std::vector<MergeRule> out;
    for (size_t i = 0; i < rules.size(); ++i)
      if (last[uint64_t{rules[i].left} << 32 | rules[i].right] == i) out.push_back(rules[i]);
    return out;
  }

  const MergeOptions& options_;
  std::vector<std::string>& tokens_;
  std::vector<uint32_t> sizes_;  // bytes of each token
  std::unordered_map<std::string, uint32_t> id_of_;
  std::vector<Symbol> text_;
  std::vector<uint32_t> starts_;  // where words of weights_[i] begin; then a sentinel
  std::vector<int64_t> weights_;
  int64_t total_ = 0, floor_ = 1;
  PairTable pairs_;
  std::priority_queue<Candidate> queue_;
  std::vector<Positions> lists_;
  std::vector<uint32_t> free_lists_;
  // Scratch of merge(); side 0 is before the result, side 1 after it. delta_ is 0 between uses.
  std::vector<int64_t> delta_[2];
  std::vector<Event> events_[2];
  std::vector<uint32_t> touched_[2];
};

}  // namespace

std::vector<MergeRule> learn_merges(WordCounter& words, const MergeOptions& options,
                                    std::vector<std::string>& tokens) {
  if (options.vocab_size < 0xFFFE) return Merger<uint16_t>(words, options, tokens).run();
  return Merger<uint32_t>(words, options, tokens).run();
}

}  // namespace suiren::text
