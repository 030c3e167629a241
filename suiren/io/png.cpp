#include "suiren/io/png.h"

#include <zlib.h>

#include <string_view>

#include "suiren/base/error.h"
#include "suiren/base/file.h"

namespace suiren::io {
namespace {

std::string big_endian(uint32_t v) {
  return {static_cast<char>(v >> 24), static_cast<char>(v >> 16), static_cast<char>(v >> 8),
          static_cast<char>(v)};
}

// Length, name, data, check sum over the last two.
std::string chunk(const std::string& name, std::string_view data) {
  const std::string body = name + std::string(data);
  const uLong sum = crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  return big_endian(static_cast<uint32_t>(data.size())) + body + big_endian(static_cast<uint32_t>(sum));
}

}  // namespace

void write_png(const std::string& path, int64_t height, int64_t width, std::span<const uint8_t> pixels) {
  constexpr int64_t kMost = 1 << 15;
  SR_CHECK(height >= 1 && width >= 1 && height <= kMost && width <= kMost,
           "{}: a picture of {} x {}, expected 1 to {} each", path, height, width, kMost);
  const auto size = static_cast<int64_t>(pixels.size()), channels = size / (height * width);
  SR_CHECK((channels == 1 || channels == 3) && channels * height * width == size,
           "{}: {} bytes for {} x {} pixels, expected 1 or 3 each", path, size, height, width);
  std::string rows;  // each begins with the number of its filter: 0, none
  for (int64_t y = 0; y < height; ++y) {
    rows += '\0';
    rows.append(reinterpret_cast<const char*>(pixels.data()) + y * width * channels,
                static_cast<size_t>(width * channels));
  }
  std::string packed(compressBound(rows.size()), '\0');
  uLongf length = packed.size();
  const int status = compress2(reinterpret_cast<Bytef*>(packed.data()), &length,
                               reinterpret_cast<const Bytef*>(rows.data()), rows.size(), 9);
  SR_CHECK_AS(kInternal, status == Z_OK, "zlib cannot compress: {}", status);
  packed.resize(length);
  const std::string header = big_endian(static_cast<uint32_t>(width)) +
                             big_endian(static_cast<uint32_t>(height)) +
                             std::string{8, static_cast<char>(channels == 3 ? 2 : 0), 0, 0, 0};
  write_file(path, "\x89PNG\r\n\x1a\n" + chunk("IHDR", header) + chunk("IDAT", packed) + chunk("IEND", ""));
}

}  // namespace suiren::io
