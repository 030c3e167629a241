#pragma once
// The training configuration: one YAML file, strict keys, overrides from the command line. Plain values.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "suiren/models/config.h"
#include "suiren/optim/schedule.h"

namespace suiren::train {

struct DataConfig {
  std::string tokens;  ///< one raw little-endian .u16 or .u32 file; or
  std::string shards;  ///< a folder made by `suiren data build`
  std::string order = "shuffled";
  int64_t sequence_length = 0;  ///< 0: the model's positions
};

struct OptimizerConfig {
  std::string name = "adamw";  ///< adamw, sgd, muon
  double lr = 1e-3;
  double beta1 = 0.9, beta2 = 0.95, eps = 1e-8;
  double weight_decay = 0.1;
  double grad_clip = 1.0;  ///< global L2 norm; 0: none
  double momentum = 0.95;  ///< sgd, and muon's hidden matrices
  bool nesterov = true;
};

struct TrainConfig {
  std::string output;
  std::string init_from;   ///< a model folder to start from; or
  std::string model_json;  ///< the `model` section in config.json names, as JSON text
  DataConfig data;
  int64_t sequences = 8, accumulate = 1;
  int64_t steps = 0;   ///< updates in all; or
  double minutes = 0;  ///< time for the whole run, turned into steps at the start
  OptimizerConfig optimizer;
  std::string schedule_name = "cosine";
  optim::Schedule schedule;           ///< its kind, lr and steps are filled in when the run starts
  std::string precision = "float32";  ///< or bfloat16: activations and working weights in bf16
  std::string device = "cpu";         ///< where the model lives: of the command line, not of the file
  uint64_t seed = 1;
  int64_t checkpoint_every = 0, checkpoint_keep = 2;  ///< every 0: only at the end and when stopped
  int64_t eval_every = 0, eval_sequences = 64;        ///< held-out windows for each evaluation
  int64_t sequences_per_step() const { return sequences * accumulate; }
};

/// Reads a YAML file and applies `overrides` ("optimizer.lr=1e-3"). Throws Error{kInvalid} with file and
/// line: an unknown key names the nearest known one; a wrong type names the value and what was expected.
TrainConfig load_config(const std::string& path, const std::vector<std::string>& overrides);
/// load_config of text; `name` opens the messages.
TrainConfig parse_config(std::string_view text, const std::string& name,
                         const std::vector<std::string>& overrides);

/// The settings by name, in a fixed order: for run.json, for reports, and for telling what changed.
using Settings = std::vector<std::pair<std::string, std::string>>;
Settings settings_of(const TrainConfig& c);
/// Settings that differ, "optimizer.lr: 0.001 -> 0.002", except those that may change on resume.
std::vector<std::string> changed_settings(const Settings& before, const Settings& now);

}  // namespace suiren::train
