// Matrix products through the public op, as a share of the FMA peak measured in the same process, and the
// price of one dispatch. Usage: core_bench [threads]. Prints one JSON line.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "backends/cpu/roof.h"
#include "suiren/base/cpu.h"
#include "suiren/base/threads.h"
#include "suiren/suiren.h"

using namespace suiren;
using Clock = std::chrono::steady_clock;

namespace {

double seconds(Clock::time_point from) { return std::chrono::duration<double>(Clock::now() - from).count(); }

/// GFLOP/s of an n x n product on random data, best of several.
double matmul_rate(int64_t n) {
  const Tensor a = normal({n, n}, 0, 1, 1, 0), b = normal({n, n}, 0, 1, 2, 0);
  double best = 1e30;
  const auto begin = Clock::now();
  for (int i = 0; i < 5 || seconds(begin) < 2; ++i) {
    const auto start = Clock::now();
    const Tensor c = matmul(a, b);
    best = std::min(best, seconds(start));
  }
  return 2.0 * static_cast<double>(n * n * n) / best / 1e9;
}

/// Nanoseconds of an add on one element, best of several rounds.
double add_nanoseconds(bool tape) {
  Tensor a = ones({1}), b = ones({1});
  if (tape) a.set_requires_grad();
  double best = 1e30;
  for (int round = 0; round < 20; ++round) {
    constexpr int kCalls = 20000;
    const auto start = Clock::now();
    for (int i = 0; i < kCalls; ++i) const Tensor c = a + b;
    best = std::min(best, seconds(start) / kCalls * 1e9);
  }
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) set_thread_count(std::atoi(argv[1]));
  const double before = cpu::measure_fma_peak_f32();
  const double r1024 = matmul_rate(1024), r2048 = matmul_rate(2048);
  const double after = cpu::measure_fma_peak_f32(), peak = std::max(before, after);
  fmt::print(
      R"({{"cpu": "{}", "isa": "{}", "threads": {}, "peak_gflops": {:.1f}, "peak_gflops_before": {:.1f}, )"
      R"("matmul_1024_gflops": {:.1f}, "matmul_1024_share": {:.3f}, "matmul_2048_gflops": {:.1f}, "matmul_2048_share": {:.3f}, )"
      R"("add_ns": {:.0f}, "add_with_tape_ns": {:.0f}}})"
      "\n",
      cpu_info().model, isa_name(isa()), thread_count(), peak, before, r1024, r1024 / peak, r2048,
      r2048 / peak, add_nanoseconds(false), add_nanoseconds(true));
}
