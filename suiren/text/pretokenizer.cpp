#include "suiren/text/pretokenizer.h"

#include "suiren/base/error.h"
#include "suiren/text/byte_level.h"
#include "suiren/text/unicode.h"

namespace suiren::text {

namespace {

using Sink = FunctionRef<void(std::string_view)>;
using MatchSink = FunctionRef<void(size_t begin, size_t end)>;

template <class Next>
void scan_all(std::string_view text, Sink piece, Next&& next) {
  const char *p = text.data(), *end = p + text.size();
  while (p < end) {
    const char* q = next(p, end);
    piece({p, static_cast<size_t>(q - p)});
    p = q;
  }
}

void scan(Pattern pattern, std::string_view text, Sink piece) {
  const uint8_t* classes = char_classes();
  switch (pattern) {
    case Pattern::kGpt2:
      return scan_all(text, piece,
                      [&](const char* p, const char* end) { return scan_gpt2(p, end, classes); });
    case Pattern::kCl100k:
      return scan_all(text, piece,
                      [&](const char* p, const char* end) { return scan_cl100k(p, end, classes, 3); });
    case Pattern::kQwen2:
      return scan_all(text, piece,
                      [&](const char* p, const char* end) { return scan_cl100k(p, end, classes, 1); });
    case Pattern::kO200k:
      return scan_all(text, piece,
                      [&](const char* p, const char* end) { return scan_o200k(p, end, classes); });
  }
}

void match_numbers(std::string_view text, bool single, MatchSink match) {
  const uint8_t* classes = char_classes();
  const char *begin = text.data(), *end = begin + text.size();
  for (const char* p = begin; p < end;) {
    Char c = read_char(p, end, classes);
    const char* q = p + c.size;
    if (c.bits & kNumber) {
      while (!single && q < end && ((c = read_char(q, end, classes)).bits & kNumber)) q += c.size;
      match(p - begin, q - begin);
    }
    p = q;
  }
}

void match_literal(std::string_view text, std::string_view literal, MatchSink match) {
  for (size_t at = text.find(literal); at != text.npos; at = text.find(literal, at + literal.size()))
    match(at, at + literal.size());
}

/// Each run of characters of one class above 0, or (single) each such character, is a match.
template <class ClassOf>
void match_classes(std::string_view text, bool single, MatchSink match, ClassOf&& class_of) {
  const char *begin = text.data(), *end = begin + text.size();
  size_t from = 0;
  int running = 0;
  for (const char* p = begin; p < end;) {
    const Char c = read_char(p, end, char_classes());
    const int cls = class_of(c);
    const auto at = static_cast<size_t>(p - begin);
    if (running > 0 && (single || cls != running)) match(from, at);
    if (single || cls != running) from = at;
    running = cls;
    p += c.size;
  }
  if (running > 0) match(from, text.size());
}

/// The \\w of Rust's regex crate: superscripts and vulgar fractions of Latin-1 are none, the joiners are.
bool is_rust_word(const Char& c) {
  if (c.code >= 0xB2 && c.code <= 0xBE && c.code != 0xB5 && c.code != 0xBA) return false;
  return (c.bits & kWord) || c.code == 0x200C || c.code == 0x200D;
}

bool is_punctuation(const Char& c) {
  if (c.code < 0x80) return c.code > 0x20 && c.code < 0x7F && !(c.bits & (kLetter | kNumber));
  return c.bits & kPunctuationMark;
}

void match_word_starts(std::string_view text, std::string_view mark, MatchSink match) {
  size_t begin = 0;
  for (size_t at = text.find(mark); at != text.npos; at = text.find(mark, at + mark.size())) {
    if (at == begin || text.substr(0, at).ends_with(mark)) continue;
    match(begin, at);
    begin = at;
  }
  if (begin < text.size()) match(begin, text.size());
}

void find_matches(const SplitStage& s, std::string_view text, MatchSink match) {
  switch (s.kind) {
    case SplitStage::kRegex:
      return s.regex[0].for_each_match(text, match);
    case SplitStage::kLiteral:
      return match_literal(text, s.literal, match);
    case SplitStage::kDigits:
    case SplitStage::kDigit:
      return match_numbers(text, s.kind == SplitStage::kDigit, match);
    case SplitStage::kSpaces:
      return match_classes(text, true, match, [](const Char& c) { return (c.bits & kSpace) ? 1 : 0; });
    case SplitStage::kPunctuation:
      return match_classes(text, true, match, [](const Char& c) { return is_punctuation(c) ? 1 : 0; });
    case SplitStage::kWords:
      return match_classes(text, false, match, [](const Char& c) {
        return is_rust_word(c) ? 1 : (c.bits & kSpace) ? 0 : 2;
      });
    case SplitStage::kWordStart:
      return match_word_starts(text, s.literal, match);
    default:
      return scan(s.pattern, text, [&](std::string_view v) {
        match(v.data() - text.data(), v.data() - text.data() + v.size());
      });
  }
}

struct Segment {
  size_t begin, end;
  bool match;
};

/// Matches and gaps in order, then joined as the behavior says.
std::vector<Segment> cut(const SplitStage& s, std::string_view text) {
  std::vector<Segment> all, joined;
  size_t last = 0;
  find_matches(s, text, [&](size_t begin, size_t end) {
    if (last != begin) all.push_back({last, begin, s.invert});
    all.push_back({begin, end, !s.invert});
    last = end;
  });
  if (last != text.size()) all.push_back({last, text.size(), s.invert});
  switch (s.behavior) {
    case SplitBehavior::kIsolated:
      return all;
    case SplitBehavior::kRemoved:
      for (const Segment& g : all)
        if (!g.match) joined.push_back(g);
      return joined;
    case SplitBehavior::kContiguous:
      for (const Segment& g : all)
        if (!joined.empty() && joined.back().match == g.match)
          joined.back().end = g.end;
        else
          joined.push_back(g);
      return joined;
    case SplitBehavior::kMergedWithPrevious: {
      bool after_match = false;
      for (const Segment& g : all) {
        if (g.match && !after_match && !joined.empty())
          joined.back().end = g.end;
        else
          joined.push_back(g);
        after_match = g.match;
      }
      return joined;
    }
    case SplitBehavior::kMergedWithNext: {
      bool before_match = false;
      for (auto g = all.rbegin(); g != all.rend(); ++g) {
        if (g->match && !before_match && !joined.empty())
          joined.back().begin = g->begin;
        else
          joined.push_back(*g);
        before_match = g->match;
      }
      return {joined.rbegin(), joined.rend()};
    }
  }
  return all;
}

/// Spaces as `literal`, and one before the text where it has none.
std::string metaspace(const SplitStage& s, std::string_view text, bool first) {
  std::string out;
  out.reserve(text.size() + text.size() / 4 + s.literal.size());
  const bool has_one = text[0] == ' ' || text.starts_with(s.literal);
  if (!has_one && (s.prefix == SplitStage::kAlways || (s.prefix == SplitStage::kFirst && first)))
    out = s.literal;
  for (const char c : text)
    if (c == ' ')
      out += s.literal;
    else
      out += c;
  return out;
}

}  // namespace

PreTokenizer::PreTokenizer(std::vector<SplitStage> stages) : stages_(std::move(stages)) {}

PreTokenizer PreTokenizer::from_pattern(const std::string& pattern) {
  SR_CHECK(!pattern.empty(),
           "the split pattern is empty; name gpt2, cl100k, qwen2, o200k or give a regular expression");
  SplitStage stage;
  auto known = pattern_named(pattern);
  if (!known) known = pattern_of_regex(pattern);
  if (known) {
    stage.pattern = *known;
  } else {
    stage.kind = SplitStage::kRegex;
    stage.regex.emplace_back(pattern);
  }
  PreTokenizer result(std::vector<SplitStage>{std::move(stage)});
  result.regex_ = known ? std::string(pattern_regex(*known)) : pattern;
  return result;
}

void PreTokenizer::run(size_t stage, std::string_view text, bool first, Sink piece) const {
  if (text.empty()) return;
  if (stage == stages_.size()) return piece(text);
  const SplitStage& s = stages_[stage];
  const bool last = stage + 1 == stages_.size();
  if (s.kind == SplitStage::kPrefixSpace) {
    if (text[0] == ' ') return run(stage + 1, text, first, piece);
    return run(stage + 1, " " + std::string(text), first, piece);
  }
  if (s.kind == SplitStage::kMetaspace) return run(stage + 1, metaspace(s, text, first), first, piece);
  if (s.kind == SplitStage::kCharacters) return run(stage + 1, to_characters(text), first, piece);
  const auto next = [&](std::string_view part) {
    run(stage + 1, part, first && part.data() == text.data(), piece);
  };
  if (s.kind == SplitStage::kScan &&
      s.behavior == SplitBehavior::kIsolated) {  // matches cover all of the text
    if (last) return scan(s.pattern, text, piece);
    return scan(s.pattern, text, next);
  }
  for (const Segment& g : cut(s, text)) next(text.substr(g.begin, g.end - g.begin));
}

}  // namespace suiren::text
