#pragma once
// Hand-written scanners for the split patterns in common use: one pass, no backtracking engine. Thread-safe.

#include <cstdint>
#include <optional>
#include <string_view>

namespace suiren::text {

/// The patterns a scanner knows, by the names that `--pattern` takes.
enum class Pattern : uint8_t { kGpt2, kCl100k, kQwen2, kO200k };

/// "gpt2", "cl100k", "qwen2" or "o200k" -> pattern.
std::optional<Pattern> pattern_named(std::string_view name);
/// The regular expression, as tokenizer.json files spell it.
std::string_view pattern_regex(Pattern pattern);
/// The pattern that a regular expression spells in one of its known forms.
std::optional<Pattern> pattern_of_regex(std::string_view regex);

/// The end of the first pre-token of the text [p, end), p < end. Every byte belongs to some pre-token.
const char* scan_gpt2(const char* p, const char* end, const uint8_t* classes);
const char* scan_cl100k(const char* p, const char* end, const uint8_t* classes, int max_digits);
const char* scan_o200k(const char* p, const char* end, const uint8_t* classes);

}  // namespace suiren::text
