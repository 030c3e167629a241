#pragma once
// Formatted text, as Python's % and str.format() make it.

#include <string>
#include <string_view>

#include "suiren/text/jinja/builtins.h"

namespace suiren::text::jinja {

/// template % values: a tuple, a dict for %(name)s, or one value.
Value percent_format(Interpreter& in, const Value& format, const Value& values);
/// template.format(...): {}, {0}, {name}, {0.attribute[key]}, !r !s, and format specifications.
Value brace_format(Interpreter& in, const Value& format, const Args& args);

}  // namespace suiren::text::jinja
