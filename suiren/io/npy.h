#pragma once
// NumPy's .npy files, versions 1 to 3, little-endian, C order (numpy.lib.format). Read-only once made.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "suiren/base/file.h"

namespace suiren::io {

/// An array in a file. `descr` is NumPy's type string: "<f4" float32, "<f8" float64, "<f2" float16,
/// "<i1".."<i8",
/// "<u1".."<u8" (one-byte types and bool are also written "|i1", "|u1", "|b1").
class Npy {
 public:
  /// Throws Error{kInvalid} naming the file and what is wrong; {kUnsupported} for Fortran order or another
  /// type.
  static Npy open(const std::string& path);
  /// The same over bytes that outlive the result.
  static Npy from_bytes(std::span<const uint8_t> bytes, const std::string& name);

  const std::string& descr() const { return descr_; }
  const std::vector<int64_t>& shape() const { return shape_; }
  int64_t numel() const;
  std::span<const uint8_t> bytes() const {
    return bytes_;
  }  ///< row-major elements; aligned to 8 in files we write
  /// The elements converted to double, whatever the type.
  std::vector<double> to_doubles() const;

 private:
  void parse(std::span<const uint8_t> bytes, const std::string& name);
  MappedFile file_;
  std::string descr_;
  std::vector<int64_t> shape_;
  std::span<const uint8_t> bytes_;
};

/// What stands before the elements in a version 1 file; `name` is for errors.
std::string npy_header(std::string_view descr, std::span<const int64_t> shape, const std::string& name);
/// Writes version 1 whole or not at all. `bytes` holds the elements row-major; throws unless its size fits.
void write_npy(const std::string& path, std::string_view descr, std::span<const int64_t> shape,
               std::span<const uint8_t> bytes);
/// float32 [shape].
void write_npy(const std::string& path, std::span<const int64_t> shape, std::span<const float> values);

}  // namespace suiren::io
