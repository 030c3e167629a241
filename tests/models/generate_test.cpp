#include "suiren/infer/generate.h"

#include <cstdlib>
#include <cstring>
#include <set>

#include "tests/models/support.h"

namespace suiren::infer {
namespace {

using models::contains;
using models::Folder;
using models::golden;
using models::message;
using models::small_config;
using models::some_ids;
using models::Transformer;

TEST(Generate, GreedyIsTransformers) {
  for (const std::string family : {"llama", "qwen3"}) {
    const auto model = Transformer::load(models::kFamilies + family);
    const auto reference = golden("families/" + family + "/reference.json");
    const auto prompt = reference["prompt"].get<std::vector<int64_t>>();
    const auto want = reference["greedy"].get<std::vector<int64_t>>();
    GenerateOptions o;
    o.max_tokens = static_cast<int64_t>(want.size());
    o.sampling.temperature = 0;
    std::vector<int64_t> seen;
    const Generation g = generate(*model, prompt, o, [&](int64_t id) {
      seen.push_back(id);
      return true;
    });
    EXPECT_EQ(g.ids, want) << family;
    EXPECT_EQ(seen, want);
    EXPECT_EQ(g.finish_reason, "length");
    o.eos_token_ids = {want[4]};
    const Generation stopped = generate(*model, prompt, o);
    EXPECT_EQ(stopped.ids, std::vector<int64_t>(want.begin(), want.begin() + 4));
    EXPECT_EQ(stopped.finish_reason, "stop");
    o.ignore_eos = true;
    EXPECT_EQ(generate(*model, prompt, o).ids, want);
  }
}

TEST(Generate, EndsAtTheContextAndRefusesALongPrompt) {
  const Transformer model(small_config(), 1);
  GenerateOptions o;
  o.ignore_eos = true;
  const Generation g = generate(model, some_ids(60, 97), o);
  EXPECT_EQ(g.ids.size(), 5u);  // positions 60 .. 63 read four of them; the fifth needs no position
  EXPECT_EQ(g.finish_reason, "length");
  EXPECT_EQ(generate(model, some_ids(64, 97), o).ids.size(), 1u);
  EXPECT_EQ(message([&] { generate(model, some_ids(65, 97), o); }),
            "the prompt has 65 tokens, but the model has 64 positions; shorten the prompt");
  EXPECT_TRUE(contains(message([&] { generate(model, {}, o); }), "the prompt holds no tokens"));
  const std::vector<int64_t> beyond{97};
  EXPECT_TRUE(contains(message([&] { generate(model, beyond, o); }), "token id 97"));
  o.max_tokens = 0;
  EXPECT_TRUE(generate(model, some_ids(3, 97), o).ids.empty());
}

TEST(Generate, ASeedGivesOneText) {
  const Transformer model(small_config(), 1);
  GenerateOptions o;
  o.max_tokens = 20, o.ignore_eos = true, o.sampling.seed = 11;
  const auto a = generate(model, some_ids(5, 97), o).ids;
  EXPECT_EQ(generate(model, some_ids(5, 97), o).ids, a);
  // A prompt that is a prompt and its continuation goes on as before: the draw depends on the position alone.
  auto longer = some_ids(5, 97);
  longer.insert(longer.end(), a.begin(), a.begin() + 8);
  o.max_tokens = 12;
  EXPECT_EQ(generate(model, longer, o).ids, std::vector<int64_t>(a.begin() + 8, a.end()));
  o.max_tokens = 20, o.sampling.seed = 12;
  EXPECT_NE(generate(model, some_ids(5, 97), o).ids, a);
}

TEST(Generate, EveryPositionDrawsANumberOfItsOwn) {
  const Transformer model(small_config(), 1);
  GenerateOptions o;
  o.max_tokens = 20, o.ignore_eos = true;
  o.sampling.temperature = 1e6;  // all ids alike: the draw alone decides
  const auto ids = generate(model, some_ids(5, 97), o).ids;
  EXPECT_GE(std::set<int64_t>(ids.begin(), ids.end()).size(), 10u);
}

TEST(Generate, EndTokensOfAFolder) {
  const Folder folder("ends");
  models::TransformerConfig c = small_config();
  EXPECT_EQ(end_tokens(folder.path(), c), std::vector<int64_t>{2});
  write_file(folder.path() + "/generation_config.json", R"({"eos_token_id": [5, 6], "top_p": 0.9})");
  EXPECT_EQ(end_tokens(folder.path(), c), (std::vector<int64_t>{5, 6}));
  write_file(folder.path() + "/generation_config.json", R"({"eos_token_id": 9})");
  EXPECT_EQ(end_tokens(folder.path(), c), std::vector<int64_t>{9});
  write_file(folder.path() + "/generation_config.json", "{}");
  EXPECT_EQ(end_tokens(folder.path(), c), std::vector<int64_t>{2});
}

TEST(Sampler, ZeroTemperatureTakesTheFirstOfEquals) {
  const std::vector<float> logits{1, 5, 5, -2};
  EXPECT_EQ(sample(logits, {0}, 3), 1);
}

std::vector<double> frequencies(const std::vector<float>& logits, SamplingOptions o, int64_t draws) {
  std::vector<double> f(logits.size());
  for (int64_t i = 0; i < draws; ++i)
    f[static_cast<size_t>(sample(logits, o, i))] += 1.0 / static_cast<double>(draws);
  return f;
}

TEST(Sampler, DrawsFromTheFilteredDistribution) {
  const std::vector<float> logits{0, std::log(2.0f), std::log(3.0f), std::log(4.0f)};  // 0.1 0.2 0.3 0.4
  const int64_t n = 40000;
  const double tolerance = 4 * std::sqrt(0.25 / static_cast<double>(n));
  const auto expect = [&](SamplingOptions o, const std::vector<double>& want) {
    const auto got = frequencies(logits, o, n);
    for (size_t i = 0; i < want.size(); ++i) {
      if (want[i] == 0)
        EXPECT_EQ(got[i], 0);
      else
        EXPECT_NEAR(got[i], want[i], tolerance);
    }
  };
  expect({1, 0, 1, 1}, {0.1, 0.2, 0.3, 0.4});
  expect({0.5, 0, 1, 2}, {1 / 30.0, 4 / 30.0, 9 / 30.0, 16 / 30.0});
  expect({1, 2, 1, 3}, {0, 0, 3 / 7.0, 4 / 7.0});
  expect({1, 0, 0.65, 4}, {0, 0, 3 / 7.0, 4 / 7.0});
  expect({1, 0, 0.75, 5}, {0, 2 / 9.0, 3 / 9.0, 4 / 9.0});
  expect({1, 3, 0.5, 6}, {0, 0, 3 / 7.0, 4 / 7.0});
  expect({1, 1, 1, 7}, {0, 0, 0, 1});
}

TEST(Sampler, OfEqualLogitsTheSmallerIdsStay) {
  const std::vector<float> logits(6, 1.0f);
  const auto f = frequencies(logits, {1, 2, 1, 1}, 2000);
  EXPECT_GT(f[0], 0.4);
  EXPECT_GT(f[1], 0.4);
  EXPECT_EQ(f[2] + f[3] + f[4] + f[5], 0);
}

TEST(Sampler, RefusesBadOptionsAndNan) {
  EXPECT_TRUE(contains(message([] { SamplingOptions{-1}.validate(); }), "temperature is -1"));
  EXPECT_TRUE(contains(message([] { SamplingOptions{1, -2}.validate(); }), "top_k is -2"));
  EXPECT_TRUE(contains(message([] { SamplingOptions{1, 0, 0}.validate(); }), "top_p is 0"));
  const std::vector<float> logits{0, NAN};
  EXPECT_TRUE(contains(message([&] { sample(logits, {}, 3); }), "the logit of token 1 at position 3 is NaN"));
  const std::vector<float> infinite{0, INFINITY}, nothing{-INFINITY, -INFINITY}, masked{-INFINITY, 1};
  EXPECT_TRUE(contains(message([&] { sample(infinite, {}, 3); }), "the largest logit at position 3 is inf"));
  EXPECT_TRUE(contains(message([&] { sample(nothing, {}, 3); }), "the largest logit at position 3 is -inf"));
  EXPECT_EQ(sample(masked, {}, 3), 1);
}

// The pieces of llama2.c's tokenizer file: int32 longest, then (float score, int32 length, bytes) each.
std::vector<std::string> pieces(const std::string& path) {
  const std::string bytes = read_file(path);
  std::vector<std::string> all;
  for (size_t at = 4; at + 8 <= bytes.size();) {
    int32_t n = 0;
    std::memcpy(&n, bytes.data() + at + 4, 4);
    std::string piece = bytes.substr(at + 8, static_cast<size_t>(n));
    at += 8 + static_cast<size_t>(n);
    if (piece.size() == 6 && piece.starts_with("<0x"))
      piece = std::string(1, static_cast<char>(std::stoi(piece.substr(3, 2), nullptr, 16)));
    all.push_back(std::move(piece));
  }
  return all;
}

TEST(Generate, Stories260KIsWhatLlama2cWrites) {
  const std::string data = "../shared/data/stories260K/";
  if (!std::filesystem::exists(data + "stories260K.bin")) GTEST_SKIP() << data << " is not there";
  if (std::system("python3 -c pass >/dev/null 2>&1") != 0)
    GTEST_SKIP() << "python3, which converts it, is not there";
  const Folder folder("stories");
  ASSERT_EQ(
      std::system(("python3 tools/convert_llama2c.py " + data + "stories260K.bin " + folder.path()).c_str()),
      0);
  const auto model = Transformer::load(folder.path());
  GenerateOptions o;
  o.max_tokens = 200, o.sampling.temperature = 0, o.ignore_eos = true;
  const std::vector<int64_t> prompt{1};
  const auto table = pieces(data + "tok512.bin");
  std::string text;
  for (const int64_t id : generate(*model, prompt, o).ids) text += table.at(static_cast<size_t>(id));
  EXPECT_EQ(text.substr(text.starts_with(" ")) + "\n", read_file(data + "greedy-200.txt"));
}

}  // namespace
}  // namespace suiren::infer
