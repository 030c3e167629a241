#pragma once
// A profile as a person reads it. Pure.

#include <string>

#include "suiren/profile/profiler.h"

namespace suiren::profile {

/// Two tables at most 100 columns wide, times a step: the ops (calls, ms, GFLOP/s or GB/s by what bounds
/// them, percent of that roof, percent of the step), then the costliest calls by shape. At most `most` rows
/// each; what is left out and what no op accounts for have a row. A figure whose roof is not known is left
/// empty.
std::string profile_table(const Profile& profile, size_t most = 16);

}  // namespace suiren::profile
