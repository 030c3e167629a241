#pragma once
// What this machine can do at best, measured in well under a second: the roofs that figures are compared
// with. Each call runs on all threads of the pool (suiren/base/threads.h); the machine should be idle.

namespace suiren::cpu {

/// Fused multiply-adds (multiply and add, on a CPU without them) from registers, f32, at the chosen ISA
/// level. GFLOP/s.
double measure_fma_peak_f32();
/// bf16 products with f32 sums: AMX, else AVX512-BF16. GFLOP/s; 0 when the CPU has neither.
double measure_bf16_peak();
/// 8-bit integer products with 32-bit sums: AMX, else AVX512-VNNI or AVX-VNNI. Gop/s; 0 when the CPU has
/// none.
double measure_int8_peak();
/// Reading memory far larger than the caches. GB/s.
double measure_dram_read();
/// Updating memory as an optimizer does: of four arrays far larger than the caches all are read and three
/// written. GB/s, reads and writes together.
double measure_dram_update();

}  // namespace suiren::cpu
