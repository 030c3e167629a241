#pragma once
// The one checked reader under every binary parser: no parser does arithmetic on sizes from a file by itself.
// A Reader is a value over bytes that it does not own; share it between threads only by copying.

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "suiren/base/error.h"

namespace suiren::io {

static_assert(std::endian::native == std::endian::little, "files are little-endian and are read in place");

/// a * b for sizes that came from a file; throws Error{kInvalid} naming `what` on negative values or
/// overflow.
inline int64_t checked_mul(int64_t a, int64_t b, std::string_view what) {
  int64_t product = 0;
  SR_CHECK(a >= 0 && b >= 0 && !__builtin_mul_overflow(a, b, &product), "{}: size {} x {} is out of range",
           what, a, b);
  return product;
}

/// Elements of `shape`; throws as checked_mul.
inline int64_t checked_numel(std::span<const int64_t> shape, std::string_view what) {
  int64_t n = 1;
  for (int64_t extent : shape) n = checked_mul(n, extent, what);
  return n;
}

/// Walks bytes from the front. Every read that would pass the end throws Error{kInvalid} naming the file, the
/// offset, the bytes wanted and the bytes there are. Numbers are little-endian and need no alignment.
class Reader {
 public:
  Reader(std::span<const uint8_t> bytes, std::string name) : bytes_(bytes), name_(std::move(name)) {}

  uint8_t u8() { return number<uint8_t>(); }
  uint16_t u16() { return number<uint16_t>(); }
  uint32_t u32() { return number<uint32_t>(); }
  uint64_t u64() { return number<uint64_t>(); }
  float f32() { return number<float>(); }
  /// The next n bytes, in place.
  std::span<const uint8_t> bytes(uint64_t n) {
    SR_CHECK(n <= remaining(),
             "{}: at byte {}, {} bytes are wanted but {} are left; the file is cut short or damaged", name_,
             offset_, n, remaining());
    const auto part = bytes_.subspan(offset_, n);
    offset_ += n;
    return part;
  }
  std::string_view string(uint64_t n) {
    const auto part = bytes(n);
    return {reinterpret_cast<const char*>(part.data()), part.size()};
  }
  void seek(uint64_t offset) {
    SR_CHECK(offset <= bytes_.size(), "{}: offset {} lies past the end ({} bytes)", name_, offset,
             bytes_.size());
    offset_ = offset;
  }
  uint64_t offset() const { return offset_; }
  uint64_t remaining() const { return bytes_.size() - offset_; }
  const std::string& name() const { return name_; }

 private:
  template <class T>
  T number() {
    T value;
    std::memcpy(&value, bytes(sizeof(T)).data(), sizeof(T));
    return value;
  }

  std::span<const uint8_t> bytes_;
  std::string name_;
  uint64_t offset_ = 0;
};

}  // namespace suiren::io
