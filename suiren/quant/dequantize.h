#pragma once
// Numbers out of blocks. Every value is computed in f32 by the operations of the format's reference (PyPI
// gguf, gguf.quants), one rounding each, so the bits are the same. Safe from any thread.

#include <cstdint>
#include <span>

#include "suiren/quant/block_format.h"

namespace suiren::quant {

/// The elements of whole blocks, in order. `bytes` needs no alignment. Throws Error{kInvalid} unless bytes
/// are whole blocks and `out` has their number of elements, Error{kUnsupported} for formats that are not
/// is_dequantizable().
void dequantize(BlockFormat format, std::span<const uint8_t> bytes, std::span<float> out);

}  // namespace suiren::quant
