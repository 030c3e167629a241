#pragma once
// Numbers and text in a field of their own, as a format specification says (Python's "Format Specification
// Mini-Language"). Pure functions.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "suiren/text/jinja/value.h"

namespace suiren::text::jinja {

/// [[fill]align][sign][#][0][width][,|_][.precision][type]
struct FormatSpec {
  std::string fill = " ";
  char align = '\0', sign = '-', separator = '\0', type = '\0';
  bool alternate = false;
  int64_t width = 0;
  std::optional<int64_t> precision;
};

/// Error{kInvalid} for what is no specification. Width and precision are at most 100,000.
FormatSpec parse_format_spec(std::string_view text);
/// The value in its field. Error{kInvalid} for a type letter that does not fit it.
std::string format_value(const Value& value, const FormatSpec& spec, Budget& budget);

}  // namespace suiren::text::jinja
