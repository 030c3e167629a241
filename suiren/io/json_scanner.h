#pragma once
// Walks JSON text from the front without building values: for files whose bulk is one or two long lists of
// strings, which take several times as long as nlohmann values. Not thread-safe; the text must outlive it.

#include <cstdint>
#include <string>
#include <string_view>

namespace suiren::io {

/// Every Error{kInvalid} begins with NAME:LINE:COLUMN. Strings are checked as RFC 8259 and RFC 3629 have it.
class JsonScanner {
 public:
  /// Begins at byte `at` of `text`, which is the whole file.
  JsonScanner(std::string_view text, std::string name, size_t at = 0)
      : text_(text), name_(std::move(name)), at_(at) {}

  /// The first character of what comes next, after white space; 0 at the end.
  char peek();
  /// Steps over `c` if it comes next.
  bool take(char c);
  /// Steps over `c`; an error when something else comes next.
  void expect(char c);
  /// A string. The view lives until the next call: it lies in the text, or here when there are escapes.
  std::string_view string();
  /// A number without sign, fraction or exponent, below 10^9; false, and nothing read, when it is none.
  bool small_number(uint32_t& value);
  /// The text of the next value. Of it only strings and brackets are looked at: they must close.
  std::string_view skip();
  size_t at() const { return at_; }
  [[noreturn]] void refuse(std::string_view why) const;

 private:
  void skip_string();
  uint32_t hex();
  void escape();
  std::string_view text_;
  std::string name_, unescaped_;
  size_t at_;
};

}  // namespace suiren::io
