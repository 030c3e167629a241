#pragma once
// A tensor of a file as it stands there, whatever its format.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "suiren/io/reader.h"
#include "suiren/quant/block_format.h"
#include "suiren/quant/dequantize.h"

namespace suiren::io {

/// Elements row-major: the last extent of `shape` is the row, a whole number of blocks.
struct BlockEntry {
  std::string name;
  quant::BlockFormat format;
  std::vector<int64_t> shape;
  std::span<const uint8_t> bytes;  ///< in the mapped file
  /// Makes the bytes of a tensor that the file holds in another way; null: they are `bytes`.
  std::function<std::vector<uint8_t>()> form = {};

  /// The bytes; those that are formed lie in `room`.
  std::span<const uint8_t> read(std::vector<uint8_t>& room) const { return form ? room = form() : bytes; }
  /// The numbers, row-major. Error{kInvalid} where the size of `shape` is out of range.
  std::vector<float> values() const {
    std::vector<uint8_t> room;
    std::vector<float> out(static_cast<size_t>(checked_numel(shape, name)));
    quant::dequantize(format, read(room), out);
    return out;
  }
};

/// Bytes that a tensor of this shape takes. Error{kInvalid}, opened by `where`, when rows are no whole blocks
/// or the size is out of range.
inline int64_t checked_bytes(std::span<const int64_t> shape, quant::BlockFormat format,
                             std::string_view where) {
  const int64_t row = shape.empty() ? 1 : shape.back(), block = format.block_elements();
  SR_CHECK(row % block == 0, "{} has rows of {} elements, but {} needs a multiple of {}", where, row, format,
           block);
  return checked_mul(checked_numel(shape, where) / block, format.block_bytes(), where);
}

}  // namespace suiren::io
