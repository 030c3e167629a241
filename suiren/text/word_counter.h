#pragma once
// Counts distinct pre-tokens, on several threads. For one caller at a time.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "suiren/text/pretokenizer.h"

namespace suiren::text {

/// Words and how often each occurs. The words are spread over shards by their hash; in what order they stand
/// depends on the documents alone, never on the number of threads.
class WordCounter {
 public:
  explicit WordCounter(PreTokenizer pre_tokenizer);

  /// Counts the pre-tokens of a document. The text is copied; work is done a batch at a time.
  void add(std::string_view document);
  /// Finishes the last batch; then each word may be visited once, as visit(bytes, count).
  void finish() { count_batch(); }
  void for_each(FunctionRef<void(std::string_view word, uint64_t count)> visit) const;
  int64_t documents() const { return documents_; }
  int64_t bytes() const { return bytes_; }

 private:
  static constexpr size_t kShards = 16, kBatchBytes = 32 << 20, kChunkBytes = 1 << 20;

  struct Seen {
    const char* data;
    uint32_t size;
    uint32_t hash;
  };
  struct Word {
    size_t begin;
    uint32_t size, hash;
    uint64_t count;
  };
  /// An open-addressing table of the words whose hash falls here.
  struct Shard {
    std::string bytes;
    std::vector<Word> words;
    std::vector<uint32_t> slots;  // index into words + 1; 0 is free
    void add(const Seen& word);
    void grow();
  };
  void count_batch();

  PreTokenizer pre_tokenizer_;
  std::string batch_;
  std::vector<size_t> ends_;  // of the batch's documents
  Shard shards_[kShards];
  int64_t documents_ = 0, bytes_ = 0;
};

}  // namespace suiren::text
