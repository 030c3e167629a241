// One step of training: the golden run, the loss and gradient that the tape gives, and the same bits on any
// number of threads.

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "suiren/base/file.h"
#include "suiren/base/threads.h"
#include "suiren/core/autograd.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/reduce/reduce.h"
#include "suiren/optim/clip.h"
#include "suiren/train/planner.h"
#include "suiren/train/session.h"

namespace suiren::train {
namespace {

const std::string kGolden = "tests/golden/training/";

struct Subject {
  explicit Subject(const TrainConfig& c, double softcap = 0, double scaling = 1)
      : config(c),
        data{.tokens = std::make_shared<data::Tokens>(data::Tokens::open(c.data.tokens))},
        loader(make_loader(c, data, model_config(c, data))),
        model(make_model(c, shaped(model_config(c, data), softcap, scaling))),
        optimizer(make_optimizer(c, *model)),
        runner(config, *model, *optimizer, loader) {}
  static models::TransformerConfig shaped(models::TransformerConfig m, double softcap, double scaling) {
    m.logit_softcap = softcap;
    m.logits_scaling = scaling;
    return m;
  }
  const TrainConfig config;
  const DataSource data;
  const data::Loader loader;
  const std::unique_ptr<models::Transformer> model;
  const std::unique_ptr<optim::Optimizer> optimizer;
  StepRunner runner;
};

TrainConfig golden_config() {
  TrainConfig c;
  c.init_from = kGolden + "init";
  c.data = {.tokens = kGolden + "tokens.u16", .order = "sequential", .sequence_length = 64};
  c.sequences = 4;
  return c;
}

TEST(Steps, RetraceTheGolden) {
  Subject s(golden_config());
  const auto trace = nlohmann::json::parse(read_file(kGolden + "trace.json"))["float64"];
  const optim::Schedule schedule{optim::Schedule::kCosine, 3e-3, 20, 4, 0, 0.1};
  for (int64_t i = 0; i < 20; ++i) {
    const auto got = s.runner.run(i, schedule.at(i));
    const auto& row = trace[static_cast<size_t>(i)];
    const double loss = row["loss"], norm = row["grad_norm"];
    EXPECT_NEAR(got->loss, loss, 1e-5 * loss) << "step " << i;
    EXPECT_NEAR(got->grad_norm, norm, 1e-4 * norm) << "step " << i;
  }
}

// A model whose logits take several chunks (70 rows of 33,000 classes).
TrainConfig wide_config(int64_t hidden, bool tied, const char* precision) {
  TrainConfig c;
  c.model_json =
      nlohmann::json{{"vocab_size", 33000},           {"hidden_size", hidden},      {"num_hidden_layers", 1},
                     {"num_attention_heads", 2},      {"num_key_value_heads", 2},   {"intermediate_size", 24},
                     {"max_position_embeddings", 70}, {"tie_word_embeddings", tied}}
          .dump();
  c.data = {.tokens = kGolden + "tokens.u16", .order = "sequential", .sequence_length = 70};
  c.sequences = 3;
  c.optimizer.name = "sgd";
  c.precision = precision;
  return c;
}

// Loss and gradient norm of the first step, by the tape, which keeps all logits and forms each gradient
// apart.
StepRunner::Step by_the_tape(const Subject& s) {
  const int64_t T = s.config.data.sequence_length, n = s.config.sequences;
  double loss = 0;
  Tensors sums;
  for (int64_t i = 0; i < n; ++i) {
    const std::vector<int32_t> window = s.loader.sequence(i);
    const Tensor ids = Tensor::from(std::span(window).first(static_cast<size_t>(T)), {1, T}),
                 targets = Tensor::from(std::span(window).subspan(1), {1, T});
    const Tensor mean = sum(s.model->token_losses(ids, targets)) * (1.0 / static_cast<double>(T * n));
    loss += mean.item();
    accumulate_gradients(mean, s.model->parameters(), sums);
  }
  return {loss, optim::global_norm(sums)};
}

TEST(Steps, HaveTheLossAndGradientOfTheTape) {
  for (const bool tied : {true, false})
    for (const int64_t hidden : {8, 512}) {
      if (hidden == 512 && !tied) continue;  // twice as large
      Subject s(wide_config(hidden, tied, "float32"));
      EXPECT_EQ(large_gradients(s.model->config()), hidden == 512);
      const StepRunner::Step want = by_the_tape(s), got = *s.runner.run(0, 1e-3);
      EXPECT_NEAR(got.loss, want.loss, 1e-6 * want.loss) << hidden << " tied " << tied;
      EXPECT_NEAR(got.grad_norm, want.grad_norm, 1e-5 * want.grad_norm) << hidden << " tied " << tied;
      if (hidden == 512) continue;
      Subject rounded(wide_config(hidden, tied, "bfloat16"));
      const StepRunner::Step coarse = *rounded.runner.run(0, 1e-3);
      EXPECT_NEAR(coarse.loss, want.loss, 1e-4 * want.loss) << "bf16, tied " << tied;
      EXPECT_NEAR(coarse.grad_norm, want.grad_norm, 0.02 * want.grad_norm) << "bf16, tied " << tied;
    }
}

// What a family does to its logits is part of the loss.
TEST(Steps, OfScaledAndCappedLogits) {
  for (const double softcap : {0.0, 0.02})
    for (const double scaling : {1.0, 0.25}) {
      Subject s(wide_config(8, true, "float32"), softcap, scaling);
      const StepRunner::Step want = by_the_tape(s), got = *s.runner.run(0, 1e-3);
      EXPECT_NEAR(got.loss, want.loss, 1e-6 * want.loss) << softcap << " " << scaling;
      EXPECT_NEAR(got.grad_norm, want.grad_norm, 1e-5 * want.grad_norm) << softcap << " " << scaling;
    }
}

TEST(Steps, HaveTheSameBitsOnAnyNumberOfThreadsAndInAnySplit) {
  const int before = thread_count();
  for (const char* precision : {"float32", "bfloat16"})
    for (const bool tied : {true, false}) {
      std::vector<std::vector<uint8_t>> want;
      for (const int threads : {1, 2, 3, 4}) {
        set_thread_count(threads);
        TrainConfig c = wide_config(8, tied, precision);
        if (threads == 4) c.sequences = 1, c.accumulate = 3;
        Subject s(c);
        for (int64_t i = 0; i < 2; ++i) s.runner.run(i, 1e-2);
        std::vector<std::vector<uint8_t>> got;
        for (const Tensor& t : s.model->parameters()) got.push_back(t.to_bytes());
        if (want.empty()) want = got;
        EXPECT_TRUE(got == want) << precision << " tied " << tied << " " << threads << " threads";
      }
    }
  set_thread_count(before);
}

}  // namespace
}  // namespace suiren::train
