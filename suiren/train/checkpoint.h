#pragma once
// Checkpoints: a folder with all that resuming needs, whole or not at all, every byte under a digest.
// One writer at a time (the run directory's lock); readers may be many.
//
//   step-000010/model.safetensors, optimizer.safetensors   tensors
//               state.json                                  step, data position, counters, settings
//               manifest.json                               sizes and SHA-256 of each file, header and tensor
//               manifest.sha256                             digest of manifest.json

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "suiren/core/tensor.h"

namespace suiren::train {

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

struct Checkpoint {
  int64_t step = 0;  ///< updates done: the state after `step` of them
  NamedTensors model, optimizer;
  std::string state;  ///< JSON text, the trainer's own
};

/// "checkpoints/step-000010" under `run`.
std::string checkpoint_path(const std::string& run, int64_t step);

/// Writes `run`/checkpoints/step-NNNNNN: beside itself, digested, synced, then renamed; a crash at any moment
/// leaves the old checkpoints and either none or all of the new one. Throws Error{kIo} when the disk is full,
/// with what was written removed. Then deletes all but the newest `keep`.
void save_checkpoint(const std::string& run, const Checkpoint& checkpoint, int64_t keep);

/// Reads and verifies one checkpoint folder. Throws Error{kInvalid} naming the file, and the tensor, that is
/// damaged.
Checkpoint load_checkpoint(const std::string& folder);

/// Steps for which `run` holds a folder named step-NNNNNN, ascending; whole or not.
std::vector<int64_t> list_checkpoints(const std::string& run);

/// The newest checkpoint of `run` that is whole. Each damaged one that is passed over is reported through
/// warn().
std::optional<Checkpoint> load_latest(const std::string& run);

}  // namespace suiren::train
