#include "suiren/text/pretokenizer.h"

#include "suiren/base/error.h"
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

void find_matches(const SplitStage& s, std::string_view text, MatchSink match) {
  switch (s.kind) {
    case SplitStage::kRegex:
      return s.regex[0].for_each_match(text, match);
    case SplitStage::kLiteral:
      return match_literal(text, s.literal, match);
    case SplitStage::kDigits:
    case SplitStage::kDigit:
      return match_numbers(text, s.kind == SplitStage::kDigit, match);
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

void PreTokenizer::run(size_t stage, std::string_view text, Sink piece) const {
  if (text.empty()) return;
  if (stage == stages_.size()) return piece(text);
  const SplitStage& s = stages_[stage];
  const bool last = stage + 1 == stages_.size();
  if (s.kind == SplitStage::kPrefixSpace) {
    if (text[0] == ' ') return run(stage + 1, text, piece);
    return run(stage + 1, " " + std::string(text), piece);
  }
  if (s.kind == SplitStage::kScan &&
      s.behavior == SplitBehavior::kIsolated) {  // matches cover all of the text
    if (last) return scan(s.pattern, text, piece);
    return scan(s.pattern, text, [&](std::string_view v) { run(stage + 1, v, piece); });
  }
  for (const Segment& g : cut(s, text)) run(stage + 1, text.substr(g.begin, g.end - g.begin), piece);
}

}  // namespace suiren::text
