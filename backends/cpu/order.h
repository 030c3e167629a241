#pragma once
// Sorting by keys: an element becomes an unsigned number of the same order, and pairs (key, place) are sorted
// by their digits, which is stable.

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

#include "backends/cpu/convert.h"

namespace suiren::cpu {

/// A key and the place that it came from, both 32 or 64 bits wide.
template <class K>
struct Entry {
  K key, place;
  bool operator<(const Entry& o) const { return key < o.key || (key == o.key && place < o.place); }
};

/// 64 bits where the elements need them, else 32.
template <class T>
using KeyOf = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;

/// The order of keys is that of elements; NaN is the largest, -0 equals 0.
template <class T>
KeyOf<T> key_of(T x) {
  using K = KeyOf<T>;
  constexpr K kSign = K{1} << (8 * sizeof(K) - 1);
  if constexpr (is_half<T>) {
    return key_of(static_cast<float>(x));
  } else if constexpr (std::is_floating_point_v<T>) {
    if (x != x) return std::numeric_limits<K>::max();
    const K bits = std::bit_cast<K>(x + T(0));  // -0 + 0 is 0
    return bits & kSign ? static_cast<K>(~bits) : bits | kSign;
  } else {
    using Wide = std::conditional_t<sizeof(T) == 8, int64_t, int32_t>;
    return static_cast<K>(static_cast<Wide>(x)) ^ (std::is_signed_v<T> ? kSign : K{0});
  }
}

/// The entries of one line in order; `other` is room for as many. Returns which of the two holds them.
/// `mixed`: they do not come in the order of their places, which equal keys have to be brought to.
template <class K>
Entry<K>* sort_entries(Entry<K>* entries, Entry<K>* other, int64_t n, bool mixed = false) {
  constexpr int kBits = 11, kDigits = (8 * static_cast<int>(sizeof(K)) + kBits - 1) / kBits;
  constexpr int64_t kBuckets = 1 << kBits, kFew = 1024;
  if (n < kFew || mixed) {
    std::sort(entries, entries + n);
    return entries;
  }
  std::vector<int64_t> counts(static_cast<size_t>(kDigits * kBuckets));
  const auto digit = [](K key, int d) { return static_cast<int64_t>(key >> (d * kBits)) & (kBuckets - 1); };
  for (int64_t i = 0; i < n; ++i)
    for (int d = 0; d < kDigits; ++d) ++counts[static_cast<size_t>(d * kBuckets + digit(entries[i].key, d))];
  for (int d = 0; d < kDigits; ++d) {
    int64_t* count = counts.data() + d * kBuckets;
    if (count[digit(entries[0].key, d)] == n) continue;  // all have this digit
    for (int64_t sum = 0, b = 0; b < kBuckets; ++b) {
      const int64_t here = count[b];
      count[b] = sum;
      sum += here;
    }
    for (int64_t i = 0; i < n; ++i) other[count[digit(entries[i].key, d)]++] = entries[i];
    std::swap(entries, other);
  }
  return entries;
}

}  // namespace suiren::cpu
