#pragma once
// Filters, tests, methods and global functions by name. Thread-safe: constant tables.

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "suiren/text/jinja/value.h"

namespace suiren::text::jinja {

/// The arguments of a call.
struct Args {
  List positional;
  std::vector<std::pair<std::string, Value>> keyword;

  /// One value for each parameter, missing where none was given. Error{kInvalid} for too many, an unknown
  /// name, or fewer than `required`. `who` names the callee.
  List bind(std::string_view who, std::initializer_list<const char*> parameters, size_t required = 0) const;
};

/// A filter, test, method or function: `on` is what stands before | or is, or the object of the method.
struct Builtin {
  const char* name;
  Value (*call)(Interpreter&, const Value& on, const Args&);
};
using Builtins = std::span<const Builtin>;

const Builtin* find_filter(std::string_view name);
const Builtin* find_test(std::string_view name);
/// The method of a str, dict, list, tuple or float; null if there is none.
const Builtin* find_method(const Value& on, std::string_view name);
/// Whether Python has a method of that name which would change the object: never available.
bool is_mutating_method(const Value& on, std::string_view name);
/// range, dict, namespace, raise_exception ...: a function, or missing.
Value find_global(std::string_view name);

// The tables, each in the file that its name says.
Builtins tests();
Builtins global_functions();
Builtins text_filters();
Builtins sequence_filters();
Builtins selection_filters();
Builtins value_filters();
Builtins string_methods();
Builtins more_string_methods();
Builtins container_methods(const Value& on);

// Reading of arguments; errors name the parameter.

int64_t to_int(const Value& value, std::string_view what);
const std::string& to_text(const Value& value, std::string_view what);
inline bool given(const Value& argument) { return !argument.is_missing(); }
inline bool given_not_none(const Value& argument) { return given(argument) && !argument.is_none(); }

}  // namespace suiren::text::jinja
