#pragma once
// UTF-8 as RFC 3629 has it: no surrogates, nothing overlong, nothing past U+10FFFF. Pure functions.

#include <cstdint>
#include <string>
#include <string_view>

namespace suiren::io {

/// Byte offset of the first sequence that is not UTF-8, or npos when all is well.
size_t find_invalid_utf8(std::string_view text);

/// The text with U+FFFD for each maximal part of an ill-formed sequence (Unicode 15, section 3.9, as Python's
/// errors="replace" does).
std::string replace_invalid_utf8(std::string_view text);

/// Appends the bytes of a code point below 2^21.
void append_utf8(std::string& out, uint32_t code);

/// Throws Error{kInvalid} unless `text` is UTF-8, naming the file, the byte offset and the line, and offering
/// --lossy. `offset` and `line` say where in the file `text` begins (0-based, 1-based).
void check_utf8(std::string_view text, const std::string& name, int64_t offset = 0, int64_t line = 1);

}  // namespace suiren::io
