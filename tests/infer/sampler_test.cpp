#include "suiren/infer/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "tests/models/support.h"

namespace suiren::infer {
namespace {

using models::contains;
using models::golden;
using models::message;

constexpr double kInf = std::numeric_limits<double>::infinity();

SamplingOptions options_of(const nlohmann::json& j) {
  SamplingOptions o;
  const auto take = [&](const char* key, auto& field) {
    if (j.contains(key)) j[key].get_to(field);
  };
  take("temperature", o.temperature), take("top_k", o.top_k), take("top_p", o.top_p);
  take("min_p", o.min_p), take("typical_p", o.typical_p), take("repetition_penalty", o.repetition_penalty);
  take("frequency_penalty", o.frequency_penalty), take("presence_penalty", o.presence_penalty);
  take("penalty_window", o.penalty_window), take("logit_bias", o.logit_bias);
  o.validate();
  return o;
}

TEST(Sampler, DistributionsAreThoseOfTransformersInFloat64) {
  int64_t compared = 0;
  for (const auto& c : golden("infer/sampling.json")) {
    const auto logits = c["logits"].get<std::vector<float>>();
    const auto ids = c["ids"].get<std::vector<int64_t>>();
    const auto want = c["probabilities"].get<std::vector<double>>();
    std::vector<double> got(want.size());
    int64_t last = -1;
    for (const Probability& p :
         distribution(logits, options_of(c["options"]), 0, {ids, c["prompt"].get<size_t>()})) {
      EXPECT_GT(p.id, last);
      EXPECT_GT(p.value, 0);
      last = p.id;
      got[static_cast<size_t>(p.id)] = p.value;
    }
    for (size_t i = 0; i < want.size(); ++i, ++compared) {
      EXPECT_NEAR(got[i], want[i], 1e-11) << c["options"] << " token " << i;
      EXPECT_EQ(got[i] == 0, want[i] == 0) << c["options"] << " token " << i;
    }
  }
  EXPECT_EQ(compared, 60 * 23);
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
  EXPECT_TRUE(contains(message([] { SamplingOptions{.min_p = 1.5}.validate(); }), "min_p is 1.5"));
  EXPECT_TRUE(contains(message([] { SamplingOptions{.typical_p = 0}.validate(); }), "typical_p is 0"));
  EXPECT_TRUE(contains(message([] { SamplingOptions{.repetition_penalty = 0}.validate(); }),
                       "repetition_penalty is 0"));
  EXPECT_TRUE(contains(message([] { SamplingOptions{.frequency_penalty = kInf}.validate(); }),
                       "frequency_penalty is inf"));
  EXPECT_TRUE(contains(message([] { SamplingOptions{.presence_penalty = NAN}.validate(); }),
                       "presence_penalty is nan"));
  EXPECT_TRUE(
      contains(message([] { SamplingOptions{.penalty_window = -1}.validate(); }), "penalty_window is -1"));
  EXPECT_TRUE(contains(message([] {
                         SamplingOptions{.logit_bias = {{3, NAN}}}.validate();
                       }),
                       "the logit bias of token 3 is nan"));
  const std::vector<float> logits{0, NAN};
  EXPECT_TRUE(contains(message([&] { sample(logits, {}, 3); }), "the logit of token 1 at position 3 is NaN"));
  const std::vector<float> infinite{0, INFINITY}, nothing{-INFINITY, -INFINITY}, masked{-INFINITY, 1};
  EXPECT_TRUE(contains(message([&] { sample(infinite, {}, 3); }), "the largest logit at position 3 is inf"));
  EXPECT_TRUE(contains(message([&] { sample(nothing, {}, 3); }), "the largest logit at position 3 is -inf"));
  EXPECT_EQ(sample(masked, {}, 3), 1);
  const std::vector<int64_t> beyond{2};
  EXPECT_EQ(message([&] {
              sample(masked, {.presence_penalty = 1}, 3, {beyond, 0});
            }),
            "the history holds token 2, but there are 2 logits");
  EXPECT_EQ(message([&] {
              sample(masked, {.logit_bias = {{-1, 1}}}, 3);
            }),
            "logit_bias names token -1, but there are 2 logits");
}

TEST(Sampler, AForbiddenTokenIsNeverDrawn) {
  const std::vector<float> logits{0, 9, 8};
  EXPECT_EQ(sample(logits, {.temperature = 0, .logit_bias = {{1, -kInf}}}, 3), 2);
  for (int64_t i = 0; i < 200; ++i)
    EXPECT_NE(sample(logits, {.temperature = 5, .logit_bias = {{1, -kInf}}}, i), 1);
  EXPECT_TRUE(contains(message([&] {
                         sample(logits, {.logit_bias = {{0, -kInf}, {1, -kInf}, {2, -kInf}}}, 3);
                       }),
                       "the largest logit at position 3 is -inf"));
}

// A long tail is put into order piece by piece; what is kept is what a full sort keeps.
TEST(Sampler, TopPOfALargeVocabulary) {
  std::vector<float> logits(5000);
  for (size_t i = 0; i < logits.size(); ++i)
    logits[i] = static_cast<float>(i * 7919 % 5000) / 1000.0f;  // each value once
  std::vector<double> best(logits.begin(), logits.end());
  std::sort(best.rbegin(), best.rend());
  double sum = 0;
  for (double& x : best) sum += x = std::exp(x);
  for (const double p : {0.001, 0.1, 0.5, 0.9, 0.999}) {
    size_t count = 0;
    for (double reached = 0; reached < p * sum; ++count) reached += best[count];
    EXPECT_EQ(distribution(logits, {.top_p = p}, 0).size(), count) << p;
  }
}

// Of equals the smaller ids stay, wherever they stand.
TEST(Sampler, TopKIsWhatASortKeeps) {
  std::vector<float> logits(1000);
  for (size_t i = 0; i < logits.size(); ++i) logits[i] = static_cast<float>(i * 7919 % 50);
  std::vector<int64_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  std::stable_sort(ids.begin(), ids.end(), [&](int64_t a, int64_t b) {
    return logits[static_cast<size_t>(a)] > logits[static_cast<size_t>(b)];
  });
  for (const int64_t k : {1, 2, 19, 20, 21, 500, 999, 1000, 5000}) {
    std::vector<int64_t> want(ids.begin(), ids.begin() + std::min<int64_t>(k, 1000)), got;
    std::sort(want.begin(), want.end());
    for (const Probability& p : distribution(logits, {.top_k = k}, 0)) got.push_back(p.id);
    EXPECT_EQ(got, want) << k;
  }
}

}  // namespace
}  // namespace suiren::infer
