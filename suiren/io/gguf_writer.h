#pragma once
// GGUF files, version 3: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md A GgufWriter is used from
// one thread at a time.

#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "suiren/base/file.h"
#include "suiren/io/block_entry.h"
#include "suiren/io/gguf.h"

namespace suiren::io {

/// Metadata to be written, in the order in which keys are first set.
class GgufMetadata {
 public:
  /// bool, float, double and integers of 8 to 64 bits: the type in the file is that of T.
  template <class T>
  requires std::is_arithmetic_v<T>
  void set(std::string_view key, T value) { put(key, type_of<T>(), bytes_of(std::span(&value, 1))); }
  void set(std::string_view key, std::string_view value) { put(key, GgufValue::kString, sized(value)); }
  void set(std::string_view key, const char* value) { set(key, std::string_view(value)); }
  template <class T>
  requires(std::is_arithmetic_v<T> && !std::same_as<T, bool>) void set(std::string_view key,
                                                                       const std::vector<T>& values) {
    put_array(key, type_of<T>(), values.size(), bytes_of(std::span(values)));
  }
  void set(std::string_view key, const std::vector<std::string>& values);
  void set(std::string_view key, const std::vector<bool>& values) {
    put_array(key, GgufValue::kBool, values.size(), std::string(values.begin(), values.end()));
  }
  /// A value as it stands in another file.
  void set(std::string_view key, const GgufValue& value);

  struct Item {
    std::string key;
    GgufValue::Type type;
    std::string encoded;
  };
  const std::vector<Item>& items() const { return items_; }
  /// general.alignment, or 32; Error{kInvalid} unless it is a u32 that is a power of two.
  int64_t alignment() const;

 private:
  template <class T>
  static constexpr GgufValue::Type type_of() {
    if constexpr (std::same_as<T, bool>) return GgufValue::kBool;
    if constexpr (std::floating_point<T>) return sizeof(T) == 4 ? GgufValue::kF32 : GgufValue::kF64;
    constexpr GgufValue::Type kUnsigned[] = {GgufValue::kU8, GgufValue::kU16, GgufValue::kU32,
                                             GgufValue::kU64};
    constexpr GgufValue::Type kSigned[] = {GgufValue::kI8, GgufValue::kI16, GgufValue::kI32, GgufValue::kI64};
    constexpr int width = sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3;
    return std::is_unsigned_v<T> ? kUnsigned[width] : kSigned[width];
  }
  template <class T>
  static std::string bytes_of(std::span<const T> values) {
    return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
  }
  template <class T>
  static std::string bytes_of(std::span<T> values) {
    return bytes_of(std::span<const T>(values));
  }
  static std::string sized(std::string_view text);
  void put_array(std::string_view key, GgufValue::Type element, size_t count, const std::string& elements);
  void put(std::string_view key, GgufValue::Type type, std::string encoded);
  std::vector<Item>::const_iterator find(std::string_view key) const;

  std::vector<Item> items_;
};

/// What stands before the data of a file with these tensors (their bytes are not looked at), padded to the
/// alignment. Throws Error{kInvalid} for names that are empty, stand twice or are not UTF-8, more than four
/// extents, rows that are no whole blocks; {kUnsupported} for formats that GGUF has not.
std::string gguf_head(std::span<const BlockEntry> tensors, const GgufMetadata& metadata);

/// Writes a file whole or not at all, a tensor at a time, so that they need not all be in memory. Equal input
/// gives equal bytes.
class GgufWriter {
 public:
  /// `tensors` says what will come; their `bytes` are not looked at. Errors as gguf_head and FileWriter.
  GgufWriter(const std::string& path, std::vector<BlockEntry> tensors, const GgufMetadata& metadata);
  /// The bytes of the next tensor; Error{kInvalid} unless they are as many as its shape takes.
  void append(std::span<const uint8_t> bytes);
  /// Error{kInvalid} when tensors are missing.
  void commit();

 private:
  std::vector<BlockEntry> tensors_;
  size_t next_ = 0;
  int64_t alignment_;
  FileWriter file_;
};

/// GgufWriter in one call.
void write_gguf(const std::string& path, std::span<const BlockEntry> tensors, const GgufMetadata& metadata);

}  // namespace suiren::io
