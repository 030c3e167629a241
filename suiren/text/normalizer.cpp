#include "suiren/text/normalizer.h"

#include "suiren/text/unicode.h"

namespace suiren::text {

namespace {

std::string replace(const NormalizerStep& s, std::string_view text) {
  std::string out;
  size_t done = 0;
  const auto put = [&](size_t begin, size_t end) {
    out.append(text.substr(done, begin - done)).append(s.content);
    done = end;
  };
  if (s.regex.empty()) {
    for (size_t at = text.find(s.literal); at != text.npos; at = text.find(s.literal, done))
      put(at, at + s.literal.size());
  } else {
    s.regex[0].for_each_match(text, put);
  }
  return out.append(text.substr(done));
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

std::string run(const NormalizerStep& s, std::string_view text) {
  switch (s.kind) {
    case NormalizerStep::kPrepend:
      return text.empty() ? std::string() : s.content + std::string(text);
    case NormalizerStep::kReplace:
      return replace(s, text);
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

std::string Normalizer::apply(std::string_view text) const {
  std::string out(text);
  for (const NormalizerStep& s : steps_) out = run(s, out);
  return out;
}

}  // namespace suiren::text
