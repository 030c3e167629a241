#include "suiren/train/profiled_steps.h"

#include "suiren/base/file.h"
#include "suiren/base/log.h"
#include "suiren/profile/roofs.h"

namespace suiren::train {

ProfiledSteps::ProfiledSteps(const ProfileOptions& options, std::string trace, const Device& device)
    : options_(options), trace_(std::move(trace)), device_(device) {
  FileWriter{trace_};  // a folder that is absent or closed is an error now, not after the steps
}

std::optional<profile::Profiler::Watch> ProfiledSteps::watch(int64_t step) {
  if (seen_++ < kFirst) return std::nullopt;
  if (!profiler_) profiler_.emplace(profile::roofs_of(device_));
  return std::optional<profile::Profiler::Watch>(std::in_place, *profiler_, step);
}

bool ProfiledSteps::complete() const { return seen_ == kFirst + options_.steps; }

void ProfiledSteps::end() {
  if (!profiler_) {
    warn("--profile: the run ended within its first {} steps, which are not looked at; nothing was written",
         kFirst);
    return;
  }
  profiler_->write_chrome_trace(trace_);
  if (options_.done) options_.done(profiler_->profile(), trace_);
}

}  // namespace suiren::train
