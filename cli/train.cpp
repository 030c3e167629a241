// suiren train: pretraining from a configuration file.

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "suiren/train/fallbacks.h"
#include "suiren/train/trainer.h"

namespace suiren::cli {
namespace {

struct Args {
  std::string config;
  std::vector<std::string> overrides;
  train::TrainOptions options;
  bool dry_run = false;
};

void run(Args& a, const Globals& g) {
  train::TrainConfig c = train::load_config(a.config, a.overrides);
  c.device = g.device;
  a.options.settings_file = a.config;
  if (a.dry_run) return train::describe_run(c, a.options);
  const train::TrainResult r = train::train(c, a.options);
  if (!g.json) {
    fmt::print("{}", train::fallback_table(r.fallbacks, r.seconds));
    return;
  }
  nlohmann::json j{{"output", c.output}, {"steps", r.steps}, {"already_finished", r.already_finished}};
  if (!r.already_finished) {
    j.update({{"tokens", r.tokens},
              {"loss", r.loss},
              {"seconds", r.seconds},
              {"tokens_per_second", r.tokens_per_second}});
    if (r.heldout_loss >= 0) j["heldout_loss"] = r.heldout_loss;
    for (const Fallback& f : r.fallbacks)
      j["fallbacks"].push_back({{"device", f.device},
                                {"op", f.op},
                                {"shapes", f.shapes},
                                {"where", f.where},
                                {"count", f.count},
                                {"bytes", f.bytes},
                                {"ms", f.milliseconds},
                                {"share", f.milliseconds / (1000 * r.seconds)},
                                {"reason", f.reason}});
  }
  fmt::print("{}\n", j.dump());
}

constexpr const char* kExample = R"(  suiren train --config run.yaml
  suiren train --config run.yaml --set optimizer.lr=1e-3 --set output=runs/b
  suiren train --config run.yaml --dry-run

A configuration (paths are relative to the working directory):
  output: runs/first
  model: {hidden_size: 256, num_hidden_layers: 6, num_attention_heads: 4, num_key_value_heads: 4,
          intermediate_size: 704, vocab_size: 8192, max_position_embeddings: 256, tie_word_embeddings: true}
  data: {shards: data/corpus, order: shuffled, sequence_length: 256}      # or {tokens: FILE.u16}
  batch: {sequences: 16, accumulate: 1}
  steps: 2000                                                             # or minutes: 30
  optimizer: {name: adamw, lr: 2.0e-3, betas: [0.9, 0.95], weight_decay: 0.1, grad_clip: 1.0}   # adamw, muon, sgd
  schedule: {name: cosine, warmup_steps: 50, final_ratio: 0.1}            # cosine, wsd, constant
  precision: float32                                                      # or bfloat16, on a CPU with bf16 units
  seed: 1
  checkpoint: {every: 100, keep: 2}
  eval: {every: 200})";

}  // namespace

void add_train(CLI::App& app, Globals& g) {
  static Args a;
  CLI::App* c = add_command(
      app, "train", "train a model from a configuration; goes on by itself after an interruption", kExample);
  c->add_option("--config", a.config, "YAML file")->required();
  c->add_option("--set", a.overrides, "override a key: --set key.sub=value (may be repeated)")->take_all();
  c->add_option("--resume", a.options.resume, "auto, never, a run, or a checkpoint")->capture_default_str();
  c->add_flag("--dry-run", a.dry_run, "print model, tokens, memory and time; write nothing");
  c->callback([&g] { g.run = [&g] { run(a, g); }; });
}

}  // namespace suiren::cli
