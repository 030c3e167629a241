#include "suiren/profile/roofs.h"

#include "backends/cpu/roof.h"
#include "suiren/core/backend.h"

namespace suiren::profile {

Roofs roofs_of(const Device& device) {
  Roofs r;
  if (!device.is_cpu()) {
    const sr_device_info& info = device.context().info();
    for (size_t i = 0; i < r.flops.size(); ++i) r.flops[i] = info.peak_flops[i];
    r.read = r.update = info.bandwidth;
    return r;
  }
  const double f32 = 1e9 * cpu::measure_fma_peak_f32(), bf16 = 1e9 * cpu::measure_bf16_peak();
  r.flops[kF64.id()] = f32 / 2;
  r.flops[kF32.id()] = r.flops[kF16.id()] = f32;
  r.flops[kBF16.id()] = bf16 > 0 ? bf16 : f32;
  r.flops[kI8.id()] = r.flops[kU8.id()] = 1e9 * cpu::measure_int8_peak();
  r.read = 1e9 * cpu::measure_dram_read();
  r.update = 1e9 * cpu::measure_dram_update();
  return r;
}

}  // namespace suiren::profile
