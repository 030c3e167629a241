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

TEST(Generate, LogProbabilitiesAreThoseOfTraining) {
  const Transformer model(small_config(), 1);
  GenerateOptions o;
  o.max_tokens = 12, o.ignore_eos = true, o.logprobs = true, o.prompt_logprobs = true;
  o.sampling = {.temperature = 0.8, .top_k = 30, .presence_penalty = 0.5, .logit_bias = {{3, 2.0}}};
  const auto prompt = some_ids(30, 97);
  const Generation g = generate(model, prompt, o);
  auto all = prompt;
  all.insert(all.end(), g.ids.begin(), g.ids.end());
  std::vector<float> got = g.prompt_logprobs;
  got.insert(got.end(), g.logprobs.begin(), g.logprobs.end());
  const NoGrad off;
  const std::span<const int64_t> span(all);
  const auto losses = model.token_losses(model.ids(span.first(all.size() - 1)), model.ids(span.subspan(1)))
                          .to_vector<float>();
  ASSERT_EQ(got.size(), losses.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_EQ(got[i], -losses[i]) << i;
  EXPECT_EQ(generate(model, prompt, o).ids, g.ids);
  o.logprobs = o.prompt_logprobs = false;
  const Generation without = generate(model, prompt, o);
  EXPECT_EQ(without.ids, g.ids);
  EXPECT_TRUE(without.logprobs.empty() && without.prompt_logprobs.empty());
  o.max_tokens = 0, o.prompt_logprobs = true;
  EXPECT_EQ(generate(model, prompt, o).prompt_logprobs, g.prompt_logprobs);
}

// Greedy decoding of a small random model runs in circles; a penalty breaks them, and only what was written
// is penalized by frequency.
TEST(Generate, PenaltiesSeeTheHistory) {
  const Transformer model(small_config(), 1);
  GenerateOptions o;
  o.max_tokens = 40, o.ignore_eos = true, o.sampling.temperature = 0;
  const auto prompt = some_ids(5, 97);
  const auto distinct = [&] {
    const auto ids = generate(model, prompt, o).ids;
    return std::set<int64_t>(ids.begin(), ids.end()).size();
  };
  EXPECT_LT(distinct(), 40u);
  o.sampling.presence_penalty = 1e6;
  EXPECT_EQ(distinct(), 40u);
  o.sampling.presence_penalty = 0, o.sampling.repetition_penalty = 1e6;
  auto ids = generate(model, prompt, o).ids;
  EXPECT_EQ(std::set<int64_t>(ids.begin(), ids.end()).size(), 40u);
  for (const int64_t id : prompt) EXPECT_EQ(std::count(ids.begin(), ids.end(), id), 0);
}

TEST(Generator, WhatAPromptSharesWithTheCacheIsNotComputedAgain) {
  const Transformer model(small_config(), 1);
  Generator generator(model);
  GenerateOptions o;
  o.max_tokens = 6, o.ignore_eos = true, o.sampling.seed = 3;
  auto prompt = some_ids(12, 97);
  const auto expect = [&](int64_t computed) {
    const Generation g = generator.run(prompt, o), fresh = generate(model, prompt, o);
    EXPECT_EQ(g.ids, fresh.ids);
    EXPECT_EQ(g.logprobs, fresh.logprobs);
    EXPECT_EQ(g.computed, computed);
    EXPECT_EQ(fresh.computed, static_cast<int64_t>(prompt.size()));
    return g.ids;
  };
  const auto answer = expect(12);
  o.logprobs = true;
  expect(1);  // the same again: the last id's state is wanted
  // The next turn: prompt, answer, more. The last id of the answer was not cached.
  prompt.insert(prompt.end(), answer.begin(), answer.end());
  prompt.insert(prompt.end(), {7, 8, 9});
  expect(4);
  prompt[10] = (prompt[10] + 1) % 97;  // what follows a change is computed
  expect(11);
  prompt.resize(5);
  expect(1);
  prompt[0] = (prompt[0] + 1) % 97;
  expect(5);
  o.prompt_logprobs = true;
  expect(5);
  o.prompt_logprobs = false;
  EXPECT_TRUE(contains(message([&] { generator.run(some_ids(65, 97), o); }), "65 tokens"));
  expect(1);
  EXPECT_TRUE(contains(message([&] { generator.run(std::vector<int64_t>{1, 97}, o); }), "token id 97"));
  expect(5);
}

TEST(Generator, ALongPromptGoesInChunks) {
  models::TransformerConfig c = small_config();
  c.max_position_embeddings = 1400;
  const Transformer model(c, 1);
  GenerateOptions o;
  o.max_tokens = 300, o.ignore_eos = true, o.prompt_logprobs = true, o.sampling.seed = 5;
  auto prompt = some_ids(1030, 97);
  const Generation g = generate(model, prompt, o);
  ASSERT_EQ(g.ids.size(), 300u);
  EXPECT_EQ(g.prompt_logprobs.size(), 1029u);
  o.max_tokens = 2;
  Generator generator(model);
  generator.run(some_ids(700, 97), o);
  prompt.insert(prompt.end(), g.ids.begin(), g.ids.end() - 2);
  EXPECT_EQ(generator.run(prompt, o).ids, std::vector<int64_t>(g.ids.end() - 2, g.ids.end()));
}

TEST(Generator, ALongPromptCanBeStopped) {
  models::TransformerConfig c = small_config();
  c.max_position_embeddings = 1400;
  const Transformer model(c, 1);
  Generator generator(model);
  GenerateOptions o;
  o.max_tokens = 4, o.ignore_eos = true;
  int chunks = 0;
  o.go_on = [&] { return chunks++ < 2; };
  const auto prompt = some_ids(1300, 97);
  const Generation stopped = generator.run(prompt, o);
  EXPECT_EQ(stopped.finish_reason, "stop");
  EXPECT_TRUE(stopped.ids.empty());
  EXPECT_EQ(stopped.computed, 1024);
  o.go_on = {};
  const Generation whole = generator.run(prompt, o);
  EXPECT_EQ(whole.computed, 276);  // what was computed before is kept
  EXPECT_EQ(whole.ids, generate(model, prompt, o).ids);
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
