#pragma once
// Packed copies of weights, kept between calls while their bytes stay the same. Thread-safe.

#include <memory>

#include "backends/abi/kernel.h"
#include "backends/cpu/gemm/gemm.h"

namespace suiren::cpu {

/// The packed form of the last two dimensions of `b` (f32, bf16 or f16), made on the first call and again
/// when b.version() has moved on. The caller keeps it alive while it computes.
std::shared_ptr<const PackedB> packed_weight(const abi::Operand& b);

/// Drops every packed copy of what lies in `memory`: it is about to be freed.
void forget_packed(sr_memory memory);

/// What all packed copies take.
int64_t packed_bytes();

}  // namespace suiren::cpu
