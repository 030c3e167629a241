#pragma once
// Products with matrices in blocks: rows of activations are rounded once, tiles of the weight are unpacked in
// the first cache and meet all of them. Safe from any thread.

#include <cstdint>

#include "suiren/base/cpu.h"
#include "suiren/base/dtype.h"

namespace suiren::cpu {

/// Which kernels to use; the bits of a product depend on it alone (all but the portable one give the same).
enum class BlockLevel { kPortable, kAvx2, kAvx512Vnni };
/// The best that this CPU offers up to a level; kAvx512Vnni wants AVX512_VNNI beside it.
BlockLevel block_level(Isa isa = suiren::isa());

/// y[m, n] = sum over k of r(x)[m, k] weight[n, k], as suiren/ops/quantized_linear/quantized_linear.h defines
/// it. x has rows of `depth` floats, x_stride apart; weight has `outputs` rows in blocks of `format`, without
/// gaps; y is row-major.
struct BlockProduct {
  const float* x;
  int64_t rows, depth, x_stride;
  const uint8_t* weight;
  DType format;
  int64_t outputs;
  float* y;
};
void block_product(const BlockProduct& p, BlockLevel level = block_level());

}  // namespace suiren::cpu
