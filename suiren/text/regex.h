#pragma once
// A compiled regular expression (PCRE2 with Unicode properties, JIT). Immutable: safe to share between
// threads.

#include <memory>
#include <string>
#include <string_view>

#include "suiren/base/threads.h"

namespace suiren::text {

class Regex {
 public:
  /// Error{kInvalid} quotes the pattern, says what is wrong and at which byte.
  explicit Regex(const std::string& pattern);

  /// Calls match(begin, end) for each match, from left to right. Matches do not overlap; an empty match right
  /// after the match before it is skipped. Bytes that are not UTF-8 match nothing. Error{kInvalid} when
  /// matching needs more memory or steps than PCRE2 allows.
  void for_each_match(std::string_view text, FunctionRef<void(size_t begin, size_t end)> match) const;
  const std::string& pattern() const { return pattern_; }

 private:
  std::string pattern_;
  std::shared_ptr<void> code_;
};

}  // namespace suiren::text
