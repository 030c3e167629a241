#pragma once
// The GGUF format, versions 2 and 3, little-endian: typed metadata, names and shapes of tensors, their
// blocks. https://github.com/ggml-org/ggml/blob/master/docs/gguf.md A Gguf is read-only after it is made:
// share it between threads freely.

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "suiren/base/file.h"
#include "suiren/io/block_entry.h"

namespace suiren::io {

/// A metadata value where it stands in the file: 48 bytes whatever its size, taken apart when asked for.
class GgufValue {
 public:
  enum Type : uint32_t { kU8, kI8, kU16, kI16, kU32, kI32, kF32, kBool, kString, kArray, kU64, kI64, kF64 };
  static constexpr uint32_t kTypes = 13;

  Type type() const { return type_; }
  bool is_array() const { return type_ == kArray; }
  /// Of an array: the type and the number of its elements.
  Type element_type() const { return element_type_; }
  int64_t size() const { return size_; }
  /// After the type's number, what the file holds of the value.
  std::span<const uint8_t> encoded() const { return encoded_; }

  /// The value as asked for, or Error{kInvalid}: "WHERE is a string, expected an integer". Integers of any
  /// width are integers (u64 beyond 2^63 - 1 is an error), they and floats are numbers.
  int64_t integer(const std::string& where) const;
  double number(const std::string& where) const;
  bool boolean(const std::string& where) const;
  std::string_view string(const std::string& where) const;  ///< UTF-8
  std::vector<int64_t> integers(const std::string& where) const;
  std::vector<double> numbers(const std::string& where) const;
  /// As they stand: whether they are UTF-8 is for the caller to ask.
  std::vector<std::string_view> strings(const std::string& where) const;
  /// The elements of an array of any type.
  std::vector<GgufValue> elements(const std::string& where) const;

 private:
  friend class GgufParser;
  Type type_ = kU8, element_type_ = kU8;
  int64_t size_ = 0;
  std::span<const uint8_t> encoded_,
      payload_;  // payload: an array without its head, a string without its size
};

std::string_view gguf_type_name(GgufValue::Type type);  ///< "u8", "string", ...

class Gguf {
 public:
  /// Maps a file and, when it is the first of several (NAME-00001-of-00003.gguf), the others. Throws
  /// Error{kNotFound} when one is missing, Error{kInvalid} naming file, key or tensor and the rule when a
  /// rule of the format is broken: names stand once and are UTF-8, sizes fit the file, offsets are aligned,
  /// tensors cover the data without holes or overlap, rows are whole blocks, parts belong together.
  /// Error{kUnsupported} names other versions, byte orders and tensor types.
  static Gguf open(const std::string& path);
  /// The same over bytes that outlive the result; a part of several stands alone.
  static Gguf from_bytes(std::span<const uint8_t> bytes, const std::string& name);

  /// Tensors in file order. Shapes are row-major: the reverse of the order in which GGUF writes extents.
  const std::vector<BlockEntry>& entries() const { return entries_; }
  std::vector<std::string> names() const;
  bool contains(const std::string& name) const { return find_entry(name) != nullptr; }
  /// Throws Error{kNotFound} naming the file and the nearest name there is.
  const BlockEntry& entry(const std::string& name) const;

  /// Metadata in file order (of the first file).
  struct KeyValue {
    std::string_view key;
    GgufValue value;
  };
  const std::vector<KeyValue>& metadata() const { return metadata_; }
  /// nullptr when the key is absent.
  const GgufValue* find(std::string_view key) const;
  /// A value by its key; Error{kNotFound} or Error{kInvalid} names file and key.
  int64_t integer(std::string_view key) const;
  double number(std::string_view key) const;
  bool boolean(std::string_view key) const;
  std::string_view string(std::string_view key) const;
  std::vector<int64_t> integers(std::string_view key) const;
  std::vector<double> numbers(std::string_view key) const;
  std::vector<std::string_view> strings(std::string_view key) const;

  uint32_t version() const { return version_; }
  int64_t alignment() const { return alignment_; }
  const std::string& path() const { return path_; }

 private:
  friend class GgufParser;
  const BlockEntry* find_entry(std::string_view name) const;
  const GgufValue& value(std::string_view key) const;
  std::string where(std::string_view key) const;
  void index_entries();
  void append_part(Gguf part, int64_t number, int64_t parts);

  std::string path_;
  std::deque<MappedFile> files_;
  std::vector<BlockEntry> entries_;
  std::vector<uint32_t> by_name_;  // of entries_, sorted by name
  std::vector<KeyValue> metadata_;
  std::vector<uint32_t> by_key_;  // of metadata_, sorted by key
  uint32_t version_ = 3;
  int64_t alignment_ = 32;
};

}  // namespace suiren::io
