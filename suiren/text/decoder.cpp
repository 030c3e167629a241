#include "suiren/text/decoder.h"

#include <algorithm>
#include <utility>

#include "suiren/base/error.h"
#include "suiren/text/byte_level.h"
#include "suiren/text/normalizer.h"

namespace suiren::text {

namespace {

std::string replaced(std::string_view text, std::string_view literal, std::string_view content) {
  return replace_all(text, literal, {}, content, most_bytes(text.size()));
}

std::string byte_of(std::string_view token) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
  };
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>' || digit(token[3]) < 0 ||
      digit(token[4]) < 0)
    return std::string(token);
  return {static_cast<char>(digit(token[3]) * 16 + digit(token[4]))};
}

std::string cleaned_up(std::string text) {
  static constexpr std::pair<std::string_view, std::string_view> kRows[] = {
      {" .", "."},   {" ?", "?"},           {" !", "!"},   {" ,", ","},     {" ' ", "'"},   {" n't", "n't"},
      {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [from, to] : kRows)
    if (text.find(from) != text.npos) text = replaced(text, from, to);
  return text;
}

std::string stripped(std::string_view text, const DecoderStep& s) {
  for (uint64_t i = 0; i < s.start && text.starts_with(s.literal); ++i) text.remove_prefix(s.literal.size());
  for (uint64_t i = 0; i < s.stop && text.ends_with(s.literal); ++i) text.remove_suffix(s.literal.size());
  return std::string(text);
}

std::string run(const DecoderStep& s, std::string text, bool first, bool last, size_t most) {
  switch (s.kind) {
    case DecoderStep::kReplace:
      return replace_all(text, s.literal, s.regex, s.content, most);
    case DecoderStep::kByteFallback:
      return byte_of(text);
    case DecoderStep::kMetaspace:
      return replaced(text, s.literal, first && s.drops_first ? "" : " ");
    case DecoderStep::kWordPiece:
      if (first) return text;
      return text.starts_with(s.literal) ? text.substr(s.literal.size()) : " " + text;
    case DecoderStep::kCleanUp:
      return cleaned_up(std::move(text));
    case DecoderStep::kStrip:
      return stripped(text, s);
    case DecoderStep::kBytes:
      return to_bytes(text).value_or(text);
    case DecoderStep::kJoin:
      return first ? text : " " + text;
    case DecoderStep::kSuffix:
      return replaced(text, s.literal, last ? "" : " ");
  }
  return text;
}

}  // namespace

Decoder::Decoder(std::vector<DecoderStep> steps, std::vector<DecoderStep> whole)
    : steps_(std::move(steps)), whole_(std::move(whole)) {
  holds_token_ = std::any_of(steps_.begin(), steps_.end(),
                             [](const DecoderStep& s) { return s.kind == DecoderStep::kSuffix; });
  SR_CHECK_AS(kUnsupported, whole_.size() <= 1,
              "the decoder strips the whole text twice, which is not supported");
}

std::string Decoder::decode(std::string_view token, bool first, bool last) const {
  std::string text(token);
  for (const DecoderStep& s : steps_) text = run(s, std::move(text), first, last, most_bytes(token.size()));
  return text;
}

void Decoder::emit(std::string text, State& state, std::string& out) const {
  if (whole_.empty()) {
    out += text;
    return;
  }
  const DecoderStep& s = whole_[0];
  for (; state.at_start && state.stripped < s.start && text.starts_with(s.literal); ++state.stripped)
    text.erase(0, s.literal.size());
  if (text.empty()) return;
  state.at_start = false;
  text = std::exchange(state.held, {}) + text;
  size_t keep = text.size();
  for (uint64_t i = 0; i < s.stop && std::string_view(text).substr(0, keep).ends_with(s.literal); ++i)
    keep -= s.literal.size();
  state.held = text.substr(keep);
  out.append(text, 0, keep);
}

void Decoder::push(std::string_view token, State& state, std::string& out) const {
  const uint64_t n = state.tokens++;
  if (!holds_token_) return emit(decode(token, n == 0, false), state, out);
  if (n > 0) emit(decode(state.last_token, n == 1, false), state, out);
  state.last_token = token;
}

void Decoder::finish(State& state, std::string& out) const {
  if (holds_token_ && state.tokens > 0) emit(decode(state.last_token, state.tokens == 1, true), state, out);
  state = State();
}

}  // namespace suiren::text
