#pragma once
// The kernels of the CPU, in lists of one file each (generated: cpu_kernel_list.cpp).

#include <span>

#include "backends/abi/kernel.h"

namespace suiren::cpu {

using abi::Call;
using abi::Kernel;
using abi::Operand;
using abi::Reason;
using KernelList = std::span<const Kernel>;
std::span<const KernelList> all_kernels();

/// The reason of a kernel that would take the call with row-major inputs: the host copies and asks again.
inline constexpr char kNeedsContiguous[] = "an input is strided";
/// Takes a call whose inputs are all row-major.
inline Reason row_major_inputs(const Call& c) {
  for (int i = 0; i < c.inputs(); ++i)
    if (!c.in(i).contiguous()) return kNeedsContiguous;
  return nullptr;
}

/// The same of f32 and f64 alone: bf16 and f16 come widened (widened.h).
inline Reason wide_row_major_inputs(const Call& c) {
  const uint16_t dtype = c.out(0).dtype();
  return dtype == SR_F32 || dtype == SR_F64 ? row_major_inputs(c) : "dtype";
}

}  // namespace suiren::cpu
