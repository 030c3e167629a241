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

}  // namespace suiren::cpu
