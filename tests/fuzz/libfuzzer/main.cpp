// The entry that libFuzzer calls; one target is linked beside it.

#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace suiren::fuzz;
  if (const std::string wrong = check(*targets().front(), {data, size}); !wrong.empty()) broken(wrong);
  return 0;
}
