#include "backends/cpu/roof.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>

#include "backends/cpu/tiles.h"
#include "suiren/base/cpu.h"
#include "suiren/base/threads.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace suiren::cpu {
namespace {

using Clock = std::chrono::steady_clock;
constexpr double kSeconds = 0.15;  // per measurement

// Each loop runs `n` steps of independent chains, long enough to hide the latency, and returns the operations
// done. The empty asm keeps a register alive and its value unknown, so that no two chains are merged.
using Loop = double (*)(int64_t n);

// s[i] = step(s[i], x) for 12 chains in registers of type V; `ops` operations a lane group and step.
#define SUIREN_CHAINS(name, isa_flags, V, start, factor, step, ops)                                    \
  __attribute__((target(isa_flags))) double name(int64_t n) {                                          \
    V s[12];                                                                                           \
    const V x = (V)(factor);                                                                           \
    _Pragma("GCC unroll 12") for (int i = 0; i < 12; ++i) {                                            \
      s[i] = start;                                                                                    \
      __asm__ volatile("" : "+v"(s[i]));                                                               \
    }                                                                                                  \
    for (int64_t k = 0; k < n; ++k) _Pragma("GCC unroll 12") for (int i = 0; i < 12; ++i) s[i] = step; \
    _Pragma("GCC unroll 12") for (int i = 0; i < 12; ++i) __asm__ volatile("" : "+v"(s[i]));           \
    return static_cast<double>(n) * 12 * (ops);                                                        \
  }

#if defined(__x86_64__)
SUIREN_CHAINS(fma_avx512, "avx512f", __m512, _mm512_set1_ps(1), _mm512_set1_ps(0.5f),
              _mm512_fmadd_ps(s[i], x, x), 16 * 2)
SUIREN_CHAINS(fma_avx2, "avx2,fma", __m256, _mm256_set1_ps(1), _mm256_set1_ps(0.5f),
              _mm256_fmadd_ps(s[i], x, x), 8 * 2)
SUIREN_CHAINS(bf16_avx512, "avx512f,avx512bf16", __m512, _mm512_set1_ps(1),
              _mm512_castsi512_ps(_mm512_set1_epi32(0x3f003f00)),
              _mm512_dpbf16_ps(s[i], (__m512bh)x, (__m512bh)x), 32 * 2)
SUIREN_CHAINS(int8_avx512, "avx512f,avx512vnni", __m512i, _mm512_setzero_si512(),
              _mm512_set1_epi32(0x01010101), _mm512_dpbusd_epi32(s[i], x, x), 64 * 2)
SUIREN_CHAINS(int8_avx2, "avx2,avxvnni", __m256i, _mm256_setzero_si256(), _mm256_set1_epi32(0x01010101),
              _mm256_dpbusd_avx_epi32(s[i], x, x), 32 * 2)

__attribute__((target("amx-tile,amx-bf16"))) double bf16_amx(int64_t n) {
  const TileConfig config;
  alignas(64) static const uint8_t zeros[1024] = {};
  _tile_loadconfig(&config);
  _tile_loadd(4, zeros, 64);
  _tile_loadd(5, zeros, 64);
  _tile_loadd(6, zeros, 64);
  _tile_loadd(7, zeros, 64);
  for (int64_t k = 0; k < n; ++k) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_release();
  return static_cast<double>(n) * 4 * 16 * 16 * 32 * 2;
}

__attribute__((target("amx-tile,amx-int8"))) double int8_amx(int64_t n) {
  const TileConfig config;
  alignas(64) static const uint8_t zeros[1024] = {};
  _tile_loadconfig(&config);
  _tile_loadd(4, zeros, 64);
  _tile_loadd(5, zeros, 64);
  _tile_loadd(6, zeros, 64);
  _tile_loadd(7, zeros, 64);
  for (int64_t k = 0; k < n; ++k) {
    _tile_dpbssd(0, 4, 6);
    _tile_dpbssd(1, 4, 7);
    _tile_dpbssd(2, 5, 6);
    _tile_dpbssd(3, 5, 7);
  }
  _tile_release();
  return static_cast<double>(n) * 4 * 16 * 16 * 64 * 2;
}
#endif  // __x86_64__

typedef float V4 __attribute__((vector_size(16)));
#if defined(__x86_64__)
SUIREN_CHAINS(fma_portable, "sse2", V4, (V4{1, 1, 1, 1}), (V4{0.5f, 0.5f, 0.5f, 0.5f}), s[i] * x + x, 4 * 2)
#else
double fma_portable(int64_t n) {
  V4 s[12], x = {0.5f, 0.5f, 0.5f, 0.5f};
  for (int i = 0; i < 12; ++i) s[i] = V4{1.0f * i, 1, 1, 1};
  for (int64_t k = 0; k < n; ++k)
    for (int i = 0; i < 12; ++i) s[i] = s[i] * x + x;
  volatile float sink = 0;
  for (int i = 0; i < 12; ++i) sink = sink + s[i][0];
  return static_cast<double>(n) * 12 * 4 * 2;
}
#endif

// The best rate seen, in units of 1e9 a second; the threads start together and the slowest one counts.
double rate(Loop loop) {
  double best = 0;
  int64_t n = 20000;
  const auto deadline = Clock::now() + std::chrono::duration<double>(kSeconds);
  while (Clock::now() < deadline) {
    std::atomic<double> done{0};
    const auto start = Clock::now();
    parallel_region([&](int, int) {
      const double ops = loop(n);
      double seen = done.load();
      while (!done.compare_exchange_weak(seen, seen + ops)) {
      }
    });
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    best = std::max(best, done.load() / seconds * 1e-9);
    if (seconds < 0.003) n *= 2;  // long enough that waking the threads does not count
  }
  return best;
}

}  // namespace

double measure_fma_peak_f32() {
#if defined(__x86_64__)
  if (isa() == Isa::kAvx512) return rate(fma_avx512);
  if (isa() == Isa::kAvx2) return rate(fma_avx2);
#endif
  return rate(fma_portable);
}

double measure_bf16_peak() {
#if defined(__x86_64__)
  const CpuInfo& cpu = cpu_info();
  if (cpu.has("amx_bf16") && tiles_allowed()) return rate(bf16_amx);
  if (cpu.has("avx512_bf16")) return rate(bf16_avx512);
#endif
  return 0;
}

double measure_int8_peak() {
#if defined(__x86_64__)
  const CpuInfo& cpu = cpu_info();
  if (cpu.has("amx_int8") && tiles_allowed()) return rate(int8_amx);
  if (cpu.has("avx512_vnni")) return rate(int8_avx512);
  if (cpu.has("avx_vnni")) return rate(int8_avx2);
#endif
  return 0;
}

double measure_dram_read() {
  constexpr int64_t kWords = int64_t{192} << 20 >> 3;  // 192 MB
  const std::unique_ptr<uint64_t[]> data(new uint64_t[kWords]);
  parallel_for(kWords, 1 << 16,
               [&](int64_t begin, int64_t end) { std::memset(&data[begin], 1, (end - begin) * 8); });
  double best = 0;
  std::atomic<uint64_t> sink{0};
  const auto deadline = Clock::now() + std::chrono::duration<double>(kSeconds);
  do {
    const auto start = Clock::now();
    parallel_for(kWords, 1 << 16, [&](int64_t begin, int64_t end) {
      typedef uint64_t V __attribute__((vector_size(16), aligned(8)));
      V s0{}, s1{}, s2{}, s3{};
      int64_t i = begin;
      for (; i + 8 <= end; i += 8) {
        const V* p = reinterpret_cast<const V*>(&data[i]);
        s0 ^= p[0], s1 ^= p[1], s2 ^= p[2], s3 ^= p[3];
      }
      s0 ^= s1 ^ s2 ^ s3;
      sink += s0[0] ^ s0[1];
    });
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    best = std::max(best, kWords * 8.0 / seconds * 1e-9);
  } while (Clock::now() < deadline);
  return best;
}

double measure_dram_update() {
  constexpr int64_t kWords = int64_t{48} << 20 >> 2;  // four times 48 MB
  typedef float V __attribute__((vector_size(16), aligned(4)));
  std::unique_ptr<float[]> arrays[4];
  for (auto& a : arrays) a.reset(new float[kWords]);
  parallel_for(kWords, 1 << 16, [&](int64_t begin, int64_t end) {
    for (auto& a : arrays) std::fill(&a[begin], &a[end], 0.5f);
  });
  double best = 0;
  const auto deadline = Clock::now() + std::chrono::duration<double>(kSeconds);
  do {
    const auto start = Clock::now();
    parallel_for(kWords, 1 << 16, [&](int64_t begin, int64_t end) {
      const V half = {0.5f, 0.5f, 0.5f, 0.5f};
      for (int64_t i = begin; i + 4 <= end; i += 4) {
        const V g = *reinterpret_cast<const V*>(&arrays[3][i]) * half;
        for (int a = 0; a < 3; ++a) {
          V* p = reinterpret_cast<V*>(&arrays[a][i]);
          *p = *p * half + g;
        }
      }
    });
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    best = std::max(best, kWords * 7 * 4.0 / seconds * 1e-9);
  } while (Clock::now() < deadline);
  return best;
}

}  // namespace suiren::cpu
