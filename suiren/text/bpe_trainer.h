#pragma once
// Training of byte-level BPE. The merges equal those of Hugging Face's BpeTrainer on the same documents: the
// pair with the highest count goes first, the lower pair of ids among equals. One trainer belongs to one
// thread; it uses the pool inside, and the result does not depend on the number of threads.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "suiren/text/tokenizer.h"

namespace suiren::text {

struct BpeOptions {
  int64_t vocab_size = 8192;       ///< specials, 256 bytes and merged tokens together
  std::string pattern = "cl100k";  ///< gpt2, cl100k, qwen2, o200k, or a regular expression
  std::vector<std::string> specials = {"<|endoftext|>"};  ///< get the first ids, in this order
  /// Called now and then from train(), with stage "merge": done and total are tokens.
  std::function<void(std::string_view stage, int64_t done, int64_t total)> progress;
};

class WordCounter;

class BpeTrainer {
 public:
  /// Error{kInvalid}: a vocabulary too small for specials + 256 bytes, a special that is empty, stands twice
  /// or is a single byte's token, a pattern that is no regular expression.
  explicit BpeTrainer(BpeOptions options);
  ~BpeTrainer();
  BpeTrainer(BpeTrainer&&) noexcept;

  /// Counts the pre-tokens of one document. Special tokens in it are plain text.
  void add_document(std::string_view text);
  /// Learns the merges; call once. The vocabulary is smaller than asked for when the text has no more pairs.
  Tokenizer train();
  /// Bytes of the documents so far.
  int64_t bytes() const;

 private:
  BpeOptions options_;
  std::string regex_;
  std::unique_ptr<WordCounter> words_;
};

}  // namespace suiren::text
