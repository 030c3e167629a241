#pragma once
// Generated ids as text that may be shown: whole characters, and nothing of a stop string. One thread at a
// time.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "suiren/text/tokenizer.h"

namespace suiren::infer {

/// Lets text through up to the first stop string, which may come in pieces. What may still become a stop
/// string is held back. Of several the one that is complete first counts, of those the longest; so the result
/// does not depend on the pieces.
class StopStrings {
 public:
  /// Throws Error{kInvalid} for an empty stop string.
  explicit StopStrings(std::vector<std::string> stops);
  /// What may be shown now.
  std::string push(std::string_view text);
  /// What was held back, at the end of the text; nothing after a stop string.
  std::string finish();
  bool stopped() const { return stopped_; }

 private:
  std::vector<std::string> stops_;
  std::string held_;
  bool stopped_ = false;
};

/// From ids to text; special tokens are not shown. With the ids of a prompt: what the text of all ids has
/// beyond that of the prompt's, so that the space before the first new word stays.
class TextStream {
 public:
  TextStream(const text::Tokenizer& tokenizer, std::vector<std::string> stops,
             std::span<const int64_t> prompt = {});
  std::string push(int64_t id) { return stops_.push(unshown(decoder_.push(static_cast<uint32_t>(id)))); }
  std::string finish();
  bool stopped() const { return stops_.stopped(); }

 private:
  std::string unshown(std::string text);
  text::StreamDecoder decoder_;
  StopStrings stops_;
  size_t held_of_prompt_ = 0;  // bytes of the prompt's text that the decoder has yet to give out
};

}  // namespace suiren::infer
