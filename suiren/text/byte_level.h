#pragma once
// GPT-2's printable alphabet: each byte as one character, so that tokens can stand in a text file.
// Thread-safe.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace suiren::text {

/// The 256 bytes in the order of their characters' code points: first those that stand for themselves (! to
/// ~, U+00A1 to U+00AC, U+00AE to U+00FF), then the rest as U+0100 onwards. Trained tokenizers number bytes
/// in this order.
const std::array<uint8_t, 256>& byte_order();

/// Bytes -> characters, as UTF-8.
std::string to_characters(std::string_view bytes);
/// Characters -> bytes; empty when some character stands for no byte.
std::optional<std::string> to_bytes(std::string_view characters);

}  // namespace suiren::text
