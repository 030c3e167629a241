#pragma once
// Tensors from GGUF's order into that of Hugging Face's files. Thread-safe.

#include <string>
#include <vector>

#include "suiren/io/gguf.h"
#include "suiren/models/config.h"
#include "suiren/models/gguf/architectures.h"

namespace suiren::models {

/// Entries as GgufModel::entries() gives them, valid as long as the file.
std::vector<io::BlockEntry> rearrange_gguf(const io::Gguf& file, const TransformerConfig& config);

/// Row r of a head of `half` pairs of rows -> where it stands among pairs: (r mod half) 2 + r / half.
void permute_rows(std::span<const uint8_t> from, std::span<uint8_t> to, int64_t heads, int64_t rows,
                  bool undo);
/// [rows, columns] elements of `size` bytes -> [columns, rows].
void transpose_elements(std::span<const uint8_t> from, std::span<uint8_t> to, int64_t rows, int64_t columns,
                        int64_t size);
/// Transposes each of the matrices that `from` holds one after the other.
void transpose_matrices(std::span<const uint8_t> from, std::span<uint8_t> to, int64_t rows, int64_t columns,
                        int64_t size);
/// Every second element of `size` bytes, from `first`.
void pick_elements(std::span<const uint8_t> from, std::span<uint8_t> to, int64_t first, int64_t size);
/// Each element of `size` bytes goes to `to` every second place, from `first`.
void interleave_elements(std::span<const uint8_t> from, std::span<uint8_t> to, int64_t first, int64_t size);

}  // namespace suiren::models
