#pragma once
// Values as text: Python's str() and repr(), and json.dumps(). Pure functions; each costs the budget what it
// writes.

#include <string>

#include "suiren/text/jinja/value.h"

namespace suiren::text::jinja {

/// repr(1e16) is "1e+16", repr(0.1) is "0.1": the shortest digits that read back the same.
std::string float_repr(double value);
std::string string_repr(std::string_view text);
std::string repr(const Value& value, Budget& budget);
/// str(): strings as they are, "" for undefined, otherwise repr().
std::string to_string(const Value& value, Budget& budget);

struct JsonStyle {
  bool ensure_ascii = false;
  bool sort_keys = false;
  bool indented = false;
  std::string indent;  ///< one level, if indented
  std::string item_separator = ", ", key_separator = ": ";
};
/// Error{kInvalid} names what JSON cannot say.
std::string to_json(const Value& value, const JsonStyle& style, Budget& budget);

}  // namespace suiren::text::jinja
