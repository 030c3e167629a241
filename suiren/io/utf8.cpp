#include "suiren/io/utf8.h"

#include <algorithm>
#include <cstring>

#include "suiren/base/error.h"

namespace suiren::io {
namespace {

struct Sequence {
  size_t size;  ///< bytes it takes, or, when ill-formed, bytes that could have begun one (at least 1)
  bool valid;
};

/// The sequence at the front of `n` > 0 bytes. Table 3-7 of the Unicode standard.
Sequence decode(const unsigned char* p, size_t n) {
  const unsigned char lead = p[0];
  if (lead < 0x80) return {1, true};
  if (lead < 0xc2 || lead > 0xf4) return {1, false};
  const size_t size = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  unsigned char low = 0x80, high = 0xbf;  // what the second byte may be
  if (lead == 0xe0) low = 0xa0;
  if (lead == 0xed) high = 0x9f;
  if (lead == 0xf0) low = 0x90;
  if (lead == 0xf4) high = 0x8f;
  for (size_t i = 1; i < size; ++i) {
    if (i >= n || p[i] < low || p[i] > high) return {i, false};
    low = 0x80, high = 0xbf;
  }
  return {size, true};
}

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

size_t find_invalid_utf8(std::string_view text) {
  const unsigned char* p = bytes_of(text);
  const size_t n = text.size();
  for (size_t i = 0; i < n;) {
    uint64_t eight;
    if (i + 8 <= n && (std::memcpy(&eight, p + i, 8), (eight & 0x8080808080808080u) == 0)) {
      i += 8;
      continue;
    }
    const Sequence s = decode(p + i, n - i);
    if (!s.valid) return i;
    i += s.size;
  }
  return std::string_view::npos;
}

std::string replace_invalid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const Sequence s = decode(bytes_of(text) + i, text.size() - i);
    s.valid ? out.append(text, i, s.size) : out.append("\xef\xbf\xbd");
    i += s.size;
  }
  return out;
}

void append_utf8(std::string& out, uint32_t code) {
  const auto tail = [&](int shift) { out += static_cast<char>(0x80 | (code >> shift & 63)); };
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | code >> 6), tail(0);
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | code >> 12), tail(6), tail(0);
  } else {
    out += static_cast<char>(0xF0 | code >> 18), tail(12), tail(6), tail(0);
  }
}

void check_utf8(std::string_view text, const std::string& name, int64_t offset, int64_t line) {
  const size_t at = find_invalid_utf8(text);
  if (at == std::string_view::npos) return;
  line += std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n');
  fail(ErrorCode::kInvalid,
       "{} is not UTF-8: byte 0x{:02x} at offset {} (line {}); convert the file, or use --lossy to read such "
       "bytes as "
       "U+FFFD",
       name, bytes_of(text)[at], offset + static_cast<int64_t>(at), line);
}

}  // namespace suiren::io
