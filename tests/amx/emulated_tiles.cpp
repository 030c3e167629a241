// The AMX kernels with each tile instruction as a loop over the manual's pseudocode (Intel Architectures
// Software Developer's Manual, volume 2): in this executable they stand in for the library's.

#include <immintrin.h>

#include <cmath>
#include <cstdint>
#include <cstring>

#include "suiren/base/dtype.h"

namespace {

struct Tile {
  alignas(64) unsigned char row[16][64];
};
thread_local Tile tiles[8];
thread_local bool configured = false;

float flushed(float x) { return std::fabs(x) < 0x1p-126f ? std::copysign(0.0f, x) : x; }
float number(const Tile& t, int row, int i) {
  suiren::bfloat16 x;
  std::memcpy(&x.bits, &t.row[row][2 * i], 2);
  return flushed(x);
}
Tile& tile(int i) {
  if (!configured) __builtin_trap();  // as the instruction would
  return tiles[i];
}
void zero(int i) { tile(i) = {}; }
void load(int i, const void* from, int64_t stride) {
  for (int r = 0; r < 16; ++r) std::memcpy(tile(i).row[r], static_cast<const char*>(from) + r * stride, 64);
}
void store(int i, void* to, int64_t stride) {
  for (int r = 0; r < 16; ++r) std::memcpy(static_cast<char*>(to) + r * stride, tile(i).row[r], 64);
}
void multiply_add(int c, int a, int b) {
  for (int m = 0; m < 16; ++m)
    for (int n = 0; n < 16; ++n) {
      float even = 0, odd = 0, sum;
      for (int k = 0; k < 16; ++k) {
        even = flushed(std::fma(number(tile(a), m, 2 * k), number(tile(b), k, 2 * n), even));
        odd = flushed(std::fma(number(tile(a), m, 2 * k + 1), number(tile(b), k, 2 * n + 1), odd));
      }
      std::memcpy(&sum, &tile(c).row[m][4 * n], 4);
      sum = flushed(sum + flushed(even + odd));
      std::memcpy(&tile(c).row[m][4 * n], &sum, 4);
    }
}
// Unsigned by signed bytes, summed modulo 2^32.
void multiply_add_bytes(int c, int a, int b) {
  for (int m = 0; m < 16; ++m)
    for (int n = 0; n < 16; ++n) {
      uint32_t sum;
      std::memcpy(&sum, &tile(c).row[m][4 * n], 4);
      for (int k = 0; k < 64; ++k)
        sum += static_cast<uint32_t>(tile(a).row[m][k] *
                                     static_cast<signed char>(tile(b).row[k / 4][4 * n + k % 4]));
      std::memcpy(&tile(c).row[m][4 * n], &sum, 4);
    }
}

}  // namespace

#undef _tile_zero
#undef _tile_loadd
#undef _tile_stored
#undef _tile_dpbf16ps
#undef _tile_dpbusd
#define _tile_zero zero
#define _tile_loadd load
#define _tile_stored store
#define _tile_dpbf16ps multiply_add
#define _tile_dpbusd multiply_add_bytes
#define _tile_loadconfig(config) ((void)(config), configured = true)
#define _tile_release() (configured = false)
#include "backends/cpu/gemm/gemm_amx.cpp"
