// PNG files, read back chunk by chunk as the standard describes them.

#include "suiren/io/png.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>

#include "suiren/base/error.h"
#include "suiren/base/file.h"

namespace suiren::io {
namespace {

uint32_t number(const std::string& s, size_t at) {
  uint32_t v = 0;
  for (size_t i = 0; i < 4; ++i) v = v << 8 | static_cast<uint8_t>(s[at + i]);
  return v;
}

// The header and the unpacked rows; every check sum must be right.
std::pair<std::string, std::string> read(const std::string& path) {
  const std::string file = read_file(path);
  EXPECT_EQ(file.substr(0, 8), "\x89PNG\r\n\x1a\n");
  std::string header, packed, names;
  for (size_t at = 8; at < file.size();) {
    const size_t size = number(file, at);
    const std::string body = file.substr(at + 4, 4 + size);
    EXPECT_EQ(number(file, at + 8 + size),
              crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size())));
    names += body.substr(0, 4) + " ";
    if (body.substr(0, 4) == "IHDR") header = body.substr(4);
    if (body.substr(0, 4) == "IDAT") packed = body.substr(4);
    at += 12 + size;
  }
  EXPECT_EQ(names, "IHDR IDAT IEND ");
  std::string rows(100000, '\0');
  uLongf length = rows.size();
  EXPECT_EQ(uncompress(reinterpret_cast<Bytef*>(rows.data()), &length,
                       reinterpret_cast<const Bytef*>(packed.data()), packed.size()),
            Z_OK);
  rows.resize(length);
  return {header, rows};
}

TEST(Png, HoldsThePixels) {
  const std::string path = testing::TempDir() + "suiren_png_test.png";
  for (int64_t channels : {1, 3}) {
    std::vector<uint8_t> pixels(static_cast<size_t>(5 * 7 * channels));
    for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(i * 37);
    write_png(path, 5, 7, pixels);
    const auto [header, rows] = read(path);
    ASSERT_EQ(header.size(), 13u);
    EXPECT_EQ(number(header, 0), 7u);
    EXPECT_EQ(number(header, 4), 5u);
    EXPECT_EQ(header.substr(8), std::string({8, static_cast<char>(channels == 3 ? 2 : 0), 0, 0, 0}));
    const auto width = static_cast<size_t>(7 * channels);
    ASSERT_EQ(rows.size(), 5 * (width + 1));
    for (size_t y = 0; y < 5; ++y) {
      EXPECT_EQ(rows[y * (width + 1)], 0);
      for (size_t x = 0; x < width; ++x)
        EXPECT_EQ(static_cast<uint8_t>(rows[y * (width + 1) + 1 + x]), pixels[y * width + x]);
    }
  }
  std::filesystem::remove(path);
}

TEST(Png, RefusesExtentsThatDoNotFit) {
  const std::vector<uint8_t> pixels(12);
  EXPECT_THROW(write_png("x.png", 2, 5, pixels), Error);
  EXPECT_THROW(write_png("x.png", 2, 3, pixels), Error);  // two channels
  EXPECT_THROW(write_png("x.png", 0, 12, pixels), Error);
  EXPECT_THROW(write_png("x.png", 1, 1 << 20, pixels), Error);
}

}  // namespace
}  // namespace suiren::io
