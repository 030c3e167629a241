#pragma once
// Strings as Python sees them: code points, white space, case. All text is UTF-8. Pure functions.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace suiren::text::jinja {

/// Number of code points.
int64_t length_of(std::string_view text);
/// Byte offset of code point `index`, 0 <= index <= length_of(text).
size_t offset_of(std::string_view text, int64_t index);
/// Bytes of the code point that begins at byte `at`.
inline size_t size_at(std::string_view text, size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}
uint32_t code_at(std::string_view text, size_t at);
std::vector<uint32_t> codes_of(std::string_view text);

/// str.isspace() of one code point; and what `\s` of Python's re matches.
bool is_space(uint32_t code);
/// Line ends of str.splitlines().
bool is_line_end(uint32_t code);
/// Bits of Python's str.is...(): 1 upper, 2 lower, 4 title, 8 not printable, 16 alpha, 32 decimal, 64 digit,
/// 128 numeric.
uint8_t properties_of(uint32_t code);
/// False for what repr() writes as an escape.
bool is_printable(uint32_t code);
bool is_upper(uint32_t code);
bool is_lower(uint32_t code);
bool is_cased(uint32_t code);

/// str.upper(), lower(), title(), capitalize(), swapcase() with full case mappings ("ß" becomes "SS").
std::string to_upper(std::string_view text);
std::string to_lower(std::string_view text);
std::string to_folded(std::string_view text);  ///< str.casefold()
std::string to_title(std::string_view text);
std::string to_capitalized(std::string_view text);
std::string swap_case(std::string_view text);

/// Without what is_space, or one of `chars`, at the chosen ends.
std::string_view strip(std::string_view text, bool left, bool right);
std::string_view strip(std::string_view text, std::string_view chars, bool left, bool right);

}  // namespace suiren::text::jinja
