#pragma once
// Packed copies of weights, kept between calls while their bytes stay the same. Thread-safe.

#include <memory>

#include "backends/abi/kernel.h"
#include "backends/cpu/gemm/gemm.h"

namespace suiren::cpu {

/// A product of this many rows spends little of its time on packing its right operand; for such products
/// no more than kPackedForManyRows bytes are kept: two copies of every weight would be most of what training
/// a large model takes.
inline constexpr int64_t kManyRows = 256, kPackedForManyRows = 128 << 20;

/// The packed form of the last two dimensions of `b` (f32, bf16 or f16) for a product of `rows` rows, made on
/// the first call and again when b.version() has moved on; null: pack it as you go. The caller keeps it alive
/// while it computes.
std::shared_ptr<const PackedB> packed_weight(const abi::Operand& b, int64_t rows);

/// Drops every packed copy of what lies in `memory`: it is about to be freed.
void forget_packed(sr_memory memory);

/// What all packed copies take.
int64_t packed_bytes();

}  // namespace suiren::cpu
