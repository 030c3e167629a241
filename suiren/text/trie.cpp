#include "suiren/text/trie.h"

#include <algorithm>

#include "suiren/base/error.h"

namespace suiren::text {

Trie::Trie(std::vector<std::pair<std::string_view, uint32_t>> strings) {
  std::stable_sort(strings.begin(), strings.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  struct Range {
    size_t begin, end, depth;
  };
  // Breadth first: the strings of a node are a range of the sorted list that shares `depth` bytes.
  std::vector<Range> ranges{{0, strings.size(), 0}};
  nodes_.emplace_back();
  bytes_.push_back(0);
  for (size_t n = 0; n < nodes_.size(); ++n) {
    auto [at, end, depth] = ranges[n];
    for (; at < end && strings[at].first.size() == depth; ++at) nodes_[n].id = strings[at].second;
    nodes_[n].first = static_cast<uint32_t>(nodes_.size());
    while (at < end) {
      const char byte = strings[at].first[depth];
      const auto other = [&, depth = depth](const auto& s) { return s.first[depth] != byte; };
      const auto stop = std::find_if(strings.begin() + static_cast<int64_t>(at),
                                     strings.begin() + static_cast<int64_t>(end), other);
      const auto next = static_cast<size_t>(stop - strings.begin());
      ++nodes_[n].children;
      nodes_.emplace_back();
      bytes_.push_back(static_cast<uint8_t>(byte));
      ranges.push_back({at, next, depth + 1});
      at = next;
    }
  }
}

}  // namespace suiren::text
