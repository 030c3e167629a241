#pragma once
// Keys and values in blocks of q8_0, for the tests of attention over what a cache stores.

#include "suiren/quant/dequantize.h"
#include "suiren/quant/quantize.h"
#include "tests/cpu/attention_contract.h"

namespace suiren::cpu {

/// The numbers of [batch, rows, heads, dim] as blocks, with a block between the rows that spoils what reads
/// it.
struct HeadBlocks {
  int64_t batch, rows, heads, row_blocks;  // of a row, the room after it included
  std::vector<BlockQ8_0> data;
  explicit HeadBlocks(const Heads<float>& x)
      : batch(x.batch), rows(x.rows), heads(x.heads), row_blocks(x.heads * x.dim / 32 + 1) {
    data.resize(static_cast<size_t>(batch * rows * row_blocks));
    for (BlockQ8_0& b : data)
      std::fill(std::begin(b.bytes), std::end(b.bytes), uint8_t{0xff});  // scales of NaN
    for (int64_t i = 0; i < batch * rows; ++i)
      quant::quantize(quant::BlockFormat::kQ8_0, numbers(x, i), {}, bytes(i));
  }
  HeadsView<const BlockQ8_0> read() const {
    return {data.data(), rows * row_blocks, row_blocks, (row_blocks - 1) / heads};
  }
  /// `x` becomes the numbers that the blocks stand for.
  void widen(Heads<float>& x) {
    for (int64_t i = 0; i < batch * rows; ++i) {
      const auto row = numbers(x, i);
      quant::dequantize(quant::BlockFormat::kQ8_0, bytes(i), {const_cast<float*>(row.data()), row.size()});
    }
  }

 private:
  static std::span<const float> numbers(const Heads<float>& x, int64_t row) {
    return {&x.data[static_cast<size_t>(row * x.row_stride)], static_cast<size_t>(x.heads * x.dim)};
  }
  std::span<uint8_t> bytes(int64_t row) {
    return {data[static_cast<size_t>(row * row_blocks)].bytes,
            static_cast<size_t>(row_blocks - 1) * sizeof(BlockQ8_0)};
  }
};

}  // namespace suiren::cpu
