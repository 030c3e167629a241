#pragma once
// Strings and their ids, walked byte by byte. Immutable: safe to share.

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace suiren::text {

class Trie {
 public:
  static constexpr uint32_t kNone = 0xFFFFFFFF, kRoot = 0;

  Trie() : Trie(std::vector<std::pair<std::string_view, uint32_t>>()) {}
  /// None is empty; of equal strings the last counts. The views are not kept.
  explicit Trie(std::vector<std::pair<std::string_view, uint32_t>> strings);

  /// The node after one more byte; kNone when no string goes on so.
  uint32_t next(uint32_t node, char byte) const {
    const Node& n = nodes_[node];
    const auto wanted = static_cast<uint8_t>(byte);
    uint32_t low = n.first, high = n.first + n.children;
    while (low < high) {
      const uint32_t mid = (low + high) / 2;
      if (bytes_[mid] < wanted)
        low = mid + 1;
      else
        high = mid;
    }
    return low < n.first + n.children && bytes_[low] == wanted ? low : kNone;
  }
  /// The node at the end of `text`; kNone when no string begins with it.
  uint32_t walk(uint32_t node, std::string_view text) const {
    for (size_t i = 0; i < text.size() && node != kNone; ++i) node = next(node, text[i]);
    return node;
  }
  /// The id of the string that ends here, else kNone.
  uint32_t id(uint32_t node) const { return node == kNone ? kNone : nodes_[node].id; }
  uint32_t find(std::string_view text) const { return id(walk(kRoot, text)); }
  bool empty() const { return nodes_.size() == 1; }

 private:
  struct Node {
    uint32_t first = 0, id = kNone;
    uint16_t children = 0;
  };
  std::vector<Node> nodes_;     // a node's children stand together, by rising byte
  std::vector<uint8_t> bytes_;  // the byte that leads to each node
};

}  // namespace suiren::text
