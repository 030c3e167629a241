#include "suiren/text/unicode_forms.h"

#include <algorithm>
#include <span>
#include <vector>

#include "suiren/io/utf8.h"
#include "suiren/text/unicode.h"

namespace suiren::text {

namespace {

#include "suiren/text/unicode_forms.inc"

// Hangul syllables are arithmetic (Unicode standard, section 3.12).
constexpr uint32_t kHangul = 0xAC00, kLead = 0x1100, kVowel = 0x1161, kTail = 0x11A7;
constexpr uint32_t kLeads = 19, kVowels = 21, kTails = 28, kSyllables = kLeads * kVowels * kTails;
constexpr uint32_t kCodes = 0x110000;

/// For each code point a byte: that value of the runs (first code point << 8 | value).
std::vector<uint8_t> expand(std::span<const uint32_t> runs) {
  std::vector<uint8_t> out(kCodes);
  for (size_t i = 0; i < runs.size(); ++i)
    std::fill(out.begin() + (runs[i] >> 8),
              i + 1 < runs.size() ? out.begin() + (runs[i + 1] >> 8) : out.end(),
              static_cast<uint8_t>(runs[i]));
  return out;
}

struct Forms {
  std::vector<uint8_t> combining = expand(kCombiningRuns);
  /// Bit f: under NormalForm f the character may change, or join or trade places with one before it.
  std::vector<uint8_t> unsafe = std::vector<uint8_t>(kCodes);
  std::vector<std::pair<uint32_t, uint32_t>> canonical_at, compatible_at;  // code, index into its table

  Forms() {
    index(kCanonical, canonical_at, 0b1010);
    index(kCompatible, compatible_at, 0b1100);
    // A canonical decomposition that composes back is safe under NFC and NFKC.
    for (const auto& [code, at] : canonical_at) unsafe[code] |= 0b0101;
    for (size_t i = 0; i < std::size(kCompositions); i += 3) {
      const uint32_t composite = kCompositions[i + 2];
      unsafe[composite] &= ~1;
      if (!std::binary_search(compatible_at.begin(), compatible_at.end(), std::pair(composite, 0u), by_code))
        unsafe[composite] &= ~4;
    }
    for (size_t i = 0; i < std::size(kCompositions); i += 3) unsafe[kCompositions[i + 1]] |= 0b0101;
    for (uint32_t c = 0; c < kSyllables; ++c) unsafe[kHangul + c] |= 0b1010;
    for (uint32_t c = 0; c < kVowels; ++c) unsafe[kVowel + c] |= 0b0101;
    for (uint32_t c = 0; c < kTails; ++c) unsafe[kTail + c] |= 0b0101;
    for (uint32_t c = 0; c < kCodes; ++c)
      if (combining[c]) unsafe[c] = 0b1111;
  }
  static bool by_code(const std::pair<uint32_t, uint32_t>& a, const std::pair<uint32_t, uint32_t>& b) {
    return a.first < b.first;
  }
  void index(std::span<const uint32_t> table, std::vector<std::pair<uint32_t, uint32_t>>& at, uint8_t bits) {
    for (uint32_t i = 0; i < table.size(); i += 1 + (table[i] >> 24)) {
      at.emplace_back(table[i] & 0xFFFFFF, i);
      unsafe[table[i] & 0xFFFFFF] |= bits;
    }
  }
  /// The stored decomposition of a code point; empty when it has none.
  static std::span<const uint32_t> find(const std::vector<std::pair<uint32_t, uint32_t>>& at,
                                        std::span<const uint32_t> table, uint32_t code) {
    const auto found = std::lower_bound(at.begin(), at.end(), std::pair(code, 0u), by_code);
    if (found == at.end() || found->first != code) return {};
    return table.subspan(found->second + 1, table[found->second] >> 24);
  }
};

const Forms& forms() {
  static const Forms f;
  return f;
}

using Codes = std::vector<uint32_t>;

void decompose(uint32_t code, bool compatible, Codes& out) {
  const Forms& f = forms();
  if (code >= kHangul && code < kHangul + kSyllables) {
    const uint32_t s = code - kHangul;
    out.push_back(kLead + s / (kVowels * kTails));
    out.push_back(kVowel + s / kTails % kVowels);
    if (s % kTails) out.push_back(kTail + s % kTails);
    return;
  }
  std::span<const uint32_t> parts;
  if (compatible) parts = f.find(f.compatible_at, kCompatible, code);
  if (parts.empty()) parts = f.find(f.canonical_at, kCanonical, code);
  if (parts.empty()) out.push_back(code);
  out.insert(out.end(), parts.begin(), parts.end());
}

/// What two characters compose to; 0: nothing.
uint32_t compose(uint32_t first, uint32_t second) {
  if (first >= kLead && first < kLead + kLeads && second >= kVowel && second < kVowel + kVowels)
    return kHangul + ((first - kLead) * kVowels + second - kVowel) * kTails;
  if (first >= kHangul && first < kHangul + kSyllables && (first - kHangul) % kTails == 0 && second > kTail &&
      second < kTail + kTails)
    return first + second - kTail;
  size_t low = 0, high = std::size(kCompositions) / 3;
  while (low < high) {
    const size_t mid = (low + high) / 2;
    const uint32_t *row = kCompositions + mid * 3, a = row[0], b = row[1];
    if (a == first && b == second) return row[2];
    if (std::pair(a, b) < std::pair(first, second))
      low = mid + 1;
    else
      high = mid;
  }
  return 0;
}

/// Marks in a row go by rising class; those of equal class keep their order.
void order_marks(Codes& codes) {
  const auto& classes = forms().combining;
  for (size_t i = 0; i < codes.size();) {
    size_t end = i;
    while (end < codes.size() && classes[codes[end]]) ++end;
    std::stable_sort(codes.begin() + static_cast<int64_t>(i), codes.begin() + static_cast<int64_t>(end),
                     [&](uint32_t a, uint32_t b) { return classes[a] < classes[b]; });
    i = end + 1;
  }
}

void compose_all(Codes& codes) {
  const auto& classes = forms().combining;
  size_t starter = codes.size(), out = 0;
  int last_class = -1;  // of what stands between the starter and here; -1: nothing
  for (const uint32_t code : Codes(codes)) {
    const int cls = classes[code];
    const uint32_t joined = starter < out && last_class < cls ? compose(codes[starter], code) : 0;
    if (joined) {
      codes[starter] = joined;
      continue;
    }
    if (cls == 0)
      starter = out, last_class = -1;
    else
      last_class = cls;
    codes[out++] = code;
  }
  codes.resize(out);
}

}  // namespace

std::string normalize(std::string_view text, NormalForm form) {
  const uint8_t* unsafe = forms().unsafe.data();
  const uint8_t bit = static_cast<uint8_t>(1 << static_cast<int>(form));
  const bool compatible = form == NormalForm::kNfkc || form == NormalForm::kNfkd,
             composes = form == NormalForm::kNfc || form == NormalForm::kNfkc;
  std::string out;
  out.reserve(text.size());
  const char *p = text.data(), *end = p + text.size(), *copied = p, *previous = p;
  Codes codes;
  const auto is_safe = [&](const Char& c) { return c.code == kInvalidByte || !(unsafe[c.code] & bit); };
  while (p < end) {
    Char c = read_char(p, end, unsafe);
    if (is_safe(c)) {
      previous = p;
      p += c.size;
      continue;
    }
    // From the character before, which may join with what follows, up to the next that is safe.
    if (previous < p && read_char(previous, end, unsafe).code == kInvalidByte) previous = p;
    out.append(copied, previous);
    codes.clear();
    for (p = previous; p < end; p += c.size) {
      c = read_char(p, end, unsafe);
      if (p != previous && is_safe(c)) break;
      decompose(c.code, compatible, codes);
    }
    order_marks(codes);
    if (composes) compose_all(codes);
    for (const uint32_t code : codes) io::append_utf8(out, code);
    copied = previous = p;
  }
  out.append(copied, end);
  return out;
}

std::string lower_case(std::string_view text) {
  static const std::vector<int32_t> distance = [] {
    std::vector<int32_t> d(0x20000);
    for (size_t i = 0; i < std::size(kLowerRuns); i += 4)
      for (uint32_t c = kLowerRuns[i]; c <= kLowerRuns[i + 1]; c += kLowerRuns[i + 2])
        d[c] = static_cast<int32_t>(kLowerRuns[i + 3]);
    return d;
  }();
  std::string out;
  out.reserve(text.size());
  const char *p = text.data(), *end = p + text.size();
  while (p < end) {
    const Char c = read_char(p, end, char_classes());
    if (c.code == 0x130)
      out += "i\xCC\x87";
    else if (c.code >= distance.size() || distance[c.code] == 0)
      out.append(p, c.size);
    else
      io::append_utf8(out, c.code + static_cast<uint32_t>(distance[c.code]));
    p += c.size;
  }
  return out;
}

std::string replace_sets(std::string_view text, uint8_t removed, uint8_t spaces, uint8_t apart) {
  static const std::vector<uint8_t> sets = expand(kSetRuns);
  std::string out;
  out.reserve(text.size());
  const char *p = text.data(), *end = p + text.size();
  while (p < end) {
    const Char c = read_char(p, end, sets.data());
    if (c.bits & apart) {
      out += ' ', out.append(p, c.size), out += ' ';
    } else if (c.bits & spaces) {
      out += ' ';
    } else if (!(c.bits & removed)) {
      out.append(p, c.size);
    }
    p += c.size;
  }
  return out;
}

}  // namespace suiren::text
