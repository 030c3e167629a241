// The trainer against the definition taken literally, and against itself with other threads and other floors.

#include "suiren/text/bpe_trainer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "suiren/base/file.h"
#include "suiren/base/philox.h"
#include "suiren/base/threads.h"
#include "suiren/text/byte_level.h"
#include "suiren/text/pair_merger.h"

namespace suiren::text {
namespace {

std::vector<std::string> single_bytes() {
  std::vector<std::string> tokens;
  for (const uint8_t b : byte_order()) tokens.emplace_back(1, static_cast<char>(b));
  return tokens;
}

/// Random words over few letters, so that counts tie and merges overlap.
std::string random_text(uint64_t seed, int words) {
  std::string text;
  const char* letters[] = {"ab", "abc", "aab", "abcdefgh"};
  const std::string alphabet = letters[seed % 4];
  for (int w = 0; w < words; ++w) {
    const uint32_t size = 1 + philox(1, seed, w)[0] % 12;
    for (uint32_t i = 0; i < size; ++i) text += alphabet[philox(2 + seed, w, i)[0] % alphabet.size()];
    text += ' ';
  }
  return text;
}

WordCounter count(const std::string& text) {
  WordCounter words(PreTokenizer::from_pattern("gpt2"));
  for (size_t at = 0; at < text.size(); at += 50) words.add(std::string_view(text).substr(at, 50));
  words.finish();
  return words;
}

/// Counts every pair anew for each merge. Without tokens that two pairs spell this is all there is to BPE.
std::vector<MergeRule> literal_merges(const std::string& text, size_t vocab_size, bool& several) {
  std::vector<std::pair<std::vector<uint32_t>, int64_t>> words;
  auto tokens = single_bytes();
  std::map<std::string, uint32_t> ids;
  for (uint32_t i = 0; i < tokens.size(); ++i) ids[tokens[i]] = i;
  count(text).for_each([&](std::string_view word, uint64_t n) {
    std::vector<uint32_t> w;
    for (const char c : word) w.push_back(ids[std::string(1, c)]);
    words.emplace_back(w, n);
  });
  std::vector<MergeRule> rules;
  several = false;
  while (tokens.size() < vocab_size) {
    std::map<std::pair<uint32_t, uint32_t>, int64_t> counts;
    for (const auto& [w, n] : words)
      for (size_t i = 0; i + 1 < w.size(); ++i) counts[{w[i], w[i + 1]}] += n;
    if (counts.empty()) break;
    const auto best = *std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) {
      return a.second != b.second ? a.second < b.second : a.first > b.first;
    });
    const auto [left, right] = best.first;
    const std::string bytes = tokens[left] + tokens[right];
    if (ids.contains(bytes)) several = true;
    const uint32_t result = ids.emplace(bytes, static_cast<uint32_t>(tokens.size())).first->second;
    if (result == tokens.size()) tokens.push_back(bytes);
    rules.push_back({left, right, result});
    for (auto& [w, n] : words)
      for (size_t i = 0; i + 1 < w.size(); ++i)
        if (w[i] == left && w[i + 1] == right)
          w[i] = result, w.erase(w.begin() + static_cast<int64_t>(i) + 1);
  }
  return rules;
}

std::vector<MergeRule> learned(const std::string& text, int64_t vocab_size, int64_t floor) {
  WordCounter words = count(text);
  auto tokens = single_bytes();
  return learn_merges(words, {.vocab_size = vocab_size, .first_byte = 0, .floor = floor}, tokens);
}

TEST(Trainer, EqualsTheDefinition) {
  int compared = 0;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    const std::string text = random_text(seed, 150);
    bool several = false;
    const auto expected = literal_merges(text, 256 + 60, several);
    if (several) continue;  // the golden corpora cover those
    ++compared;
    EXPECT_EQ(learned(text, 256 + 60, 1), expected) << "seed " << seed;
  }
  EXPECT_GE(compared, 20);
}

TEST(Trainer, TheFloorOfTheListsDoesNotMatter) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const std::string text = random_text(seed, 400);
    const auto expected = learned(text, 256 + 300, 1);
    for (const int64_t floor : {2, 5, 40, 100000})
      EXPECT_TRUE(learned(text, 256 + 300, floor) == expected) << seed;
  }
}

TEST(Trainer, LargeVocabulariesUseWiderSymbols) {
  const std::string text = random_text(3, 2000);
  EXPECT_TRUE(learned(text, 100000, 1) == learned(text, 60000, 1));
}

TEST(Trainer, ThreadsDoNotMatter) {
  std::string json;
  for (const int threads : {1, 2, 3, 4, 8}) {
    set_thread_count(threads);
    BpeTrainer trainer({.vocab_size = 500});
    for (uint64_t d = 0; d < 400; ++d) trainer.add_document(random_text(d, 1000));
    trainer.add_document(read_file("tests/golden/text/corpus.txt"));
    EXPECT_GT(trainer.bytes(), 2000000);  // several chunks
    const std::string found = trainer.train().to_json();
    if (json.empty()) json = found;
    EXPECT_EQ(found, json) << threads;
  }
  set_thread_count(available_cpus());
}

TEST(Trainer, StopsWhenNoPairIsLeft) {
  BpeTrainer trainer({.vocab_size = 1000});
  trainer.add_document("abc");
  const Tokenizer t = trainer.train();
  EXPECT_EQ(t.vocab_size(), 259);
  EXPECT_EQ(t.encode("abc"), (std::vector<uint32_t>{258}));
}

TEST(Trainer, ReportsProgress) {
  int64_t last = 0;
  BpeTrainer trainer(
      {.vocab_size = 600, .progress = [&](std::string_view stage, int64_t done, int64_t total) {
         EXPECT_EQ(stage, "merge");
         EXPECT_EQ(total, 600);
         EXPECT_GT(done, last);
         last = done;
       }});
  trainer.add_document(read_file("tests/golden/text/corpus.txt"));
  trainer.train();
  EXPECT_GT(last, 500);
}

}  // namespace
}  // namespace suiren::text
