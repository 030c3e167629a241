#pragma once
// A run's folder: its lock, its log, its record of what was asked for. One process writes it at a time.

#include <cstdint>
#include <fstream>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "suiren/train/config.h"

namespace suiren::train {

/// What run.json holds: the settings, and what was fixed when the run began.
struct RunRecord {
  Settings settings;
  int64_t steps = 0;  ///< updates in all; from `minutes` it is measured once and kept here
  int64_t sequence_length = 0;
  int64_t parameters = 0;
  std::string data_digest;  ///< of the tokens or the shards' index
  std::string machine;      ///< "AMD EPYC ..., 2 threads, avx512"
  double roof_gflops = 0;
  bool finished = false;
};

/// Holds the lock on a run's folder while it lives; the lock dies with the process.
class RunDirectory {
 public:
  /// Creates the folder when it is absent. Throws Error{kInvalid} when another process writes there.
  explicit RunDirectory(const std::string& path);
  ~RunDirectory();
  RunDirectory(const RunDirectory&) = delete;
  RunDirectory& operator=(const RunDirectory&) = delete;
  const std::string& path() const { return path_; }
  bool has_run() const;  ///< run.json is there
  RunRecord read_record() const;
  void write_record(const RunRecord& record) const;

 private:
  std::string path_;
  int lock_ = -1;
};

/// A line of the log.
struct LogRow {
  int64_t step = 0;  ///< 0-based
  double loss = 0, grad_norm = 0, lr = 0;
  int64_t tokens = 0;  ///< cumulative
  double tokens_per_second = 0;
  double heldout_loss = -1;  ///< negative: not evaluated at this step
};

/// OUTPUT/log.jsonl: an object a step.
class LogFile {
 public:
  /// Opens for appending, after cutting the log back to rows with step < `steps`.
  LogFile(const std::string& path, int64_t steps);
  void append(const LogRow& row);

 private:
  std::ofstream out_;
  std::string path_;
};
/// All rows of a log; lines that are not whole (a crash) are passed over.
std::vector<LogRow> read_log(const std::string& path);

}  // namespace suiren::train
