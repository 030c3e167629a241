#include "suiren/io/json_scanner.h"

#include <algorithm>

#include "suiren/base/error.h"
#include "suiren/io/utf8.h"

namespace suiren::io {

namespace {

constexpr int kMaxDepth = 64;

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

void JsonScanner::refuse(std::string_view why) const {
  const auto before = text_.substr(0, std::min(at_, text_.size()));
  const auto newline = before.rfind('\n');
  fail(ErrorCode::kInvalid, "{}:{}:{}: {}", name_, 1 + std::count(before.begin(), before.end(), '\n'),
       1 + before.size() - (newline == before.npos ? 0 : newline + 1), why);
}

char JsonScanner::peek() {
  while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  return at_ < text_.size() ? text_[at_] : '\0';
}

bool JsonScanner::take(char c) {
  if (peek() != c || at_ == text_.size()) return false;
  ++at_;
  return true;
}

void JsonScanner::expect(char c) {
  if (!take(c)) refuse(fmt::format("not valid JSON: expected '{}'", c));
}

uint32_t JsonScanner::hex() {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i, ++at_) {
    const char c = at_ < text_.size() ? text_[at_] : '\0';
    const int digit = is_digit(c)            ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) refuse("not valid JSON: \\u is not followed by four hexadecimal digits");
    value = value << 4 | static_cast<uint32_t>(digit);
  }
  return value;
}

/// What follows a backslash.
void JsonScanner::escape() {
  static constexpr std::string_view kNames = "\"\\/bfnrt", kMeant = "\"\\/\b\f\n\r\t";
  const char c = at_ < text_.size() ? text_[at_] : '\0';
  if (const size_t known = kNames.find(c); known != kNames.npos) {
    unescaped_ += kMeant[known];
    ++at_;
    return;
  }
  if (c != 'u') refuse("not valid JSON: a backslash is followed by none of \"\\/bfnrtu");
  ++at_;
  uint32_t code = hex();
  if (code >= 0xD800 && code < 0xDC00) {
    const bool pair = text_.substr(at_).starts_with("\\u");
    at_ += pair ? 2 : 0;
    const uint32_t low = pair ? hex() : 0;
    if (low < 0xDC00 || low > 0xDFFF) refuse("not valid JSON: half of a surrogate pair");
    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
  } else if (code >= 0xDC00 && code < 0xE000) {
    refuse("not valid JSON: half of a surrogate pair");
  }
  append_utf8(unescaped_, code);
}

std::string_view JsonScanner::string() {
  expect('"');
  size_t from = at_;
  bool escaped = false;
  uint8_t high = 0;  // bits that any byte has
  for (;; ++at_) {
    if (at_ == text_.size()) refuse("not valid JSON: a string does not end");
    const char c = text_[at_];
    high |= static_cast<uint8_t>(c);
    if (c == '"') break;
    if (static_cast<uint8_t>(c) < 0x20) refuse("not valid JSON: a control character in a string");
    if (c != '\\') continue;
    if (!escaped) unescaped_.clear();
    escaped = true;
    unescaped_.append(text_, from, at_ - from);
    ++at_;
    escape();
    from = at_--;
  }
  if (escaped) unescaped_.append(text_, from, at_ - from);
  const std::string_view value = escaped ? std::string_view(unescaped_) : text_.substr(from, at_ - from);
  if (high >= 0x80 && find_invalid_utf8(value) != value.npos) refuse("not valid JSON: a string is not UTF-8");
  ++at_;
  return value;
}

bool JsonScanner::small_number(uint32_t& value) {
  constexpr size_t kMostDigits = 9;
  if (!is_digit(peek())) return false;
  size_t end = at_;
  uint32_t number = 0;
  for (; end < text_.size() && is_digit(text_[end]); ++end)
    if (end - at_ < kMostDigits) number = number * 10 + static_cast<uint32_t>(text_[end] - '0');
  const char after = end < text_.size() ? text_[end] : '\0';
  if (end - at_ > kMostDigits || (text_[at_] == '0' && end - at_ > 1) || after == '.' || after == 'e' ||
      after == 'E')
    return false;
  at_ = end;
  value = number;
  return true;
}

void JsonScanner::skip_string() {
  for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) at_ += text_[at_] == '\\';
  if (at_ >= text_.size()) refuse("not valid JSON: a string does not end");
  ++at_;
}

std::string_view JsonScanner::skip() {
  peek();
  const size_t begin = at_;
  int depth = 0;
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == '"') {
      skip_string();
    } else if (c == '{' || c == '[') {
      if (++depth > kMaxDepth) refuse(fmt::format("nested deeper than {} levels", kMaxDepth));
      ++at_;
      continue;
    } else if (depth > 0 && (c == '}' || c == ']')) {
      --depth;
      ++at_;
    } else if (depth > 0) {
      ++at_;
      continue;
    } else {  // a number or a name
      while (at_ < text_.size() && !is_space(text_[at_]) && text_[at_] != ',' && text_[at_] != '}' &&
             text_[at_] != ']')
        ++at_;
    }
    if (depth == 0) break;
  }
  if (depth > 0 || at_ == begin) refuse("not valid JSON: a value does not end");
  return text_.substr(begin, at_ - begin);
}

}  // namespace suiren::io
