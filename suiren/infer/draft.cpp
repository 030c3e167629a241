#include "suiren/infer/draft.h"

#include <algorithm>

namespace suiren::infer {
namespace {

constexpr size_t kLongest = 4, kShortest = 2;

}  // namespace

std::vector<int64_t> draft_by_lookup(std::span<const int64_t> ids, int64_t most) {
  if (most <= 0 || ids.empty()) return {};
  const std::span<const int64_t> before =
      ids.first(ids.size() - 1);  // an earlier place ends before the last id
  for (size_t n = std::min(kLongest, before.size()); n >= kShortest; --n) {
    const auto last = ids.last(n);
    const auto found = std::find_end(before.begin(), before.end(), last.begin(), last.end());
    if (found == before.end()) continue;
    const auto next = ids.subspan(static_cast<size_t>(found - before.begin()) + n);
    const auto count = std::min(next.size(), static_cast<size_t>(most));
    return {next.begin(), next.begin() + static_cast<std::ptrdiff_t>(count)};
  }
  return {};
}

}  // namespace suiren::infer
