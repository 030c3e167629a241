#pragma once
// What machine this is. Read once; safe to call from any thread.

#include <cstdint>
#include <string>
#include <vector>

namespace suiren {

/// Instruction-set levels that kernels are written for. kAvx512 is F+BW+DQ+VL+CD (Skylake-X, Zen 4).
enum class Isa { kPortable, kAvx2, kAvx512 };

/// The best level that this CPU and operating system support, or the lower one that SUIREN_ISA
/// (portable | avx2 | avx512) asks for. Throws Error{kInvalid} for an unknown or unavailable name.
Isa isa();
const char* isa_name(Isa isa);

struct CpuInfo {
  std::string model;  ///< "AMD EPYC ...", as the kernel reports it
  std::vector<std::string>
      features;  ///< of: avx2 fma avx512f avx512_bf16 avx512_vnni avx_vnni amx_tile amx_bf16 amx_int8
  int cpus = 1;  ///< that this process may use
  int64_t memory_total = 0;  ///< bytes; the smaller of physical memory and the cgroup limit
  bool has(const std::string& feature) const;
};
const CpuInfo& cpu_info();

/// Bytes that this process can still take before the machine or its cgroup runs out.
int64_t memory_available();
/// Bytes of physical memory this process holds now, and the most it has held.
int64_t memory_resident();
int64_t memory_peak();

}  // namespace suiren
