#pragma once
// Elements that are moved without arithmetic are words of their size, whatever their dtype.

#include <cstdint>

namespace suiren::cpu {

/// Calls f.template operator()<W>() with an unsigned word of `bytes`.
template <class F>
void with_word(int64_t bytes, F&& f) {
  if (bytes == 1) return f.template operator()<uint8_t>();
  if (bytes == 2) return f.template operator()<uint16_t>();
  if (bytes == 4) return f.template operator()<uint32_t>();
  f.template operator()<uint64_t>();
}

}  // namespace suiren::cpu
