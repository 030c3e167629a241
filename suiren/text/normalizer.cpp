#include "suiren/text/normalizer.h"

#include "suiren/base/error.h"
#include "suiren/text/unicode.h"

namespace suiren::text {

namespace {

void check_growth(size_t bytes, size_t most) {
  SR_CHECK(bytes <= most,
           "the tokenizer's steps make more than {} bytes of a text; at most 64 times its size is taken",
           most);
}

std::string strip(const NormalizerStep& s, std::string_view text) {
  const auto bits = [&](size_t at) {
    return read_char(text.data() + at, text.data() + text.size(), char_classes());
  };
  if (s.left)
    while (!text.empty() && (bits(0).bits & kSpace)) text.remove_prefix(bits(0).size);
  while (s.right && !text.empty()) {
    size_t at = text.size() - 1;
    while (at > 0 && text.size() - at < 4 && (static_cast<uint8_t>(text[at]) & 0xC0) == 0x80) --at;
    if (!(bits(at).bits & kSpace)) break;
    text.remove_suffix(text.size() - at);
  }
  return std::string(text);
}

std::string run(const NormalizerStep& s, std::string_view text, size_t most) {
  switch (s.kind) {
    case NormalizerStep::kPrepend:
      return text.empty() ? std::string() : s.content + std::string(text);
    case NormalizerStep::kReplace:
      return replace_all(text, s.literal, s.regex, s.content, most);
    case NormalizerStep::kForm:
      return normalize(text, s.form);
    case NormalizerStep::kLowercase:
      return lower_case(text);
    case NormalizerStep::kStrip:
      return strip(s, text);
    case NormalizerStep::kSets:
      return replace_sets(text, s.removed, s.spaces, s.apart);
  }
  return std::string(text);
}

}  // namespace

std::string replace_all(std::string_view text, std::string_view literal, const std::vector<Regex>& regex,
                        std::string_view content, size_t most) {
  std::string out;
  size_t done = 0;
  const auto put = [&](size_t begin, size_t end) {
    out.append(text.substr(done, begin - done)).append(content);
    check_growth(out.size(), most);
    done = end;
  };
  if (regex.empty()) {
    for (size_t at = text.find(literal); at != text.npos; at = text.find(literal, done))
      put(at, at + literal.size());
  } else {
    regex[0].for_each_match(text, put);
  }
  return out.append(text.substr(done));
}

std::string Normalizer::apply(std::string_view text) const {
  std::string out(text);
  const size_t most = most_bytes(text.size());
  for (const NormalizerStep& s : steps_) {
    out = run(s, out, most);
    check_growth(out.size(), most);
  }
  return out;
}

}  // namespace suiren::text
