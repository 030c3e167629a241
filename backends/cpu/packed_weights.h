#pragma once
// Packed copies of weights, kept between calls while their bytes stay the same. Thread-safe.

#include "backends/abi/kernel.h"

namespace suiren::cpu {

/// Drops every packed copy of what lies in `memory`: it is about to be freed.
void forget_packed(sr_memory memory);

}  // namespace suiren::cpu
