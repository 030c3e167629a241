#pragma once
// The ledger of fallbacks as a person reads it. Pure.

#include <span>
#include <string>

#include "suiren/core/dispatch.h"

namespace suiren::train {

/// A table of the ops that a device did not run itself, the costliest first: op, shapes, calls, bytes copied,
/// milliseconds, share of `seconds`, and the reason. At most `most` rows, then one for the rest. Empty text
/// for none.
std::string fallback_table(std::span<const Fallback> rows, double seconds, size_t most = 20);

}  // namespace suiren::train
