#pragma once
// The pre-tokenizers that tokenizer.ggml.pre names. Thread-safe.

#include <string>
#include <string_view>
#include <vector>

namespace suiren::text {

/// Text is cut by each pattern in turn; every match is a piece, and so is what lies between matches.
struct GgufPreTokenizer {
  std::vector<std::string_view> names;
  std::vector<std::string_view> patterns;
  bool ignore_merges = false;  ///< a piece that is a token is that token, whatever the merges say
  bool adds_bos = false;       ///< where tokenizer.ggml.add_bos_token does not say
  bool nfc = false;            ///< text is normalized first
};

/// nullptr when no row has the name.
const GgufPreTokenizer* gguf_pre_tokenizer(std::string_view name);
/// The row that cuts by these patterns, in any of their known spellings; nullptr when none does.
const GgufPreTokenizer* gguf_pre_tokenizer_of(const std::vector<std::string>& patterns, bool ignore_merges);
/// All names, with commas between.
std::string gguf_pre_tokenizer_names();

}  // namespace suiren::text
