#pragma once
// The steps of a run that `suiren train --profile` looks at; not for callers of the library.

#include <optional>

#include "suiren/profile/profiler.h"
#include "suiren/train/trainer.h"

namespace suiren::train {

class ProfiledSteps {
 public:
  /// Throws Error{kIo} when nothing can be written at `trace`.
  ProfiledSteps(const ProfileOptions& options, std::string trace, const Device& device);
  /// To be held while a step of the session runs: it is watched unless it is one of the first two, which pay
  /// for memory and caches. The roofs are measured before the third.
  std::optional<profile::Profiler::Watch> watch(int64_t step);
  bool complete() const;  ///< all steps asked for were watched
  /// Writes the trace and hands the profile over.
  void end();

 private:
  static constexpr int64_t kFirst = 2;
  const ProfileOptions& options_;
  const std::string trace_;
  const Device device_;
  std::optional<profile::Profiler> profiler_;
  int64_t seen_ = 0;
};

}  // namespace suiren::train
