#include "suiren/train/config.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "suiren/base/error.h"
#include "suiren/base/file.h"

namespace suiren::train {
namespace {

constexpr const char* kGood = R"(output: runs/a
model: {hidden_size: 64, num_attention_heads: 4}
data: {tokens: t.u16, order: sequential, sequence_length: 64}
batch: {sequences: 4, accumulate: 2}
steps: 20
optimizer: {name: adamw, lr: 3.0e-3, betas: [0.9, 0.95], eps: 1.0e-8, weight_decay: 0.1, grad_clip: 1.0}
schedule: {name: cosine, warmup_steps: 4, final_ratio: 0.1}
precision: float32
seed: 7
checkpoint: {every: 10, keep: 3}
eval: {every: 0}
)";

class ConfigTest : public testing::Test {
 protected:
  TrainConfig load(const std::string& text, const std::vector<std::string>& overrides = {}) {
    write_file(path_, text);
    return load_config(path_, overrides);
  }
  std::string error(const std::string& text, const std::vector<std::string>& overrides = {}) {
    try {
      load(text, overrides);
    } catch (const Error& e) {
      EXPECT_EQ(exit_code(e.code()), 2);
      return e.what();
    }
    return "accepted";
  }
  void TearDown() override { std::filesystem::remove(path_); }
  std::string path_ =
      (std::filesystem::temp_directory_path() / ("suiren-config-" + std::to_string(getpid()) + ".yaml"))
          .string();
};

std::string with(const std::string& from, const std::string& to) {
  std::string text = kGood;
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST_F(ConfigTest, ReadsEveryKey) {
  const TrainConfig c = load(kGood);
  EXPECT_EQ(c.output, "runs/a");
  EXPECT_EQ(c.data.tokens, "t.u16");
  EXPECT_EQ(c.data.order, "sequential");
  EXPECT_EQ(c.data.sequence_length, 64);
  EXPECT_EQ(c.sequences_per_step(), 8);
  EXPECT_EQ(c.steps, 20);
  EXPECT_DOUBLE_EQ(c.optimizer.lr, 3e-3);
  EXPECT_DOUBLE_EQ(c.optimizer.beta2, 0.95);
  EXPECT_EQ(c.schedule_name, "cosine");
  EXPECT_EQ(c.schedule.warmup_steps, 4);
  EXPECT_EQ(c.seed, 7u);
  EXPECT_EQ(c.checkpoint_keep, 3);
  EXPECT_EQ(c.model_json, R"({"hidden_size":64,"num_attention_heads":4})");
}

TEST_F(ConfigTest, OverridesReachEveryLevel) {
  const TrainConfig c =
      load(kGood, {"optimizer.lr=1e-4", "steps=5", "eval.sequences=3", "model.vocab_size=512"});
  EXPECT_DOUBLE_EQ(c.optimizer.lr, 1e-4);
  EXPECT_EQ(c.steps, 5);
  EXPECT_EQ(c.eval_sequences, 3);
  EXPECT_NE(c.model_json.find("\"vocab_size\":512"), std::string::npos);
}

TEST_F(ConfigTest, BadSettingsNameTheLineTheValueAndTheRemedy) {
  const struct {
    std::string text, message;
  } cases[] = {
      {with("warmup_steps", "warmup_step"),
       ":7: unknown key 'warmup_step' in schedule; did you mean 'warmup_steps'?"},
      {with("seed: 7", "sead: 7"), ":9: unknown key 'sead'; did you mean 'seed'?"},
      {with("steps: 20", "steps: many"), ":5: steps is 'many', expected a whole number"},
      {with("lr: 3.0e-3", "lr: fast"), ":6: optimizer.lr is 'fast', expected a number"},
      {with("lr: 3.0e-3", "lr: -1"), "optimizer.lr is -1, expected 0 to"},
      {with("betas: [0.9, 0.95]", "betas: [0.9]"), "optimizer.betas must be two numbers"},
      {with("name: adamw", "name: adam"), "optimizer.name is 'adam', expected adamw, sgd, muon"},
      {with("steps: 20", "steps: 20\nminutes: 5"), "give either steps (updates in all) or minutes"},
      {with("steps: 20\n", ""), "give either steps (updates in all) or minutes"},
      {with("tokens: t.u16", "tokens: t.u16, shards: d"), "data needs either tokens"},
      {with("output: runs/a\n", ""), "output is missing"},
      {with("model: {hidden_size: 64, num_attention_heads: 4}\n", ""), "give either init_from"},
      {with("precision: float32", "precision: float8"), "precision is 'float8', expected float32, bfloat16"},
      {with("batch: {sequences: 4, accumulate: 2}", "batch: 4"), "batch must hold keys and values"},
      {with("sequences: 4", "sequences: 0"), "batch.sequences is 0, expected at least 1"},
      {"[1, 2]", "holds no settings"},
      {"a: [1", "not YAML"},
  };
  for (const auto& c : cases)
    EXPECT_NE(error(c.text).find(c.message), std::string::npos)
        << error(c.text) << "\nexpected: " << c.message;
  EXPECT_NE(error(kGood, {"steps"}).find("--set steps: expected key=value"), std::string::npos);
  EXPECT_NE(error(kGood, {"optimiser.lr=1"}).find("unknown key 'optimiser'; did you mean 'optimizer'?"),
            std::string::npos);
}

TEST_F(ConfigTest, ChangesAreListedExceptThoseThatMayChange) {
  const Settings before = settings_of(load(kGood));
  EXPECT_TRUE(
      changed_settings(before, settings_of(load(kGood, {"output=b", "eval.every=5", "checkpoint.every=1"})))
          .empty());
  EXPECT_EQ(changed_settings(before, settings_of(load(kGood, {"optimizer.lr=1e-2", "steps=40"}))),
            (std::vector<std::string>{"steps: 20 -> 40", "optimizer.lr: 0.003 -> 0.01"}));
}

}  // namespace
}  // namespace suiren::train
