#pragma once
// HTML escapes and the strings that carry them. Pure functions.

#include <string>
#include <string_view>

#include "suiren/text/jinja/value.h"

namespace suiren::text::jinja {

/// & < > ' " as entities.
std::string escape_html(std::string_view text, Budget& budget);
/// str(value), escaped unless it is safe already.
std::string escaped(const Value& value, Budget& budget);
/// Without tags and comments, white space collapsed, the common entities read.
std::string strip_tags(std::string_view text, Budget& budget);

}  // namespace suiren::text::jinja
