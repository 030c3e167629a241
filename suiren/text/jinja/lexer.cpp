#include "suiren/text/jinja/lexer.h"

#include <algorithm>
#include <array>

#include "suiren/base/error.h"
#include "suiren/io/utf8.h"
#include "suiren/text/jinja/code_points.h"
#include "suiren/text/unicode.h"

namespace suiren::text::jinja {
namespace {

using enum TokenKind;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
int hex_value(char c) {
  return is_digit(c)            ? c - '0'
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                : -1;
}

/// \r\n and \r become \n, and one newline at the end is dropped, before anything else sees the source.
std::string normalize_newlines(std::string_view source) {
  std::string text;
  text.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      text += source[i];
    } else {
      text += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    }
  }
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

class Lexer {
 public:
  Lexer(std::string_view source, const std::string& name)
      : source_(normalize_newlines(source)), name_(name) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) data();
    push(kEnd, "");
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void error(const std::string& what) const {
    fail(ErrorCode::kInvalid, "{}:{}: {}", name_, line_, what);
  }
  char peek(size_t ahead = 0) const { return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0'; }
  bool looking_at(std::string_view text) const {
    return std::string_view(source_).substr(at_).starts_with(text);
  }
  void push(TokenKind kind, std::string text) { tokens_.push_back({kind, line_, std::move(text)}); }
  void advance(size_t to) {
    line_ += static_cast<int>(std::count(source_.begin() + static_cast<ptrdiff_t>(at_),
                                         source_.begin() + static_cast<ptrdiff_t>(to), '\n'));
    at_ = to;
  }
  /// The first place at or after `from` that is not white space.
  size_t after_space(size_t from) const {
    while (from < source_.size() && is_space(code_at(source_, from))) from += size_at(source_, from);
    return from;
  }

  /// Text up to the next tag, then that tag.
  void data() {
    const size_t begin = at_;
    size_t tag = at_;
    for (;; ++tag) {
      tag = source_.find('{', tag);
      if (tag == source_.npos || tag + 1 >= source_.size()) {
        push(kData, source_.substr(begin));
        return advance(source_.size());
      }
      if (const char next = source_[tag + 1]; next == '{' || next == '%' || next == '#') break;
    }
    const char kind = source_[tag + 1];
    const char sign = tag + 2 < source_.size() ? source_[tag + 2] : '\0';
    put_text(begin, tag, sign, kind == '{');
    const bool signed_tag = sign == '-' || sign == '+';
    if (kind == '%' && raw(tag + 2 + signed_tag)) return;
    advance(tag + 2 + signed_tag);
    if (kind == '#') return comment();
    push(kind == '%' ? kTagBegin : kPrintBegin, "");
    expression(kind == '%' ? kTagEnd : kPrintEnd);
  }

  /// Text before a tag: `-` strips its end, else blanks between the line's start and a tag vanish.
  void put_text(size_t begin, size_t end, char sign, bool prints) {
    std::string_view text = std::string_view(source_).substr(begin, end - begin);
    if (sign == '-') {
      text = strip(text, false, true);
    } else if (sign != '+' && !prints) {
      const size_t newline = text.rfind('\n');
      const size_t start = newline == text.npos ? 0 : newline + 1;
      if ((newline != text.npos || starts_line_) && strip(text.substr(start), true, false).empty())
        text = text.substr(0, start);
    }
    if (!text.empty()) push(kData, std::string(text));
    advance(end);
  }

  /// What closes a tag at `at`: its end with the white space that goes with it, or npos.
  size_t close(size_t at, std::string_view closer, bool trims) const {
    const std::string_view rest = std::string_view(source_).substr(at);
    if (rest.starts_with('-') && rest.substr(1).starts_with(closer))
      return after_space(at + 1 + closer.size());
    if (trims && rest.starts_with('+') && rest.substr(1).starts_with(closer)) return at + 1 + closer.size();
    if (!rest.starts_with(closer)) return source_.npos;
    const size_t end = at + closer.size();
    return trims && end < source_.size() && source_[end] == '\n' ? end + 1 : end;
  }

  void pass(size_t end) {
    starts_line_ = source_[end - 1] == '\n';
    advance(end);
  }

  void comment() {
    for (size_t i = at_; i < source_.size(); ++i)
      if (const size_t end = close(i, "#}", true); end != source_.npos) return pass(end);
    error("a comment that begins with {# is not closed; expected #}");
  }

  /// `{% raw %}` whose tag goes on at `at`: true if it was one, and all up to its end is done.
  bool raw(size_t at) {
    at = after_space(at);
    if (!std::string_view(source_).substr(at).starts_with("raw")) return false;
    at = after_space(at + 3);
    const size_t end = close(at, "%}", false);
    if (end == source_.npos) return false;
    pass(end);
    for (size_t tag = source_.find("{%", at_); tag != source_.npos; tag = source_.find("{%", tag + 1)) {
      const char sign = tag + 2 < source_.size() ? source_[tag + 2] : '\0';
      size_t inside = after_space(tag + 2 + (sign == '-' || sign == '+'));
      if (!std::string_view(source_).substr(inside).starts_with("endraw")) continue;
      inside = after_space(inside + 6);
      const size_t raw_end = close(inside, "%}", true);
      if (raw_end == source_.npos) continue;
      put_text(at_, tag, sign, false);
      pass(raw_end);
      return true;
    }
    error("a {% raw %} is not closed; expected {% endraw %}");
  }

  /// Tokens up to the end of a tag. The end counts only where all brackets are closed.
  void expression(TokenKind ends) {
    const std::string_view closer = ends == kTagEnd ? "%}" : "}}";
    std::string brackets;
    while (at_ < source_.size()) {
      if (brackets.empty()) {
        if (const size_t end = close(at_, closer, ends == kTagEnd); end != source_.npos) {
          push(ends, "");
          return pass(end);
        }
      }
      const size_t solid = after_space(at_);
      if (solid != at_) {
        advance(solid);
      } else if (is_digit(peek())) {
        number();
      } else if (peek() == '\'' || peek() == '"') {
        string();
      } else if (!identifier()) {
        op(brackets);
      }
    }
  }

  /// Digits with single underscores between them, from `at`.
  template <class IsDigit>
  size_t digits(size_t at, IsDigit is) const {
    const auto there = [&](size_t i) { return i < source_.size() && is(source_[i]); };
    while (there(at) ||
           (at < source_.size() && source_[at] == '_' && at > 0 && is(source_[at - 1]) && there(at + 1)))
      ++at;
    return at;
  }

  void number() {
    const size_t begin = at_;
    size_t end = digits(at_, is_digit);
    bool is_float = false;
    if (begin == 0 || source_[begin - 1] != '.') {
      if (end + 1 < source_.size() && source_[end] == '.' && is_digit(source_[end + 1]))
        end = digits(end + 1, is_digit), is_float = true;
      size_t exponent = end;
      if (exponent < source_.size() && (source_[exponent] | 32) == 'e') {
        ++exponent;
        if (exponent < source_.size() && (source_[exponent] == '+' || source_[exponent] == '-')) ++exponent;
        if (exponent < source_.size() && is_digit(source_[exponent]))
          end = digits(exponent, is_digit), is_float = true;
      }
    }
    if (!is_float) end = integer_end(begin);
    std::string text = source_.substr(begin, end - begin);
    std::erase(text, '_');
    push(is_float ? kFloat : kInt, text);
    at_ = end;
  }

  /// 0x, 0o and 0b numbers; decimals; zeros. "012" is 0 and then 12, as in jinja2.
  size_t integer_end(size_t begin) const {
    if (source_[begin] != '0') return digits(begin, is_digit);
    const char base = begin + 1 < source_.size() ? static_cast<char>(source_[begin + 1] | 32) : '\0';
    const auto is = [base](char c) {
      return base == 'x' ? hex_value(c) >= 0 : base == 'o' ? c >= '0' && c <= '7' : c == '0' || c == '1';
    };
    if (base == 'x' || base == 'o' || base == 'b') {
      const size_t first = begin + 2 + (begin + 2 < source_.size() && source_[begin + 2] == '_');
      if (first < source_.size() && is(source_[first])) return digits(first, is);
    }
    return digits(begin, [](char c) { return c == '0'; });
  }

  bool identifier() {
    const auto word = [&](size_t i) {
      return i < source_.size() &&
             (read_char(source_.data() + i, source_.data() + source_.size(), char_classes()).bits & kWord) !=
                 0;
    };
    size_t end = at_;
    while (word(end)) end += size_at(source_, end);
    if (end == at_) return false;
    push(kName, source_.substr(at_, end - at_));
    at_ = end;
    return true;
  }

  void op(std::string& brackets) {
    static constexpr std::array<std::string_view, 6> kLong = {"//", "**", "==", "!=", ">=", "<="};
    static constexpr std::string_view kShort = "+-/*%~[](){}><=.:|,;";
    for (const auto text : kLong)
      if (looking_at(text)) {
        push(kOperator, std::string(text));
        at_ += 2;
        return;
      }
    const char c = peek();
    if (c == '\0' || kShort.find(c) == kShort.npos)
      error("unexpected character '" + source_.substr(at_, size_at(source_, at_)) + "' in an expression");
    if (c == '(' || c == '[' || c == '{') brackets += c == '(' ? ')' : c == '[' ? ']' : '}';
    if (c == ')' || c == ']' || c == '}') {
      if (brackets.empty()) error(std::string("unexpected '") + c + "': no bracket is open");
      if (brackets.back() != c)
        error(std::string("unexpected '") + c + "', expected '" + brackets.back() + "'");
      brackets.pop_back();
    }
    push(kOperator, std::string(1, c));
    ++at_;
  }

  void string() {
    const char quote = peek();
    size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) error(std::string("a string that begins with ") + quote + " is not closed");
    push(kString, unescape(std::string_view(source_).substr(at_ + 1, end - at_ - 1)));
    advance(end + 1);
  }

  std::string unescape(std::string_view text) const {
    std::string out;
    for (size_t i = 0; i < text.size();) {
      if (text[i] != '\\') {
        out += text[i++];
        continue;
      }
      const char c = text[i + 1];
      static constexpr std::string_view kPlain = "\\'\"abfnrtv", kMeans = "\\'\"\a\b\f\n\r\t\v";
      if (const size_t known = kPlain.find(c); known != kPlain.npos) {
        out += kMeans[known];
        i += 2;
      } else if (c == '\n') {
        i += 2;
      } else if (c >= '0' && c <= '7') {
        uint32_t code = 0;
        size_t n = 1;
        for (; n <= 3 && i + n < text.size() && text[i + n] >= '0' && text[i + n] <= '7'; ++n)
          code = code * 8 + static_cast<uint32_t>(text[i + n] - '0');
        io::append_utf8(out, code);
        i += n;
      } else if (c == 'x' || c == 'u' || c == 'U') {
        i = unescape_hex(text, i, out);
      } else if (c == 'N') {
        error("\\N{...} names in strings are not supported; write the character itself");
      } else {
        i = keep_backslash(text, i, out);
      }
    }
    return out;
  }

  size_t unescape_hex(std::string_view text, size_t at, std::string& out) const {
    const size_t digits = text[at + 1] == 'x' ? 2 : text[at + 1] == 'u' ? 4 : 8;
    uint64_t code = 0;
    for (size_t n = 0; n < digits; ++n) {
      const int digit = at + 2 + n < text.size() ? hex_value(text[at + 2 + n]) : -1;
      if (digit < 0) error(fmt::format("\\{} needs {} hexadecimal digits", text[at + 1], digits));
      code = code * 16 + static_cast<uint64_t>(digit);
    }
    if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
      error(fmt::format("U+{:X} in a string is no character", code));
    io::append_utf8(out, static_cast<uint32_t>(code));
    return at + 2 + digits;
  }

  /// An unknown escape stays as it is; before a character beyond ASCII, Python's decoder leaves that
  /// character's number in its place.
  static size_t keep_backslash(std::string_view text, size_t at, std::string& out) {
    out += '\\';
    const auto lead = static_cast<unsigned char>(text[at + 1]);
    if (lead < 0x80) {
      out += text[at + 1];
      return at + 2;
    }
    const uint32_t code = code_at(text, at + 1);
    out += code < 0x100     ? fmt::format("x{:02x}", code)
           : code < 0x10000 ? fmt::format("u{:04x}", code)
                            : fmt::format("U{:08x}", code);
    return at + 1 + size_at(text, at + 1);
  }

  std::string source_;
  const std::string& name_;
  size_t at_ = 0;
  int line_ = 1;
  bool starts_line_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

std::string Token::description() const {
  switch (kind) {
    case kEnd:
      return "the end of the template";
    case kData:
      return "text";
    case kPrintBegin:
      return "'{{'";
    case kPrintEnd:
      return "'}}'";
    case kTagBegin:
      return "'{%'";
    case kTagEnd:
      return "'%}'";
    case kString:
      return "a string";
    default:
      return "'" + text + "'";
  }
}

std::vector<Token> tokenize(std::string_view source, const std::string& name) {
  return Lexer(source, name).run();
}

}  // namespace suiren::text::jinja
