// Matrix products of training and of n = 1024, 2048 as shares of the f32 FMA peak measured beside each of
// them.
//   gemm_bench [threads] [rounds]

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "backends/cpu/gemm/gemm.h"
#include "backends/cpu/roof.h"
#include "suiren/base/philox.h"
#include "suiren/base/threads.h"

using namespace suiren;

namespace {

struct Case {
  const char* what;
  int64_t m, n, k;
  bool a_transposed, b_transposed, accumulate, packed;
};

double seconds_of(const auto& f) {
  const auto start = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::vector<float> numbers(int64_t n) {
  std::vector<float> v(n);
  uint32_t x = 12345;
  for (float& f : v) x = x * 1664525u + 1013904223u, f = static_cast<float>(x >> 8) * 0x1p-24f - 0.5f;
  return v;
}

void run(const Case& c, int rounds) {
  const auto a = numbers(c.m * c.k), b = numbers(c.k * c.n);
  std::vector<float> out(c.m * c.n, 0.0f);
  const cpu::MatrixView<float> av = c.a_transposed ? cpu::MatrixView<float>{a.data(), c.m, c.k, 1, c.m}
                                                   : cpu::MatrixView<float>{a.data(), c.m, c.k, c.k, 1};
  const cpu::MatrixView<float> bv = c.b_transposed ? cpu::MatrixView<float>{b.data(), c.k, c.n, 1, c.k}
                                                   : cpu::MatrixView<float>{b.data(), c.k, c.n, c.n, 1};
  cpu::PackedB packed;
  if (c.packed) packed = cpu::PackedB(bv);
  cpu::GemmOptions options;
  options.accumulate = c.accumulate;
  if (c.packed) options.packed = &packed;
  const double flops = 2.0 * c.m * c.n * c.k;
  const int repeats = static_cast<int>(std::clamp(4e8 / flops, 1.0, 2000.0));
  double best = 1e9, peak = 0;
  for (int round = 0; round < rounds; ++round) {
    if (round % 4 == 0) peak = std::max(peak, cpu::measure_fma_peak_f32());
    best = std::min(best, seconds_of([&] {
                            for (int i = 0; i < repeats; ++i) cpu::gemm(av, bv, out.data(), c.n, options);
                          }) / repeats);
  }
  std::printf("%-28s m %5ld n %5ld k %5ld %s%s%s%s  %8.3f ms %8.1f GFLOP/s  %5.1f%% of %.0f\n", c.what, c.m,
              c.n, c.k, c.a_transposed ? "At" : "A ", c.b_transposed ? "Bt" : "B ", c.accumulate ? "+" : " ",
              c.packed ? "p" : " ", best * 1e3, flops / best * 1e-9, 100 * flops / best * 1e-9 / peak, peak);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) set_thread_count(std::atoi(argv[1]));
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 12;
  std::printf("threads %d  isa %s  f32 %.0f GFLOP/s  bf16 %.0f  int8 %.0f  memory %.1f GB/s\n",
              thread_count(), isa_name(isa()), cpu::measure_fma_peak_f32(), cpu::measure_bf16_peak(),
              cpu::measure_int8_peak(), cpu::measure_dram_read());
  const Case cases[] = {
      {"square", 1024, 1024, 1024, false, false, false, false},
      {"square", 2048, 2048, 2048, false, false, false, false},
      {"square, B transposed", 1024, 1024, 1024, false, true, false, false},
      {"qkv", 256, 768, 256, false, true, false, true},
      {"qkv", 256, 768, 256, false, true, false, false},
      {"projection", 256, 256, 256, false, true, false, true},
      {"gate, up", 256, 1408, 256, false, true, false, true},
      {"down", 256, 256, 704, false, true, false, true},
      {"down", 256, 256, 704, false, true, false, false},
      {"logits", 256, 8192, 256, false, true, false, true},
      {"logits", 256, 8192, 256, false, true, false, false},
      {"dx of logits", 256, 256, 8192, false, false, false, true},
      {"dx of logits", 256, 256, 8192, false, false, false, false},
      {"dw of qkv", 768, 256, 256, true, false, true, false},
      {"dw of qkv, both transposed", 768, 256, 256, true, true, true, false},
      {"dw of logits", 8192, 256, 256, true, false, true, false},
      {"long batch", 4096, 768, 256, false, true, false, true},
      {"long batch", 4096, 256, 704, false, true, false, true},
      {"decode", 1, 768, 256, false, true, false, true},
      {"decode", 1, 8192, 256, false, true, false, true},
      {"decode", 1, 4096, 4096, false, true, false, true},
      {"decode", 1, 4096, 4096, false, true, false, false},
      {"decode", 1, 4096, 4096, false, false, false, false},
      {"decode 4", 4, 4096, 4096, false, true, false, true},
      {"decode 8", 8, 4096, 4096, false, true, false, true},
  };
  for (const Case& c : cases) run(c, rounds);
}
