#include "suiren/infer/text_stream.h"

#include <random>

#include "tests/models/support.h"

namespace suiren::infer {
namespace {

// What may be shown of `text`, and whether a stop string ended it: the definition.
std::pair<std::string, bool> expected(const std::string& text, const std::vector<std::string>& stops) {
  for (size_t end = 1; end <= text.size(); ++end) {
    size_t longest = 0;
    for (const auto& s : stops)
      if (text.substr(0, end).ends_with(s)) longest = std::max(longest, s.size());
    if (longest) return {text.substr(0, end - longest), true};
  }
  return {text, false};
}

TEST(StopStrings, TheResultDoesNotDependOnThePieces) {
  std::mt19937 random(1);
  const auto word = [&](size_t least, size_t most) {
    std::string s(least + random() % (most - least + 1), 0);
    for (char& c : s) c = "ab"[random() % 2];
    return s;
  };
  int64_t ended = 0;
  for (int i = 0; i < 20000; ++i) {
    std::vector<std::string> stops(random() % 4);
    for (auto& s : stops) s = word(1, 6);
    const std::string text = word(0, 30);
    StopStrings filter(stops);
    std::string got;
    for (size_t at = 0; at < text.size();) {
      const size_t n = 1 + random() % 5;
      got += filter.push(text.substr(at, n));
      at += n;
      // All of it was shown but what may still become a stop string.
      if (!filter.stopped()) {
        size_t keep = 0;
        const std::string read = text.substr(0, at);
        for (const auto& s : stops)
          for (size_t k = 1; k < s.size(); ++k)
            if (read.ends_with(s.substr(0, k))) keep = std::max(keep, k);
        ASSERT_EQ(got, read.substr(0, read.size() - keep)) << text;
      }
    }
    got += filter.finish();
    const auto [want, stopped] = expected(text, stops);
    ASSERT_EQ(got, want) << text;
    ASSERT_EQ(filter.stopped(), stopped) << text;
    ended += stopped;
  }
  EXPECT_GT(ended, 5000);
  EXPECT_LT(ended, 15000);
}

TEST(StopStrings, AnEmptyOneIsRefused) {
  EXPECT_EQ(models::message([] { StopStrings({"a", ""}); }), "a stop string is empty");
}

TEST(TextStream, StopsInsideTokensAndAcrossThem) {
  const auto tokenizer = text::Tokenizer::load("tests/golden/infer/chat");
  const auto written = [&](const std::string& text, std::vector<std::string> stops) {
    TextStream stream(tokenizer, std::move(stops));
    std::string out;
    for (const uint32_t id : tokenizer.encode(text)) out += stream.push(id);
    return std::pair(out + stream.finish(), stream.stopped());
  };
  using Result = std::pair<std::string, bool>;
  EXPECT_EQ(written("the cat sat on the mat", {}), Result("the cat sat on the mat", false));
  EXPECT_EQ(written("the cat sat on the mat", {"sat on"}), Result("the cat ", true));
  EXPECT_EQ(written("the cat sat on the mat", {"at s"}), Result("the c", true));
  EXPECT_EQ(written("the cat sat on the mat", {"mats"}), Result("the cat sat on the mat", false));
  EXPECT_EQ(written("你好，世界", {"，"}), Result("你好", true));
  EXPECT_EQ(written("one</s>two", {}), Result("onetwo", false));  // special tokens are not shown
  // A text that ends within a character: its bytes come at the end.
  TextStream stream(tokenizer, {});
  const auto ids = tokenizer.encode("😀");
  ASSERT_GT(ids.size(), 1u);
  EXPECT_EQ(stream.push(ids[0]), "");
  EXPECT_EQ(stream.finish(), tokenizer.bytes_of(ids[0]));
}

// A tokenizer of single letters whose decoder is given.
text::Tokenizer letters(const std::string& decoder) {
  return text::Tokenizer::from_json(
      R"({"version": "1.0", "model": {"type": "BPE", "vocab": {"▁": 0, "a": 1, "b": 2, "▁a": 3, "a</w>": 4},
          "merges": []}, "added_tokens": [], "normalizer": null, "pre_tokenizer": null, "post_processor": null,
          "decoder": )" +
          decoder + "}",
      "letters");
}

TEST(TextStream, GoesOnWhereAPromptEnds) {
  using Ids = std::vector<int64_t>;
  const auto text = [](const text::Tokenizer& t, const Ids& prompt, const Ids& ids) {
    TextStream stream(t, {}, prompt);
    std::string out;
    for (const int64_t id : ids) out += stream.push(id);
    return out + stream.finish();
  };
  // SentencePiece's: the space before a text's first word goes, those before the others stay.
  const auto spaces =
      letters(R"({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true})");
  EXPECT_EQ(text(spaces, {}, {3, 2, 3}), "ab a");
  EXPECT_EQ(text(spaces, {3, 2}, {3, 2}), " ab");
  EXPECT_EQ(text(spaces, {3, 2}, {}), "");
  // A decoder that waits for the next token: what it held back of the prompt is not the continuation's.
  const auto words = letters(R"({"type": "BPEDecoder", "suffix": "</w>"})");
  EXPECT_EQ(words.decode(std::vector<uint32_t>{4, 1, 4}), "a aa");
  EXPECT_EQ(text(words, {4}, {1, 4}), " aa");
  EXPECT_EQ(text(words, {4, 1}, {2}), "b");
}

}  // namespace
}  // namespace suiren::infer
