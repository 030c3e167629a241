#pragma once
// What one ISA level offers to the driver in product.cpp: rows of activations rounded to int8, and the
// outputs of a tile of weight rows. suiren/quant/unpack.h has the block formats.

#include <cstdint>
#include <utility>

#include "suiren/base/dtype.h"

namespace suiren::cpu {

constexpr int kBlockTile = 16;         ///< rows of the weight in a tile: columns of y
constexpr int64_t kBlockChunk = 1024;  ///< elements along k that are unpacked at a time
constexpr int64_t kRound = 32;         ///< elements of x that share a scale
constexpr int64_t kCodeUnit = 64;      ///< rows of codes are padded with zeros to a multiple of this

/// Rows of activations, rounded (suiren/ops/quantized_linear): element k of row m is
/// scales[m blocks + k / 32] codes[m stride + k]. For the sums of groups of weights that share a scale, group
/// g of row m has starts[m groups + g], -kZero times the sum of its codes, and sums[m groups + g], the sum
/// times the scale.
struct RoundedRows {
  int64_t rows, depth, stride, blocks, groups;
  int8_t* codes;
  float* scales;
  int32_t* starts;
  float* sums;
};

/// A tile of the weight: `count` <= kBlockTile rows, row_bytes apart; those of y are columns y[m ldy ..].
struct BlockTile {
  const uint8_t* rows;
  int64_t row_bytes, count;
  float* y;
  int64_t ldy;
};

/// Bytes of scratch that a tile wants.
constexpr int64_t kTileScratch = kBlockTile * kBlockChunk * 2 + kBlockTile * kBlockChunk / 16 * 2 * 4;

struct BlockKernels {
  /// Row m of x, `depth` floats, into row m of `to`, whose groups have `group` elements and codes from
  /// `zero`.
  void (*round_row)(const float* x, int64_t m, int group, int zero, const RoundedRows& to);
  /// By DType id from the first block format on.
  using Tile = void (*)(const BlockTile& tile, const RoundedRows& x, char* scratch);
  Tile tiles[DType::kBlockCount];
};

/// tile_of.template operator()<Id>() is the function of a block format.
template <class F>
constexpr BlockKernels make_block_kernels(decltype(BlockKernels::round_row) round_row, F tile_of) {
  return [&]<size_t... I>(std::index_sequence<I...>) {
    return BlockKernels{round_row,
                        {tile_of.template operator()<static_cast<DType::Id>(DType::kQ8_0 + I)>()...}};
  }
  (std::make_index_sequence<size_t{DType::kBlockCount}>{});
}

namespace avx512_vnni {
extern const BlockKernels block_kernels;
}
namespace avx2 {
extern const BlockKernels block_kernels;
}
namespace portable {
extern const BlockKernels block_kernels;
}

}  // namespace suiren::cpu
