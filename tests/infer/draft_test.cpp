#include "suiren/infer/draft.h"

#include "suiren/infer/generate.h"
#include "tests/models/support.h"

namespace suiren::infer {
namespace {

using Ids = std::vector<int64_t>;
using models::small_config;
using models::some_ids;
using models::Transformer;

TEST(Draft, WhatFollowedLastTime) {
  EXPECT_EQ(draft_by_lookup(Ids{1, 2, 3, 9, 1, 2, 4, 9, 1, 2}, 3), (Ids{4, 9, 1}));  // the latest place
  EXPECT_EQ(draft_by_lookup(Ids{1, 2, 3, 9, 1, 2, 4, 9, 1, 2}, 1), (Ids{4}));
  EXPECT_EQ(draft_by_lookup(Ids{5, 1, 2, 3, 7, 1, 2, 8, 5, 1, 2}, 2), (Ids{3, 7}));  // the longest match
  EXPECT_EQ(draft_by_lookup(Ids{6, 6, 6}, 4), (Ids{6}));
  EXPECT_EQ(draft_by_lookup(Ids{6, 6, 6, 6, 6, 6}, 4), (Ids{6}));  // four ids end one before the last
  EXPECT_EQ(draft_by_lookup(Ids{1, 2, 1}, 4), Ids{});              // one id alone says little
  EXPECT_EQ(draft_by_lookup(Ids{1, 2, 1, 2}, 0), Ids{});
  EXPECT_EQ(draft_by_lookup(Ids{}, 3), Ids{});
}

// Text, log-probabilities and reason are the same bits as without, whatever the options.
TEST(Speculation, TheTextIsTheSame) {
  const Transformer model(small_config(), 1);
  int64_t drafted = 0, accepted = 0, texts = 0;
  for (uint64_t seed = 0; seed < 12; ++seed)
    for (const double temperature : {0.0, 0.15, 0.5, 1.3})
      for (const double penalty : {0.0, 0.4}) {
        GenerateOptions o;
        o.max_tokens = 30, o.logprobs = true, o.eos_token_ids = {static_cast<int64_t>(seed)};
        o.sampling = {.temperature = temperature, .seed = seed, .frequency_penalty = penalty};
        Ids prompt = some_ids(6, 97, static_cast<int64_t>(seed));
        prompt.insert(prompt.end(), prompt.begin(), prompt.end());
        const Generation want = generate(model, prompt, o);
        Generator generator(model);
        for (const int64_t n : {1, 3, 8}) {
          o.speculate = n;
          const Generation got = generator.run(prompt, o);
          EXPECT_EQ(got.ids, want.ids) << seed << " " << temperature << " " << penalty << " " << n;
          EXPECT_EQ(got.logprobs, want.logprobs);
          EXPECT_EQ(got.finish_reason, want.finish_reason);
          EXPECT_LE(got.accepted, got.drafted);
          drafted += got.drafted, accepted += got.accepted, ++texts;
        }
        // The cache holds what was written and nothing of the drafts: the next turn agrees.
        Ids longer = prompt;
        longer.insert(longer.end(), want.ids.begin(), want.ids.end());
        longer.push_back(3);
        EXPECT_EQ(generator.run(longer, o).ids, generate(model, longer, o).ids);
      }
  EXPECT_EQ(texts, 12 * 4 * 2 * 3);
  EXPECT_GT(accepted, 0);
  EXPECT_LT(accepted, drafted);  // both ways were taken
}

TEST(Speculation, ARepetitiveTextTakesFewerPasses) {
  models::TransformerConfig c = small_config();
  c.initializer_range = 0.02, c.max_position_embeddings = 256;  // the next id follows from the last: circles
  const Transformer model(c, 1);
  GenerateOptions o;
  o.max_tokens = 200, o.ignore_eos = true, o.sampling.temperature = 0, o.speculate = 8;
  const Generation g = generate(model, some_ids(5, 97), o);
  RecordProperty("accepted", static_cast<int>(g.accepted));
  RecordProperty("drafted", static_cast<int>(g.drafted));
  EXPECT_GT(g.accepted, 10) << g.drafted;
}

TEST(Speculation, StopsWhereTheCallerStops) {
  const Transformer model(small_config(), 1);
  GenerateOptions o;
  o.max_tokens = 40, o.ignore_eos = true, o.sampling.temperature = 0;
  const Generation want = generate(model, some_ids(5, 97), o);
  o.speculate = 8;
  Ids seen;
  const Generation got = generate(model, some_ids(5, 97), o, [&](int64_t id) {
    seen.push_back(id);
    return seen.size() < 33;
  });
  EXPECT_EQ(got.ids, Ids(want.ids.begin(), want.ids.begin() + 33));
  EXPECT_EQ(seen, got.ids);
  o.speculate = -1;
  EXPECT_EQ(models::message([&] { generate(model, seen, o); }), "speculate is -1, expected at least 0");
}

}  // namespace
}  // namespace suiren::infer
