#pragma once
// What filters and the methods of str share. Pure functions but for the budget.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "suiren/text/jinja/builtins.h"

namespace suiren::text::jinja {

/// Text made from `on`: safe if that was.
Value made(const Value& on, std::string text);
/// str.replace(from, to, times); all for times < 0.
std::string replace_text(Interpreter& in, const std::string& text, const std::string& from,
                         const std::string& to, int64_t times);
/// str.splitlines().
std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends = false);
/// str.isupper() or islower().
bool all_cased(std::string_view text, bool upper);
/// str.center(width).
std::string centered(Interpreter& in, const std::string& text, int64_t width, std::string_view fill);

}  // namespace suiren::text::jinja
