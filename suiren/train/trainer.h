#pragma once
// Pretraining: from a configuration to a run directory. One call at a time in a process.

#include <functional>
#include <string>
#include <vector>

#include "suiren/core/dispatch.h"
#include "suiren/profile/profiler.h"
#include "suiren/train/config.h"

namespace suiren::train {

/// Steps to look at, after the first two of this session: data, forward, backward and update; the log,
/// evaluation and checkpoints are not of a step.
struct ProfileOptions {
  bool on = false;
  std::string trace;   ///< where the Chrome trace goes; empty: profile.json in the run's folder
  int64_t steps = 10;  ///< fewer when the run ends before
  /// Called once, when the last of them is done or the run ends, after the trace was written.
  std::function<void(const profile::Profile&, const std::string& trace)> done;
};

struct TrainOptions {
  std::string resume = "auto";  ///< auto, never, or the path of a run or of one checkpoint
  std::string settings_file;    ///< the YAML file, kept beside the run for the person who finds it
  double roof_gflops = 0;       ///< the machine's measured f32 peak; 0: measured here
  ProfileOptions profile;
};

struct TrainResult {
  bool already_finished = false;
  int64_t steps = 0, tokens = 0;
  double loss = 0;           ///< of the last step, nats a token
  double heldout_loss = -1;  ///< of the last evaluation; negative: none
  double seconds = 0, tokens_per_second = 0;
  std::vector<Fallback> fallbacks;  ///< what the device did not run itself, the longest first
};

/// Runs, or goes on with, a training run. The unit of work is one sequence: gradients are summed over the
/// sequences of a step in their order, so that the weights do not depend on threads, nor on how a step is
/// split into batch x accumulate.
///
/// Throws Error{kInterrupted} after saving when SIGINT or SIGTERM came; {kNumeric} naming step and sequences
/// when the loss or the gradient is not finite (the last good checkpoint stays); {kInvalid} for bad settings,
/// data or folders.
TrainResult train(const TrainConfig& config, const TrainOptions& options);

/// Prints what train() would do: model, tokens, memory, time.
void describe_run(const TrainConfig& config, const TrainOptions& options);

/// Seconds that one step takes here, measured over a few steps on a throw-away copy of the model.
double measure_step_seconds(const TrainConfig& config);

/// "AMD EPYC 9654, 2 threads, avx512".
std::string machine_line();

}  // namespace suiren::train
