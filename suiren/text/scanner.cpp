#include "suiren/text/scanner.h"

#include <iterator>

#include "suiren/text/unicode.h"

namespace suiren::text {

namespace {

struct Known {
  Pattern pattern;
  std::string_view name, regex;
};

#define SR_CONTRACTION "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define SR_CAPITALS R"([\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])"
#define SR_SMALL R"([\p{Ll}\p{Lm}\p{Lo}\p{M}])"

// The first row of a pattern is the spelling that we write.
constexpr Known kKnown[] = {
    {Pattern::kGpt2, "gpt2", R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)"},
    {Pattern::kGpt2, "gpt2", R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)"},
    {Pattern::kCl100k, "cl100k",
     SR_CONTRACTION
     R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
    {Pattern::kQwen2, "qwen2",
     SR_CONTRACTION R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
    {Pattern::kO200k, "o200k",
     R"([^\r\n\p{L}\p{N}]?)" SR_CAPITALS "*" SR_SMALL "+" SR_CONTRACTION R"(?|[^\r\n\p{L}\p{N}]?)" SR_CAPITALS
     "+" SR_SMALL "*" SR_CONTRACTION R"(?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
};
#undef SR_CONTRACTION
#undef SR_CAPITALS
#undef SR_SMALL

constexpr uint8_t kNotPunctuation = kSpace | kLetter | kNumber;

/// A reader over [p, end) that knows the class of the character at each place.
struct Text {
  const char* end;
  const uint8_t* classes;

  Char at(const char* p) const {
    return p < end ? read_char(p, end, classes) : Char{kInvalidByte, kSpace, 0};
  }
  bool is(const char* p, uint8_t bits) const { return p < end && (at(p).bits & bits); }

  /// The end of the run of characters with any of `bits`.
  const char* run(const char* p, uint8_t bits) const {
    while (p < end) {
      const Char c = read_char(p, end, classes);
      if (!(c.bits & bits)) break;
      p += c.size;
    }
    return p;
  }
  /// The end of the run of characters that are neither space, letter nor number.
  const char* punctuation(const char* p) const {
    while (p < end) {
      const Char c = read_char(p, end, classes);
      if (c.bits & kNotPunctuation) break;
      p += c.size;
    }
    return p;
  }
  const char* numbers(const char* p, int most) const {
    for (; most > 0 && is(p, kNumber); --most) p += at(p).size;
    return p;
  }
};

bool is_newline(char c) { return c == '\n' || c == '\r'; }

/// 's 't 're 've 'm 'll 'd at p, in any case (U+017F folds to s, as case-insensitive matching has it): its
/// end, else p.
const char* contraction(const char* p, const char* end, bool any_case) {
  if (end - p < 2 || *p != '\'') return p;
  const auto fold = [&](char c) { return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  const char a = fold(p[1]);
  if (a == 's' || a == 't' || a == 'm' || a == 'd') return p + 2;
  if (end - p < 3) return p;
  const char b = fold(p[2]);
  if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return p + 3;
  return any_case && p[1] == '\xC5' && p[2] == '\xBF' ? p + 3 : p;
}

/// \s+(?!\S)|\s+ at a space: the whole run at the end of the text, else all of it but its last character.
const char* spaces(const Text& t, const char* p) {
  const char* last = p;
  const char* q = p;
  while (q < t.end) {
    const Char c = t.at(q);
    if (!(c.bits & kSpace)) return last == p ? q : last;
    last = q;
    q += c.size;
  }
  return q;
}

/// \s*[\r\n]+ at a space, else spaces(): a run up to its last line break.
const char* lines_or_spaces(const Text& t, const char* p) {
  const char* after_break = nullptr;
  for (const char* q = p; q < t.end;) {
    const Char c = t.at(q);
    if (!(c.bits & kSpace)) break;
    if (is_newline(*q)) after_break = q + 1;
    q += c.size;
  }
  return after_break ? after_break : spaces(t, p);
}

/// [capitals]*[small]+ at p: its end, else null. Letters without case (and marks) are in both sets.
const char* small_word(const Text& t, const char* p) {
  const char* both_end = nullptr;  // after the last caseless character of the first run
  const char* q = p;
  while (q < t.end) {
    const Char c = t.at(q);
    if (!(c.bits & kUpper)) break;
    q += c.size;
    if (c.bits & kLower) both_end = q;
  }
  const char* small = t.run(q, kLower);
  return small != q ? small : both_end;
}

/// [capitals]+[small]* at p: its end, else null.
const char* capital_word(const Text& t, const char* p) {
  const char* q = t.run(p, kUpper);
  return q == p ? nullptr : t.run(q, kLower);
}

}  // namespace

std::optional<Pattern> pattern_named(std::string_view name) {
  for (const Known& k : kKnown)
    if (k.name == name) return k.pattern;
  return std::nullopt;
}

std::string_view pattern_regex(Pattern pattern) {
  for (const Known& k : kKnown)
    if (k.pattern == pattern) return k.regex;
  return {};
}

std::optional<Pattern> pattern_of_regex(std::string_view regex) {
  for (const Known& k : kKnown)
    if (k.regex == regex) return k.pattern;
  return std::nullopt;
}

const char* scan_gpt2(const char* p, const char* end, const uint8_t* classes) {
  const Text t{end, classes};
  if (const char* q = contraction(p, end, false); q != p) return q;
  const char* body = *p == ' ' && p + 1 < end ? p + 1 : p;
  const Char c = t.at(body);
  if (c.bits & kLetter) return t.run(body + c.size, kLetter);
  if (c.bits & kNumber) return t.run(body + c.size, kNumber);
  if (!(c.bits & kSpace)) return t.punctuation(body + c.size);
  return spaces(t, p);
}

const char* scan_cl100k(const char* p, const char* end, const uint8_t* classes, int max_digits) {
  const Text t{end, classes};
  if (const char* q = contraction(p, end, true); q != p) return q;
  const Char c = t.at(p);
  if (c.bits & kLetter) return t.run(p + c.size, kLetter);
  if (c.bits & kNumber) return t.numbers(p, max_digits);
  const char* next = p + c.size;
  if (!is_newline(*p) && t.is(next, kLetter)) return t.run(next, kLetter);
  if (!(c.bits & kSpace) || (*p == ' ' && next < end && !t.is(next, kNotPunctuation))) {
    const char* q = t.punctuation(next);
    while (q < end && is_newline(*q)) ++q;
    return q;
  }
  return lines_or_spaces(t, p);
}

const char* scan_o200k(const char* p, const char* end, const uint8_t* classes) {
  const Text t{end, classes};
  const Char c = t.at(p);
  const char* next = p + c.size;
  const bool prefix = !is_newline(*p) && !(c.bits & (kLetter | kNumber));
  const char* word = prefix ? small_word(t, next) : nullptr;
  if (!word && (c.bits & (kUpper | kLower))) word = small_word(t, p);
  if (!word && prefix) word = capital_word(t, next);
  if (!word && (c.bits & kUpper)) word = capital_word(t, p);
  if (word) return contraction(word, end, true);
  if (c.bits & kNumber) return t.numbers(p, 3);
  if (!(c.bits & kSpace) || (*p == ' ' && next < end && !t.is(next, kNotPunctuation))) {
    const char* q = t.punctuation(next);
    while (q < end && (is_newline(*q) || *q == '/')) ++q;
    return q;
  }
  return lines_or_spaces(t, p);
}

}  // namespace suiren::text
