#pragma once
// The loop of BPE training on a fixed list of words. For one thread.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "suiren/text/bpe.h"
#include "suiren/text/word_counter.h"

namespace suiren::text {

struct MergeOptions {
  int64_t vocab_size = 0;
  uint32_t first_byte = 0;  ///< id of the first of the 256 bytes, which stand in GPT-2's order
  /// Pairs below this count are not kept in lists at first (0: chosen from the size of the text). Smaller
  /// values cost memory, larger ones a search through the text; the result is the same.
  int64_t floor = 0;
  std::function<void(int64_t done, int64_t total)> progress;
};

/// Learns merges. `tokens` comes with the bytes of the specials (as characters of the byte alphabet would
/// spell them) and of the 256 single bytes, and grows by those learned. The words are consumed.
std::vector<MergeRule> learn_merges(WordCounter& words, const MergeOptions& options,
                                    std::vector<std::string>& tokens);

}  // namespace suiren::text
