#include "suiren/text/word_counter.h"

#include <array>
#include <cstring>

#include "suiren/base/error.h"

namespace suiren::text {

namespace {

uint32_t hash_bytes(const char* p, size_t n) {
  uint64_t h = n * 0x9E3779B97F4A7C15;
  const auto mix = [&](uint64_t x) { h = (h ^ x) * 0xD6E8FEB86659FD93, h ^= h >> 32; };
  uint64_t x = 0;
  for (; n >= 8; p += 8, n -= 8) std::memcpy(&x, p, 8), mix(x);
  x = 0;
  std::memcpy(&x, p, n);
  mix(x);
  return static_cast<uint32_t>(h >> 16);
}

}  // namespace

WordCounter::WordCounter(PreTokenizer pre_tokenizer) : pre_tokenizer_(std::move(pre_tokenizer)) {}

void WordCounter::add(std::string_view document) {
  SR_CHECK_AS(kUnsupported, document.size() < (uint64_t{1} << 31),
              "a document has {} bytes; a tokenizer is trained on documents below 2 GiB", document.size());
  batch_ += document;
  ends_.push_back(batch_.size());
  ++documents_;
  bytes_ += static_cast<int64_t>(document.size());
  if (batch_.size() >= kBatchBytes) count_batch();
}

void WordCounter::count_batch() {
  // Chunks are whole documents of about a megabyte, so they fall alike whatever the number of threads.
  std::vector<size_t> chunks{0};  // first document of each
  for (size_t d = 0, begin = 0; d < ends_.size(); ++d)
    if (ends_[d] - begin >= kChunkBytes || d + 1 == ends_.size()) chunks.push_back(d + 1), begin = ends_[d];
  const auto count = static_cast<int64_t>(chunks.size()) - 1;
  std::vector<std::array<std::vector<Seen>, kShards>> found(count);
  parallel_tasks(count, [&](int64_t i) {
    for (size_t d = chunks[i]; d < chunks[i + 1]; ++d) {
      const size_t begin = d ? ends_[d - 1] : 0;
      pre_tokenizer_.split({batch_.data() + begin, ends_[d] - begin}, [&](std::string_view word) {
        const uint32_t hash = hash_bytes(word.data(), word.size());
        found[i][hash % kShards].push_back({word.data(), static_cast<uint32_t>(word.size()), hash});
      });
    }
  });
  parallel_tasks(kShards, [&](int64_t s) {
    for (auto& chunk : found)
      for (const Seen& word : chunk[s]) shards_[s].add(word);
  });
  batch_.clear();
  ends_.clear();
}

void WordCounter::Shard::add(const Seen& word) {
  if (slots.size() < 2 * words.size() + 2) grow();
  const size_t mask = slots.size() - 1;
  size_t i = word.hash / kShards & mask;
  for (; slots[i]; i = (i + 1) & mask) {
    Word& w = words[slots[i] - 1];
    if (w.hash == word.hash && w.size == word.size &&
        std::memcmp(bytes.data() + w.begin, word.data, w.size) == 0) {
      ++w.count;
      return;
    }
  }
  words.push_back({bytes.size(), word.size, word.hash, 1});
  bytes.append(word.data, word.size);
  slots[i] = static_cast<uint32_t>(words.size());
}

void WordCounter::Shard::grow() {
  slots.assign(std::max<size_t>(1024, slots.size() * 2), 0);
  const size_t mask = slots.size() - 1;
  for (size_t w = 0; w < words.size(); ++w) {
    size_t i = words[w].hash / kShards & mask;
    while (slots[i]) i = (i + 1) & mask;
    slots[i] = static_cast<uint32_t>(w + 1);
  }
}

void WordCounter::for_each(FunctionRef<void(std::string_view, uint64_t)> visit) const {
  for (const Shard& s : shards_)
    for (const Word& w : s.words) visit({s.bytes.data() + w.begin, w.size}, w.count);
}

}  // namespace suiren::text
