// The price of one dispatch. Usage: dispatch_bench [threads]. Prints one JSON line.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "suiren/base/cpu.h"
#include "suiren/base/threads.h"
#include "suiren/suiren.h"

using namespace suiren;
using Clock = std::chrono::steady_clock;

namespace {

/// Nanoseconds of an add on one element, best of several rounds.
double add_nanoseconds(bool tape) {
  Tensor a = ones({1}), b = ones({1});
  if (tape) a.set_requires_grad();
  double best = 1e30;
  for (int round = 0; round < 20; ++round) {
    constexpr int kCalls = 20000;
    const auto start = Clock::now();
    for (int i = 0; i < kCalls; ++i) const Tensor c = a + b;
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count() / kCalls * 1e9);
  }
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) set_thread_count(std::atoi(argv[1]));
  fmt::print(R"({{"cpu": "{}", "isa": "{}", "threads": {}, "add_ns": {:.0f}, "add_with_tape_ns": {:.0f}}})"
             "\n",
             cpu_info().model, isa_name(isa()), thread_count(), add_nanoseconds(false),
             add_nanoseconds(true));
}
