#include "backends/cpu/blocks/product.h"

#include <algorithm>

#include "backends/cpu/blocks/kernels.h"
#include "backends/cpu/scratch.h"
#include "suiren/base/threads.h"
#include "suiren/quant/unpack.h"

namespace suiren::cpu {
namespace {

const BlockKernels& kernels_for(BlockLevel level) {
#if defined(__x86_64__)
  if (level == BlockLevel::kAvx512Vnni) return avx512_vnni::block_kernels;
  if (level == BlockLevel::kAvx2) return avx2::block_kernels;
#endif
  (void)level;
  return portable::block_kernels;
}

// The rows of one call in the memory of the calling thread.
RoundedRows make_room(int64_t rows, int64_t depth, int group) {
  static thread_local Scratch<int8_t> codes;
  static thread_local Scratch<float> scales, sums;
  static thread_local Scratch<int32_t> starts;
  const int64_t stride = (depth + kCodeUnit - 1) / kCodeUnit * kCodeUnit;
  const int64_t blocks = depth / kRound, groups = depth / group;
  return {rows,
          depth,
          stride,
          blocks,
          groups,
          codes.get(rows * stride),
          scales.get(rows * blocks),
          starts.get(rows * groups),
          sums.get(rows * groups)};
}

// Work below which a thread is not worth waking, in elements.
constexpr int64_t kRoundGrain = 1 << 15, kTileGrain = 1 << 15;

}  // namespace

BlockLevel block_level(Isa isa) {
  if (isa == Isa::kPortable) return BlockLevel::kPortable;
  return isa == Isa::kAvx512 && cpu_info().has("avx512_vnni") ? BlockLevel::kAvx512Vnni : BlockLevel::kAvx2;
}

void block_product(const BlockProduct& p, BlockLevel level) {
  const BlockKernels& kernels = kernels_for(level);
  struct {
    int group, zero;
  } const layout = quant::visit_block_format(p.format, []<DType::Id kId>() {
    return decltype(layout){quant::BlockLayout<kId>::kGroup, quant::BlockLayout<kId>::kZero};
  });
  const RoundedRows x = make_room(p.rows, p.depth, layout.group);
  parallel_for(p.rows, std::max<int64_t>(1, kRoundGrain / std::max<int64_t>(p.depth, 1)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t m = begin; m < end; ++m)
                   kernels.round_row(p.x + m * p.x_stride, m, layout.group, layout.zero, x);
               });
  const BlockKernels::Tile tile = kernels.tiles[p.format.id() - DType::kQ8_0];
  const int64_t row_bytes = p.format.bytes(p.depth), tiles = (p.outputs + kBlockTile - 1) / kBlockTile;
  parallel_for(tiles, std::max<int64_t>(1, kTileGrain / std::max<int64_t>(kBlockTile * p.depth * p.rows, 1)),
               [&](int64_t begin, int64_t end) {
                 static thread_local Scratch<char> scratch;
                 char* const room = scratch.get(kTileScratch);
                 for (int64_t i = begin; i < end; ++i) {
                   const int64_t n = i * kBlockTile;
                   tile({p.weight + n * row_bytes, row_bytes, std::min<int64_t>(kBlockTile, p.outputs - n),
                         p.y + n, p.outputs},
                        x, room);
                 }
               });
}

}  // namespace suiren::cpu
