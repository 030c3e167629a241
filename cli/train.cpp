// suiren train: pretraining from a configuration file.

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "suiren/profile/table.h"
#include "suiren/train/fallbacks.h"
#include "suiren/train/progress.h"
#include "suiren/train/trainer.h"

namespace suiren::cli {
namespace {

struct Args {
  std::string config;
  std::vector<std::string> overrides;
  train::TrainOptions options;
  bool dry_run = false;
};

nlohmann::json profile_json(const profile::Profile& p, const std::string& trace) {
  nlohmann::json j{{"trace", trace},
                   {"steps", p.steps},
                   {"seconds", p.seconds},
                   {"outside_ops_seconds", p.outside_ops()},
                   {"events", p.events},
                   {"events_left_out", p.events_left_out},
                   {"ops", nlohmann::json::array()}};
  for (const profile::Row& r : p.by_op())
    j["ops"].push_back({{"op", r.op},
                        {"calls", r.calls},
                        {"seconds", r.seconds},
                        {"flops", r.flops},
                        {"bytes", r.bytes},
                        {"roof_seconds", r.roof_seconds}});
  return j;
}

void print_profile(const profile::Profile& p, const std::string& trace) {
  const std::string cut =
      p.events_left_out > 0 ? fmt::format(", {} more left out", train::format_count(p.events_left_out)) : "";
  fmt::print("{}\ntrace {} · {} calls{}; chrome://tracing and ui.perfetto.dev show it\n",
             profile::profile_table(p), trace, train::format_count(p.events), cut);
  std::fflush(stdout);
}

void run(Args& a, const Globals& g) {
  train::TrainConfig c = train::load_config(a.config, a.overrides);
  c.device = g.device;
  a.options.settings_file = a.config;
  if (a.dry_run) return train::describe_run(c, a.options);
  nlohmann::json profile;
  a.options.profile.done = [&](const profile::Profile& p, const std::string& trace) {
    if (g.json)
      profile = profile_json(p, trace);
    else
      print_profile(p, trace);
  };
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
  if (!profile.is_null()) j["profile"] = profile;
  fmt::print("{}\n", j.dump());
}

constexpr const char* kExample = R"(  suiren train --config run.yaml
  suiren train --config run.yaml --set optimizer.lr=1e-3 --set output=runs/b
  suiren train --config run.yaml --dry-run
  suiren train --config run.yaml --profile                                # where the time of steps 2 to 11 goes
  suiren train --config run.yaml --profile trace.json --profile-steps 3

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
  CLI::Option* profile =
      c->add_option("--profile", a.options.profile.trace,
                    "time every op of some steps: a table here, each call in a Chrome trace "
                    "(default FILE: profile.json in the output)")
          ->expected(0, 1)
          ->type_name("[FILE]");
  c->add_option("--profile-steps", a.options.profile.steps, "how many, after the first two")
      ->needs(profile)
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  c->callback([&g, profile] {
    a.options.profile.on = profile->count() > 0;
    g.run = [&g] { run(a, g); };
  });
}

}  // namespace suiren::cli
