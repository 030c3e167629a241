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

/// An e8m0 scale of mxfp4, halved: 2^(e - 128), since its codes stand for twice their value (kMxfp4Values).
/// As in the reference, 255 (NaN in OCP MX 1.0) is one more power of two.
float mxfp4_scale(uint8_t e);

/// Scale and minimum of sub-block `i` (0..7) from the 12 bytes in which q4_k and q5_k pack them, 6 bits each.
struct ScaleMin {
  uint8_t scale, min;
};
ScaleMin unpack_scale_min(const uint8_t* packed, int i);
/// Scale of sub-block `i` (0..15) from the 12 bytes in which q3_k packs them: -32..31.
int unpack_scale_q3_k(const uint8_t* packed, int i);

}  // namespace suiren::quant
