#include "suiren/text/byte_level.h"

#include "suiren/io/utf8.h"
#include "suiren/text/unicode.h"

namespace suiren::text {

namespace {

bool stands_for_itself(int b) { return (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE; }

struct Alphabet {
  std::array<uint8_t, 256> order;
  std::array<uint16_t, 256> code_of_byte;
  std::array<int16_t, 512> byte_of_code;

  Alphabet() {
    byte_of_code.fill(-1);
    int rank = 0, next = 0x100;
    for (int b = 0; b < 256; ++b)
      if (stands_for_itself(b)) add(rank++, b, b);
    for (int b = 0; b < 256; ++b)
      if (!stands_for_itself(b)) add(rank++, b, next++);
  }
  void add(int rank, int byte, int code) {
    order[rank] = static_cast<uint8_t>(byte);
    code_of_byte[byte] = static_cast<uint16_t>(code);
    byte_of_code[code] = static_cast<int16_t>(byte);
  }
};

const Alphabet& alphabet() {
  static const Alphabet a;
  return a;
}

}  // namespace

const std::array<uint8_t, 256>& byte_order() { return alphabet().order; }

std::string to_characters(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    io::append_utf8(out, static_cast<uint32_t>(alphabet().code_of_byte[static_cast<uint8_t>(c)]));
  }
  return out;
}

std::optional<std::string> to_bytes(std::string_view characters) {
  std::string out;
  const char *p = characters.data(), *end = p + characters.size();
  while (p < end) {
    const Char c = read_char(p, end, char_classes());
    if (c.code >= 512 || alphabet().byte_of_code[c.code] < 0) return std::nullopt;
    out += static_cast<char>(alphabet().byte_of_code[c.code]);
    p += c.size;
  }
  return out;
}

}  // namespace suiren::text
