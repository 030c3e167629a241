#pragma once
// Character classes for split patterns (Unicode 16, frozen in unicode_tables.inc), and UTF-8. Thread-safe.

#include <cstdint>

namespace suiren::text {

/// What a code point is, as a set of these bits; 0 for everything else (punctuation, symbols, controls,
/// unassigned).
enum CharClass : uint8_t {
  kLetter = 1,            ///< \p{L}
  kNumber = 2,            ///< \p{N}
  kSpace = 4,             ///< \s
  kUpper = 8,             ///< \p{Lu} \p{Lt} \p{Lm} \p{Lo} \p{M}: what o200k lets stand before lower case
  kLower = 16,            ///< \p{Ll} \p{Lm} \p{Lo} \p{M}
  kWord = 32,             ///< \w
  kPunctuationMark = 64,  ///< \p{P}, as the pre-tokenizer Punctuation has it
};

/// Class bits of all code points, by code point; built from the runs at first use.
const uint8_t* char_classes();

/// One character of text: its code point, class bits and length in bytes.
struct Char {
  uint32_t code;
  uint8_t bits;
  uint8_t size;
};

/// A byte that starts no valid UTF-8 character (overlong, surrogate, cut off) reads as one such character.
inline constexpr uint32_t kInvalidByte = 0xFFFFFFFF;

/// The character of two bytes or more at p < end. A byte >= 0x80 that does not begin one gives kInvalidByte,
/// size 1.
inline Char read_multibyte(const char* p, const char* end, const uint8_t* classes) {
  const auto byte = [&](int i) -> uint32_t { return static_cast<uint8_t>(p[i]); };
  const auto tail = [&](int i) { return (byte(i) & 0xC0) == 0x80; };
  const uint32_t lead = byte(0);
  const int64_t left = end - p;
  if (lead >= 0xE0 && lead < 0xF0 && left >= 3 && tail(1) && tail(2)) {
    const uint32_t c = (lead & 15) << 12 | (byte(1) & 63) << 6 | (byte(2) & 63);
    if (c >= 0x800 && (c < 0xD800 || c > 0xDFFF)) return {c, classes[c], 3};
  } else if (lead >= 0xC2 && lead < 0xE0 && left >= 2 && tail(1)) {
    const uint32_t c = (lead & 31) << 6 | (byte(1) & 63);
    return {c, classes[c], 2};
  } else if (lead >= 0xF0 && lead < 0xF5 && left >= 4 && tail(1) && tail(2) && tail(3)) {
    const uint32_t c = (lead & 7) << 18 | (byte(1) & 63) << 12 | (byte(2) & 63) << 6 | (byte(3) & 63);
    if (c >= 0x10000 && c <= 0x10FFFF) return {c, classes[c], 4};
  }
  return {kInvalidByte, 0, 1};
}

/// The character at p < end.
inline Char read_char(const char* p, const char* end, const uint8_t* classes) {
  const auto byte = static_cast<uint8_t>(*p);
  if (byte < 0x80) return {byte, classes[byte], 1};
  return read_multibyte(p, end, classes);
}

}  // namespace suiren::text
