#pragma once
// Bytes that this process has allocated: from malloc where a sanitizer shows it, else from operator new.

#include <cstdint>

namespace suiren::fuzz {

int64_t memory_held();
int64_t memory_peak();  ///< the most held at once since reset_peak()
void reset_peak();

}  // namespace suiren::fuzz
