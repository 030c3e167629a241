// Matrix products of training and of n = 1024, 1536, 2048 as shares of the peak measured beside each of them:
// fused multiply-adds in f32, the bf16 units for bf16. The peak is taken before, between and after the
// rounds; "moved" says by how much it differed. With one thread, times are of the thread's own CPU clock.
//   gemm_bench [threads] [rounds] [f32 | bf16 | all] [part of a name]

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <type_traits>
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

double now() {
  if (thread_count() > 1)
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

template <class T>
std::vector<T> numbers(int64_t n) {
  std::vector<T> v(n);
  uint32_t x = 12345;
  for (T& f : v) x = x * 1664525u + 1013904223u, f = T(static_cast<float>(x >> 8) * 0x1p-24f - 0.5f);
  return v;
}

struct Peak {
  double least = 1e30, most = 0;
  template <class T>
  void measure() {
    const double now = std::is_same_v<T, float> ? cpu::measure_fma_peak_f32() : cpu::measure_bf16_peak();
    least = std::min(least, now), most = std::max(most, now);
  }
};

// Operands of type T, results of type R.
template <class T, class R = T>
void run(const Case& c, int rounds) {
  const auto a = numbers<T>(c.m * c.k), b = numbers<T>(c.k * c.n);
  std::vector<R> out(c.m * c.n, R(0.0f));
  using View = cpu::MatrixView<T>;
  const View av = c.a_transposed ? View{a.data(), c.m, c.k, 1, c.m} : View{a.data(), c.m, c.k, c.k, 1};
  const View bv = c.b_transposed ? View{b.data(), c.k, c.n, 1, c.k} : View{b.data(), c.k, c.n, c.n, 1};
  cpu::PackedB packed;
  if (c.packed) packed = cpu::PackedB(bv);
  cpu::GemmOptions options;
  options.accumulate = c.accumulate;
  if (c.packed) options.packed = &packed;
  const double flops = 2.0 * c.m * c.n * c.k;
  const int repeats = static_cast<int>(std::clamp(4e8 / flops, 1.0, 2000.0));
  double best = 1e9;
  Peak peak;
  for (int round = 0; round < rounds; ++round) {
    if (round % 4 == 0) peak.measure<T>();
    const double start = now();
    for (int i = 0; i < repeats; ++i) cpu::gemm(av, bv, out.data(), c.n, options);
    best = std::min(best, (now() - start) / repeats);
  }
  peak.measure<T>();
  const double rate = flops / best * 1e-9;
  std::printf(
      "%-28s %s m %5ld n %5ld k %5ld %s%s%s%s  %8.3f ms %8.1f GFLOP/s  %5.1f%% of %.0f (moved %.0f%%)\n",
      c.what, std::is_same_v<T, R> ? sizeof(T) == 4 ? "f32   " : "bf16  " : "to f32", c.m, c.n, c.k,
      c.a_transposed ? "At" : "A ", c.b_transposed ? "Bt" : "B ", c.accumulate ? "+" : " ",
      c.packed ? "p" : " ", best * 1e3, rate, 100 * rate / peak.most, peak.most,
      100 * (1 - peak.least / peak.most));
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) set_thread_count(std::atoi(argv[1]));
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 12;
  const double bf16_peak = cpu::measure_bf16_peak();
  std::printf("threads %d  isa %s  f32 %.0f GFLOP/s  bf16 %.0f  int8 %.0f  memory %.1f GB/s\n",
              thread_count(), isa_name(isa()), cpu::measure_fma_peak_f32(), bf16_peak,
              cpu::measure_int8_peak(), cpu::measure_dram_read());
  const Case cases[] = {
      {"square", 1024, 1024, 1024, false, false, false, false},
      {"square", 1536, 1536, 1536, false, false, false, false},
      {"square", 2048, 2048, 2048, false, false, false, false},
      {"square, B transposed", 1024, 1024, 1024, false, true, false, false},
      {"long, qkv", 4096, 768, 256, false, true, false, true},
      {"long, dx of qkv", 4096, 256, 768, false, false, false, true},
      {"long, dw of qkv", 768, 256, 4096, true, false, true, false},
      {"long, down", 4096, 256, 704, false, true, false, true},
      {"long, dx of down", 4096, 704, 256, false, false, false, true},
      {"long, dw of down", 256, 704, 4096, true, false, true, false},
      {"long, logits", 4096, 8192, 256, false, true, false, true},
      {"long, dx of logits", 4096, 256, 8192, false, false, false, true},
      {"long, dw of logits", 8192, 256, 4096, true, false, true, false},
      {"wide k", 256, 768, 4096, false, false, false, false},
      {"wide k, B transposed", 256, 768, 4096, false, true, false, false},
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
      {"decode", 1, 768, 256, false, true, false, true},
      {"decode", 1, 8192, 256, false, true, false, true},
      {"decode", 1, 4096, 4096, false, true, false, true},
      {"decode", 1, 4096, 4096, false, true, false, false},
      {"decode", 1, 4096, 4096, false, false, false, false},
      {"decode 4", 4, 4096, 4096, false, true, false, true},
      {"decode 8", 8, 4096, 4096, false, true, false, true},
  };
  const std::string type = argc > 3 ? argv[3] : "all", part = argc > 4 ? argv[4] : "";
  for (const Case& c : cases) {
    if (std::string(c.what).find(part) == std::string::npos) continue;
    if (type != "bf16") run<float>(c, rounds);
    if (type == "f32" || bf16_peak == 0) continue;
    if (c.accumulate)  // gradients are summed in f32
      run<bfloat16, float>(c, rounds);
    else
      run<bfloat16>(c, rounds);
  }
}
