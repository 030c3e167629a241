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

#include "backends/cpu/blocks/shared.inc"

#include "backends/cpu/blocks/round_plain.inc"

// The exact sum of products of a group's codes.
template <int kGroup>
inline int32_t dot(const uint8_t* w, const int8_t* x) {
  int32_t sum = 0;
  for (int i = 0; i < kGroup; ++i) sum += static_cast<int16_t>(w[i]) * static_cast<int16_t>(x[i]);
  return sum;
}

template <DType::Id kId>
void tile(const BlockTile& t, const RoundedRows& x, char* scratch) {
  using Layout = quant::BlockLayout<kId>;
  constexpr int kGroup = Layout::kGroup;
  const TileScratch s(scratch);
  for (int64_t begin = 0; begin < x.depth; begin += kBlockChunk) {
    const int64_t length = std::min(kBlockChunk, x.depth - begin), stride = padded(length);
    unpack_rows<kId>(t, begin, length, begin + length < x.depth, stride, s.codes, s.scales, s.offsets);
    for (int64_t m = 0; m < x.rows; ++m) {
      const int8_t* codes = x.codes + m * x.stride + begin;
      const float* d = x.scales + m * x.blocks + begin / kRound;
      const int64_t first = m * x.groups + begin / kGroup;
      for (int64_t n = 0; n < t.count; ++n) {
        float* y = t.y + m * t.ldy + n;
        float sum = begin ? *y : 0;
        for (int64_t g = 0; g < length / kGroup; ++g) {
          const int32_t exact =
              x.starts[first + g] + dot<kGroup>(s.codes + n * stride + g * kGroup, codes + g * kGroup);
          const float part = static_cast<float>(exact) * d[g * kGroup / kRound];
          sum = sum + s.scales[g * kBlockTile + n] * part;
          if constexpr (Layout::kOffsets) sum = sum + s.offsets[g * kBlockTile + n] * x.sums[first + g];
        }
        *y = sum;
      }
    }
  }
}

}  // namespace

const BlockKernels block_kernels = make_block_kernels(round_row, []<DType::Id kId>() { return tile<kId>; });

}  // namespace suiren::cpu::portable
