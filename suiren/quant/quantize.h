#pragma once
// Numbers into blocks: a search for the scales with the least weighted squared error. Safe from any thread;
// the bytes of a row depend on that row alone.

#include <cstdint>
#include <span>

#include "suiren/quant/block_format.h"

namespace suiren::quant {

/// Whether quantize() writes it: f32 f16 bf16 q8_0 q4_0 q4_1 q5_0 q5_1 q2_k q3_k q4_k q5_k q6_k iq4_nl mxfp4.
bool is_quantizable(BlockFormat format);

/// Writes rows of `values`, one after the other, as whole blocks. `importance`: one number >= 0 for each
/// element of a row (its length is that of a row), the weight of that column's squared error, such as the
/// mean square of the activations that meet it; empty: all equal. f32, f16, bf16 (rounded to nearest even)
/// and q8_0 (scale max / 127) take no notice of it: their bytes are those of PyPI gguf
/// (gguf.quants.quantize). Throws Error{kInvalid} unless the sizes fit and all numbers are finite and within
/// what the format's f16 scales can hold, naming the element; Error{kUnsupported} for other formats.
void quantize(BlockFormat format, std::span<const float> values, std::span<const float> importance,
              std::span<uint8_t> bytes);

}  // namespace suiren::quant
