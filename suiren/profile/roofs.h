#pragma once
// The roofs of a device, for a profile: the CPU's are measured, another chip's are what it says of itself.

#include "suiren/profile/cost.h"

namespace suiren::profile {

/// Takes up to a second on the CPU, with all threads; the machine should be idle. float16 and, on a CPU
/// without a bf16 unit, bfloat16 are held against the f32 peak that their arithmetic uses.
Roofs roofs_of(const Device& device);

}  // namespace suiren::profile
