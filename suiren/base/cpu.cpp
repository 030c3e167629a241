#include "suiren/base/cpu.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string_view>

#include "suiren/base/error.h"
#include "suiren/base/threads.h"

namespace suiren {
namespace {

Isa best_isa() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  unsigned a = 0, b = 0, c = 0, d = 0;  // clang's __builtin_cpu_supports does not know f16c
  const bool f16c = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && f16c;
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512cd");
  return avx512 ? Isa::kAvx512 : avx2 ? Isa::kAvx2 : Isa::kPortable;
#else
  return Isa::kPortable;
#endif
}

// "MemTotal:  1234 kB" -> bytes; 0 when the field is absent.
int64_t kilobytes(const char* file, std::string_view field) {
  std::ifstream f(file);
  for (std::string line; std::getline(f, line);)
    if (line.starts_with(field)) return std::strtoll(line.c_str() + field.size() + 1, nullptr, 10) * 1024;
  return 0;
}

int64_t meminfo(std::string_view field) { return kilobytes("/proc/meminfo", field); }

int64_t read_number(const char* path) {
  std::ifstream f(path);
  int64_t n = 0;
  return f >> n ? n : -1;  // "max" is no number: no limit
}

int64_t cgroup_limit() {
  const int64_t v2 = read_number("/sys/fs/cgroup/memory.max");
  return v2 >= 0 ? v2 : read_number("/sys/fs/cgroup/memory/memory.limit_in_bytes");
}

int64_t cgroup_used() {
  const int64_t v2 = read_number("/sys/fs/cgroup/memory.current");
  return v2 >= 0 ? v2 : read_number("/sys/fs/cgroup/memory/memory.usage_in_bytes");
}

CpuInfo read_cpu_info() {
  CpuInfo info;
  std::ifstream f("/proc/cpuinfo");
  std::string flags;
  for (std::string line; std::getline(f, line);) {
    const auto colon = line.find(": ");
    if (colon == std::string::npos) continue;
    if (info.model.empty() && line.starts_with("model name")) info.model = line.substr(colon + 2);
    if (flags.empty() && line.starts_with("flags")) flags = line.substr(colon + 1) + " ";
  }
  if (info.model.empty()) info.model = "unknown CPU";
  for (const char* name : {"avx2", "fma", "avx512f", "avx512_bf16", "avx512_vnni", "avx_vnni", "amx_tile",
                           "amx_bf16", "amx_int8"})
    if (flags.find(" " + std::string(name) + " ") != std::string::npos) info.features.push_back(name);
  info.cpus = available_cpus();
  info.memory_total = meminfo("MemTotal");
  if (const int64_t limit = cgroup_limit(); limit > 0) info.memory_total = std::min(info.memory_total, limit);
  return info;
}

}  // namespace

const char* isa_name(Isa isa) {
  return isa == Isa::kAvx512 ? "avx512" : isa == Isa::kAvx2 ? "avx2" : "portable";
}

Isa isa() {
  static const Isa chosen = [] {
    const Isa best = best_isa();
    const char* wish = std::getenv("SUIREN_ISA");
    if (!wish || !*wish) return best;
    for (Isa level : {Isa::kPortable, Isa::kAvx2, Isa::kAvx512})
      if (std::string_view(wish) == isa_name(level)) {
        SR_CHECK(level <= best, "SUIREN_ISA is {}, but this CPU offers {} at most", wish, isa_name(best));
        return level;
      }
    fail(ErrorCode::kInvalid, "SUIREN_ISA is '{}', expected portable, avx2 or avx512", wish);
  }();
  return chosen;
}

bool CpuInfo::has(const std::string& feature) const {
  return std::find(features.begin(), features.end(), feature) != features.end();
}

const CpuInfo& cpu_info() {
  static const CpuInfo info = read_cpu_info();
  return info;
}

int64_t memory_available() {
  int64_t available = meminfo("MemAvailable");
  const int64_t limit = cgroup_limit(), used = cgroup_used();
  if (limit > 0 && used >= 0) available = std::min(available, std::max<int64_t>(limit - used, 0));
  return available;
}

int64_t memory_resident() {
  std::ifstream f("/proc/self/statm");
  int64_t total = 0, resident = 0;
  f >> total >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

int64_t memory_peak() {
  return kilobytes("/proc/self/status", "VmHWM");  // getrusage counts the program that started this one too
}

}  // namespace suiren
