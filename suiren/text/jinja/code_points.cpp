#include "suiren/text/jinja/code_points.h"

#include <algorithm>
#include <iterator>
#include <span>

#include "suiren/io/utf8.h"
namespace suiren::text::jinja {
namespace {

struct CaseRun {
  uint32_t first, last, stride;
  int32_t delta;
};
struct CaseSpecial {
  uint32_t code, first, second, third;  ///< 0 for none
};
#include "suiren/text/jinja/case_tables.inc"
#include "suiren/text/jinja/property_tables.inc"

enum : uint8_t { kUpperBit = 1, kLowerBit = 2, kTitleBit = 4, kHiddenBit = 8 };

/// One of the conversions: runs of single characters, and those that become several.
struct CaseMap {
  std::span<const CaseRun> runs;
  std::span<const CaseSpecial> specials;

  void append(std::string& out, uint32_t code) const {
    const auto special = std::lower_bound(specials.begin(), specials.end(), code,
                                          [](const CaseSpecial& s, uint32_t c) { return s.code < c; });
    if (special != specials.end() && special->code == code) {
      for (const uint32_t to : {special->first, special->second, special->third})
        if (to != 0) io::append_utf8(out, to);
      return;
    }
    const auto after = std::upper_bound(runs.begin(), runs.end(), code,
                                        [](uint32_t c, const CaseRun& r) { return c < r.first; });
    if (after != runs.begin()) {
      const CaseRun& run = *std::prev(after);
      if (code <= run.last && (code - run.first) % run.stride == 0) code += static_cast<uint32_t>(run.delta);
    }
    io::append_utf8(out, code);
  }
};
constexpr CaseMap kUpper{kUpperRuns, kUpperSpecials}, kLower{kLowerRuns, kLowerSpecials},
    kTitle{kTitleRuns, kTitleSpecials}, kFold{kFoldRuns, kFoldSpecials};

constexpr uint32_t kSigma = 0x3A3, kFinalSigma = 0x3C2;

/// A capital sigma at `at` becomes the final form after a letter, unless a letter follows.
bool is_final_sigma(std::string_view text, size_t at, bool after_cased) {
  const size_t next = at + size_at(text, at);
  return after_cased && (next >= text.size() || !is_cased(code_at(text, next)));
}

/// Lower case of the character at `at`.
void append_lower(std::string& out, std::string_view text, size_t at, bool after_cased) {
  const uint32_t code = code_at(text, at);
  if (code == kSigma && is_final_sigma(text, at, after_cased)) {
    io::append_utf8(out, kFinalSigma);
  } else {
    kLower.append(out, code);
  }
}

}  // namespace

uint8_t properties_of(uint32_t code) {
  const auto after = std::upper_bound(std::begin(kPropertyRuns), std::end(kPropertyRuns), code << 8 | 0xFF);
  return static_cast<uint8_t>(*std::prev(after));
}

int64_t length_of(std::string_view text) {
  return std::count_if(text.begin(), text.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

size_t offset_of(std::string_view text, int64_t index) {
  size_t at = 0;
  for (; index > 0; --index) at += size_at(text, at);
  return at;
}

uint32_t code_at(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(text[at + i])); };
  const auto tail = [&](size_t i) { return byte(i) & 63; };
  switch (size_at(text, at)) {
    case 1:
      return byte(0);
    case 2:
      return (byte(0) & 31) << 6 | tail(1);
    case 3:
      return (byte(0) & 15) << 12 | tail(1) << 6 | tail(2);
    default:
      return (byte(0) & 7) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3);
  }
}

std::vector<uint32_t> codes_of(std::string_view text) {
  std::vector<uint32_t> codes;
  for (size_t i = 0; i < text.size(); i += size_at(text, i)) codes.push_back(code_at(text, i));
  return codes;
}

bool is_space(uint32_t c) {
  if (c < 0x80) return (c >= 9 && c <= 13) || (c >= 28 && c <= 32);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}
bool is_line_end(uint32_t c) {
  return (c >= 10 && c <= 13) || (c >= 28 && c <= 30) || c == 0x85 || c == 0x2028 || c == 0x2029;
}
bool is_printable(uint32_t code) { return (properties_of(code) & kHiddenBit) == 0; }
bool is_upper(uint32_t code) { return (properties_of(code) & kUpperBit) != 0; }
bool is_lower(uint32_t code) { return (properties_of(code) & kLowerBit) != 0; }
bool is_cased(uint32_t code) { return (properties_of(code) & (kUpperBit | kLowerBit | kTitleBit)) != 0; }

std::string to_upper(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); i += size_at(text, i)) kUpper.append(out, code_at(text, i));
  return out;
}

std::string to_folded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); i += size_at(text, i)) kFold.append(out, code_at(text, i));
  return out;
}

std::string to_lower(std::string_view text) {
  std::string out;
  bool after_cased = false;
  for (size_t i = 0; i < text.size(); i += size_at(text, i)) {
    append_lower(out, text, i, after_cased);
    after_cased = is_cased(code_at(text, i));
  }
  return out;
}

std::string to_title(std::string_view text) {
  std::string out;
  bool after_cased = false;
  for (size_t i = 0; i < text.size(); i += size_at(text, i)) {
    if (after_cased) {
      append_lower(out, text, i, true);
    } else {
      kTitle.append(out, code_at(text, i));
    }
    after_cased = is_cased(code_at(text, i));
  }
  return out;
}

std::string to_capitalized(std::string_view text) {
  std::string out;
  if (text.empty()) return out;
  const size_t first = size_at(text, 0);
  kTitle.append(out, code_at(text, 0));
  bool after_cased = is_cased(code_at(text, 0));
  for (size_t i = first; i < text.size(); i += size_at(text, i)) {
    append_lower(out, text, i, after_cased);
    after_cased = is_cased(code_at(text, i));
  }
  return out;
}

std::string swap_case(std::string_view text) {
  std::string out;
  bool after_cased = false;
  for (size_t i = 0; i < text.size(); i += size_at(text, i)) {
    const uint32_t code = code_at(text, i);
    if (is_upper(code)) {
      append_lower(out, text, i, after_cased);
    } else if (is_lower(code)) {
      kUpper.append(out, code);
    } else {
      io::append_utf8(out, code);
    }
    after_cased = is_cased(code);
  }
  return out;
}

namespace {

template <class Drop>
std::string_view strip_if(std::string_view text, bool left, bool right, Drop drop) {
  while (left && !text.empty() && drop(code_at(text, 0))) text.remove_prefix(size_at(text, 0));
  while (right && !text.empty()) {
    size_t last = text.size() - 1;
    while (last > 0 && (static_cast<unsigned char>(text[last]) & 0xC0) == 0x80) --last;
    if (!drop(code_at(text, last))) break;
    text.remove_suffix(text.size() - last);
  }
  return text;
}

}  // namespace

std::string_view strip(std::string_view text, bool left, bool right) {
  return strip_if(text, left, right, is_space);
}
std::string_view strip(std::string_view text, std::string_view chars, bool left, bool right) {
  auto codes = codes_of(chars);
  std::sort(codes.begin(), codes.end());
  return strip_if(text, left, right,
                  [&](uint32_t c) { return std::binary_search(codes.begin(), codes.end(), c); });
}

}  // namespace suiren::text::jinja
