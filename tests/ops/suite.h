#pragma once
// The op suite: every op of the registry, tested on its own samples. Nothing here knows a particular op.
// One process, one thread of tests.

#include <cstdint>
#include <ostream>

#include "suiren/conform/harness.h"

namespace suiren {
/// How a parameter is named where a test fails.
inline void PrintTo(const OpInfo* op, std::ostream* to) { *to << op->name; }
}  // namespace suiren

namespace suiren::suite {

using namespace conform;

/// What ran, over the whole program; printed at its end.
struct Totals {
  int64_t cases = 0, elements = 0, gradients = 0, second_order = 0, special = 0, errors = 0, refused = 0,
          threads = 0, chip = 0;
};
inline Totals& totals() {
  static Totals t;
  return t;
}

}  // namespace suiren::suite
