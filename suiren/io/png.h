#pragma once
// Pictures as PNG files (ISO/IEC 15948), written only.

#include <cstdint>
#include <span>
#include <string>

namespace suiren::io {

/// Writes `pixels`, rows from the top, 8 bits a channel: [height, width] in grey, or [height, width, 3] in
/// red, green and blue. Whole or not at all. Throws Error{kInvalid} unless the extents are positive and give
/// pixels.size().
void write_png(const std::string& path, int64_t height, int64_t width, std::span<const uint8_t> pixels);

}  // namespace suiren::io
