#include "suiren/infer/text_stream.h"

#include <algorithm>
#include <utility>

#include "suiren/base/error.h"

namespace suiren::infer {
namespace {

// How much of the end of `text` may be the beginning of `stop`, without being all of it.
size_t begun(std::string_view text, std::string_view stop) {
  for (size_t n = std::min(text.size(), stop.size() - 1); n > 0; --n)
    if (text.ends_with(stop.substr(0, n))) return n;
  return 0;
}

}  // namespace

StopStrings::StopStrings(std::vector<std::string> stops) : stops_(std::move(stops)) {
  for (const std::string& s : stops_) SR_CHECK(!s.empty(), "a stop string is empty");
}

std::string StopStrings::push(std::string_view text) {
  std::string shown;
  if (stopped_) return shown;
  for (const char c : text) {
    held_ += c;
    size_t complete = 0, keep = 0;
    for (const std::string& s : stops_) {
      if (held_.ends_with(s)) complete = std::max(complete, s.size());
      keep = std::max(keep, begun(held_, s));
    }
    stopped_ = complete > 0;
    const size_t out = held_.size() - (stopped_ ? complete : keep);
    shown.append(held_, 0, out);
    if (stopped_) return shown;
    held_.erase(0, out);
  }
  return shown;
}

std::string StopStrings::finish() { return stopped_ ? std::string() : std::exchange(held_, {}); }

TextStream::TextStream(const text::Tokenizer& tokenizer, std::vector<std::string> stops,
                       std::span<const int64_t> prompt)
    : decoder_(tokenizer), stops_(std::move(stops)) {
  for (const int64_t id : prompt) decoder_.push(static_cast<uint32_t>(id));
  held_of_prompt_ = text::StreamDecoder(decoder_).finish().size();
}

std::string TextStream::unshown(std::string text) {
  const size_t known = std::min(held_of_prompt_, text.size());
  held_of_prompt_ -= known;
  return text.erase(0, known);
}

std::string TextStream::finish() {
  std::string text = stops_.push(unshown(decoder_.finish()));
  return text + stops_.finish();
}

}  // namespace suiren::infer
