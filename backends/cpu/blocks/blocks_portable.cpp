// Products with matrices in blocks on any CPU. Everything but the table has internal linkage.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "backends/cpu/blocks/kernels.h"
#include "suiren/quant/unpack.h"

namespace suiren::cpu::portable {
namespace {

using Unpack = quant::ScalarIsa;

inline float multiply_add(float a, float b, float c) { return a * b + c; }

#include "backends/cpu/blocks/shared.inc"

#include "backends/cpu/blocks/plain.inc"

}  // namespace

const BlockKernels block_kernels = make_block_kernels(round_row, []<DType::Id kId>() { return tile<kId>; });

}  // namespace suiren::cpu::portable
