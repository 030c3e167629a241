#pragma once
// What normalizers do to text: the four Unicode normal forms (UAX #15), lower case, and the sets of
// characters that BERT's and NMT's cleaning know. The tables (unicode_forms.inc) are those of PyPI
// tokenizers: normal forms of Unicode 12. A byte that belongs to no character stays as it is. Thread-safe.

#include <cstdint>
#include <string>
#include <string_view>

namespace suiren::text {

enum class NormalForm : uint8_t { kNfc, kNfd, kNfkc, kNfkd };

/// `text` in the form. Runs of characters that the form leaves alone are copied as they are.
std::string normalize(std::string_view text, NormalForm form);

/// Each character in lower case, by itself (no final sigma).
std::string lower_case(std::string_view text);

/// Sets of characters, as bits.
enum CharSet : uint8_t {
  kAccent = 1,            ///< StripAccents removes it
  kNonspacingMark = 2,    ///< BertNormalizer's strip_accents removes it
  kBertControl = 4,       ///< BertNormalizer's clean_text removes it
  kBertSpace = 8,         ///< ... makes it a space
  kNmtControl = 16,       ///< Nmt removes it
  kNmtSpace = 32,         ///< ... makes it a space
  kChineseCharacter = 64  ///< BertNormalizer's handle_chinese_chars puts spaces around it
};

/// Removes characters of the sets `removed`, makes those of `spaces` a space and puts spaces around those of
/// `apart`.
std::string replace_sets(std::string_view text, uint8_t removed, uint8_t spaces, uint8_t apart);

}  // namespace suiren::text
