#include "suiren/text/unicode.h"

#include <iterator>
#include <vector>

namespace suiren::text {

namespace {

constexpr uint32_t kRuns[] = {
#include "suiren/text/unicode_tables.inc"
};

std::vector<uint8_t> expand_runs() {
  std::vector<uint8_t> bits(0x110000);
  for (size_t i = 0; i < std::size(kRuns); ++i) {
    const uint32_t begin = kRuns[i] >> 8, end = i + 1 < std::size(kRuns) ? kRuns[i + 1] >> 8 : 0x110000;
    for (uint32_t c = begin; c < end; ++c) bits[c] = static_cast<uint8_t>(kRuns[i]);
  }
  return bits;
}

}  // namespace

const uint8_t* char_classes() {
  static const std::vector<uint8_t> bits = expand_runs();
  return bits.data();
}

}  // namespace suiren::text
