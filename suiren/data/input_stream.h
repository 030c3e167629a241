#pragma once
// Bytes of an input file, decompressed on the way. An object belongs to one thread.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace suiren::data {

/// A forward stream over a plain file or pipe, or, by its name, a .gz or .zst file.
class InputStream {
 public:
  /// Throws Error{kNotFound} for a missing file and Error{kInvalid} for a folder or an unreadable one.
  static std::unique_ptr<InputStream> open(const std::string& path);
  virtual ~InputStream() = default;
  /// Up to `size` bytes into `out`; 0 at the end. Throws Error{kInvalid} when the compressed data is damaged
  /// or cut short.
  virtual size_t read(char* out, size_t size) = 0;
  /// Bytes of the file on disk that have been taken so far.
  virtual int64_t consumed() const = 0;
};

/// `path` without a final .gz or .zst.
std::string_view without_compression(std::string_view path);
/// The whole decompressed file.
std::string read_all(const std::string& path);

/// Lines of a stream without their '\n'; the last one may lack it.
class LineReader {
 public:
  explicit LineReader(InputStream& input) : input_(input) {}
  /// The next line, valid until the next call; false at the end.
  bool next(std::string_view& line);
  int64_t number() const { return number_; }  ///< of the line just read, from 1
  int64_t offset() const { return offset_; }  ///< of its first byte in the decompressed text

 private:
  InputStream& input_;
  std::string buffer_;
  size_t begin_ = 0, end_ = 0;
  int64_t number_ = 0, offset_ = 0, next_offset_ = 0;
  bool ended_ = false;
};

}  // namespace suiren::data
