// Attention forward and backward as shares of the f32 FMA peak. Operations counted: those that the causal
// mask leaves, 2 products forward and 5 backward (scores are computed again), 2 operations a multiply-add.
//   attention_bench [threads] [rounds]

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "backends/cpu/attention/attention.h"
#include "backends/cpu/roof.h"
#include "suiren/base/threads.h"

using namespace suiren;

namespace {

double best_seconds(int rounds, int repeats, const auto& f) {
  double best = 1e9;
  for (int i = 0; i < rounds; ++i) {
    const auto start = std::chrono::steady_clock::now();
    for (int j = 0; j < repeats; ++j) f();
    best = std::min(
        best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / repeats);
  }
  return best;
}

struct Buffer {
  std::vector<float> data;
  int64_t rows, width, dim;
  Buffer(int64_t batch, int64_t rows, int64_t heads, int64_t dim)
      : data(batch * rows * heads * dim), rows(rows), width(heads * dim), dim(dim) {
    uint32_t x = 99;
    for (float& f : data) x = x * 1664525u + 1013904223u, f = static_cast<float>(x >> 8) * 0x1p-23f - 1.0f;
  }
  cpu::HeadsView<float> view() { return {data.data(), rows * width, width, dim}; }
  cpu::HeadsView<const float> read() const { return {data.data(), rows * width, width, dim}; }
};

void run(cpu::AttentionShape s, int rounds) {
  s.scale = static_cast<float>(1 / std::sqrt(double(s.head_dim)));
  Buffer q(s.batch, s.queries, s.heads, s.head_dim), out = q, dout = q, dq = q;
  Buffer k(s.batch, s.keys, s.kv_heads, s.head_dim), v = k, dk = k, dv = k;
  std::vector<float> lse(s.batch * s.heads * s.queries);
  const double pairs = double(s.batch) * s.heads * s.queries * (2 * s.keys - s.queries + 1) / 2;
  const double flops = 2 * 2 * pairs * s.head_dim;
  const int repeats = static_cast<int>(std::clamp(2e8 / flops, 1.0, 2000.0));
  const double peak = cpu::measure_fma_peak_f32();
  const double f = best_seconds(rounds, repeats, [&] {
    cpu::attention_forward(s, q.read(), k.read(), v.read(), out.view(), lse.data());
  });
  std::printf("batch %2ld queries %5ld keys %5ld heads %2ld/%2ld dim %3ld  forward %8.3f ms %5.1f%%", s.batch,
              s.queries, s.keys, s.heads, s.kv_heads, s.head_dim, f * 1e3, 100 * flops / f * 1e-9 / peak);
  if (s.queries > 1) {
    const double b = best_seconds(rounds, repeats, [&] {
      cpu::attention_backward(s, q.read(), k.read(), v.read(), out.read(), lse.data(), dout.read(), nullptr,
                              dq.view(), dk.view(), dv.view());
    });
    std::printf("  backward %8.3f ms %5.1f%%", b * 1e3, 100 * 2.5 * flops / b * 1e-9 / peak);
  } else {
    std::printf("  keys and values read at %.1f GB/s",
                8.0 * s.batch * s.keys * s.kv_heads * s.head_dim / f * 1e-9);
  }
  std::printf("  of %.0f GFLOP/s\n", peak);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) set_thread_count(std::atoi(argv[1]));
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 10;
  std::printf("threads %d  isa %s\n", thread_count(), isa_name(isa()));
  for (const cpu::AttentionShape& s :
       std::initializer_list<cpu::AttentionShape>{{1, 256, 256, 4, 4, 64, 0},
                                                  {16, 256, 256, 4, 4, 64, 0},
                                                  {4, 128, 128, 4, 4, 64, 0},
                                                  {1, 512, 512, 12, 12, 64, 0},
                                                  {1, 512, 512, 12, 4, 64, 0},
                                                  {1, 256, 256, 4, 4, 32, 0},
                                                  {1, 256, 256, 4, 4, 128, 0},
                                                  {1, 2048, 2048, 8, 2, 128, 0},
                                                  {1, 1, 256, 4, 4, 64, 0},
                                                  {1, 1, 1024, 9, 3, 64, 0},
                                                  {1, 1, 8192, 8, 4, 128, 0}})
    run(s, rounds);
}
