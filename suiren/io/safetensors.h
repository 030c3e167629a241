#pragma once
// The safetensors format: u64 header length, JSON header, tensor bytes.
// https://github.com/huggingface/safetensors A SafeTensors is read-only after it is made: share it between
// threads freely.

#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "suiren/base/dtype.h"
#include "suiren/base/file.h"
#include "suiren/core/tensor.h"
#include "suiren/io/block_entry.h"

namespace suiren::io {

/// One tensor of a file: elements row-major, little-endian. `bytes` lies in the mapped file and need not be
/// aligned to the element size.
struct TensorEntry {
  std::string name;
  DType dtype;
  std::vector<int64_t> shape;
  std::span<const uint8_t> bytes;
};

/// Tensors as entries to write: in place where the host can address them row-major, else copied.
class TensorEntries {
 public:
  void add(const std::string& name, const Tensor& t);
  const std::vector<TensorEntry>& list() const { return entries_; }

 private:
  std::vector<TensorEntry> entries_;
  std::deque<std::vector<uint8_t>> copies_;
};

class SafeTensors {
 public:
  /// Maps a file. Throws Error{kNotFound} when it is missing and Error{kInvalid} naming file, tensor and rule
  /// when a rule of the format is broken: the header fits the file (at most 100 MB), no name stands twice,
  /// data_offsets match dtype x shape, tensors cover the data without holes or overlap. Error{kUnsupported}
  /// names other dtypes.
  static SafeTensors open(const std::string& path);
  /// The same over bytes that outlive the result.
  static SafeTensors from_bytes(std::span<const uint8_t> bytes, const std::string& name);

  const std::vector<TensorEntry>& entries() const { return entries_; }  ///< in file order
  /// Tensors of 8-bit floats (F8_E4M3, F8_E5M2), for which there is no DType: they stand here alone, in file
  /// order.
  const std::vector<BlockEntry>& float8_entries() const { return float8_entries_; }
  std::vector<std::string> names() const;  ///< of entries(), in file order
  bool contains(const std::string& name) const { return index_.count(name) != 0; }
  /// Throws Error{kNotFound} naming the file and the nearest name there is, {kUnsupported} for one of
  /// float8_entries().
  const TensorEntry& entry(const std::string& name) const;
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const std::string& path() const { return path_; }

 private:
  void parse(std::span<const uint8_t> bytes);
  std::string path_;
  MappedFile file_;
  std::vector<TensorEntry> entries_;
  std::vector<BlockEntry> float8_entries_;
  std::map<std::string, size_t> index_;
  std::map<std::string, std::string> metadata_;
};

/// Writes tensors whole or not at all; equal input gives equal bytes. The data starts at a multiple of 8,
/// wider elements come first (otherwise in the order given), so every tensor is aligned to its elements. With
/// `digests`, it is filled with the SHA-256 of each tensor's bytes, in the order given.
void write_safetensors(const std::string& path, std::span<const TensorEntry> tensors,
                       const std::map<std::string, std::string>& metadata = {},
                       std::vector<std::string>* digests = nullptr);

/// "F32", "BF16", ...: the format's name of a dtype.
std::string_view safetensors_dtype(DType dtype);

}  // namespace suiren::io
