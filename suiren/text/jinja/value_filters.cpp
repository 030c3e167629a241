// Filters on single values: defaults, numbers, JSON.

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "suiren/text/jinja/code_points.h"
#include "suiren/text/jinja/interpreter.h"
#include "suiren/text/jinja/print.h"

namespace suiren::text::jinja {
namespace {

Value default_value(Interpreter&, const Value& on, const Args& args) {
  const List a = args.bind("default", {"default_value", "boolean"});
  const bool falsy_too = given(a[1]) && a[1].truth();
  if (!on.is_undefined() && !(falsy_too && !on.truth())) return on;
  return given(a[0]) ? a[0] : Value("");
}

/// Digits of a Python literal: underscores only between digits.
std::optional<std::string> without_underscores(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      out += text[i];
    } else if (i == 0 || i + 1 == text.size() || std::isalnum(static_cast<unsigned char>(text[i - 1])) == 0 ||
               std::isalnum(static_cast<unsigned char>(text[i + 1])) == 0) {
      return std::nullopt;
    }
  }
  return out;
}

/// int(text, base), or nothing where Python raises ValueError.
std::optional<int64_t> parse_int(std::string_view text, int64_t base) {
  text = strip(text, true, true);
  bool negative = false;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  if (text.size() > 2 && text[0] == '0') {
    const char kind = static_cast<char>(text[1] | 32);
    const int64_t named = kind == 'x' ? 16 : kind == 'o' ? 8 : kind == 'b' ? 2 : 0;
    if (named != 0 && (base == named || base == 0)) {
      base = named;
      text.remove_prefix(text[2] == '_' ? 3 : 2);
    }
  }
  if (base == 0) base = 10;
  const auto digits = without_underscores(text);
  if (!digits || digits->empty() || (*digits)[0] == '-') return std::nullopt;
  const std::string signed_digits = (negative ? "-" : "") + *digits;
  int64_t value = 0;
  const char* end = signed_digits.data() + signed_digits.size();
  const auto [stop, status] = std::from_chars(signed_digits.data(), end, value, static_cast<int>(base));
  if (status == std::errc::invalid_argument || stop != end) return std::nullopt;
  SR_CHECK(status == std::errc{}, "the number {} has more than 64 bits", signed_digits.substr(0, 40));
  return value;
}

/// float(text), or nothing where Python raises ValueError.
std::optional<double> parse_float(std::string_view text) {
  const auto clean = without_underscores(strip(text, true, true));
  if (!clean || clean->empty()) return std::nullopt;
  std::string_view rest = *clean;
  if (rest[0] == '+' || rest[0] == '-') rest.remove_prefix(1);
  const std::string word = to_lower(rest);
  const bool named = word == "inf" || word == "infinity" || word == "nan";
  if (!named && (rest.empty() || rest.find_first_not_of("0123456789.eE+-") != rest.npos || rest[0] == '+' ||
                 rest[0] == '-'))
    return std::nullopt;
  char* stop = nullptr;
  const double value = std::strtod(clean->c_str(), &stop);
  if (stop != clean->c_str() + clean->size()) return std::nullopt;
  return value;
}

/// int(value) of a float: towards zero.
int64_t truncated(double value) {
  SR_CHECK(value >= -9223372036854775808.0 && value < 9223372036854775808.0, "{} does not fit 64 bits",
           float_repr(value));
  return static_cast<int64_t>(value);
}

Value to_integer(Interpreter&, const Value& on, const Args& args) {
  const List a = args.bind("int", {"default", "base"});
  const Value otherwise = given(a[0]) ? a[0] : Value(int64_t{0});
  const int64_t base = given(a[1]) ? to_int(a[1], "int") : 10;
  refuse_undefined(on);
  if (on.is_integral()) return on.as_int();
  if (on.is(Value::Kind::kFloat))
    return std::isnan(on.as_float()) ? otherwise : Value(truncated(on.as_float()));
  if (!on.is_string()) return otherwise;
  SR_CHECK(base == 0 || (base >= 2 && base <= 36), "int: a base of {}", base);
  if (const auto value = parse_int(on.as_string(), base)) return *value;
  const auto value = parse_float(on.as_string());
  return value && std::isfinite(*value) ? Value(truncated(*value)) : otherwise;
}

Value to_float(Interpreter&, const Value& on, const Args& args) {
  const List a = args.bind("float", {"default"});
  refuse_undefined(on);
  if (on.is_number()) return on.as_float();
  const auto value = on.is_string() ? parse_float(on.as_string()) : std::nullopt;
  return value ? Value(*value) : given(a[0]) ? a[0] : Value(0.0);
}

Value absolute(Interpreter&, const Value& on, const Args& args) {
  args.bind("abs", {});
  refuse_undefined(on);
  SR_CHECK(on.is_number(), "abs of {}", on.type_name());
  if (on.is(Value::Kind::kFloat)) return std::fabs(on.as_float());
  SR_CHECK(on.as_int() != INT64_MIN, "abs of {} does not fit 64 bits", on.as_int());
  return std::abs(on.as_int());
}

/// round(): to the nearest, ties to even, decided on the exact value.
Value rounded(const Value& on, int64_t precision) {
  if (on.is_integral()) {
    SR_CHECK(precision >= 0, "round of an int to tens is not supported");
    return on.as_int();
  }
  const double value = on.as_float();
  if (!std::isfinite(value) || precision > 320) return value;
  if (precision < 0) {
    const double unit = std::pow(10.0, static_cast<double>(std::min<int64_t>(-precision, 320)));
    return std::isinf(unit) ? std::copysign(0.0, value) : std::nearbyint(value / unit) * unit;
  }
  char text[700];
  std::snprintf(text, sizeof(text), "%.*f", static_cast<int>(precision), value);
  return std::strtod(text, nullptr);
}

Value round_filter(Interpreter&, const Value& on, const Args& args) {
  const List a = args.bind("round", {"precision", "method"});
  const int64_t precision = given(a[0]) ? to_int(a[0], "round") : 0;
  const std::string method = given(a[1]) ? to_text(a[1], "round") : "common";
  SR_CHECK(method == "common" || method == "ceil" || method == "floor",
           "round: the method is '{}', expected common, ceil or floor", method);
  refuse_undefined(on);
  SR_CHECK(on.is_number(), "round of {}", on.type_name());
  if (method == "common") return rounded(on, precision);
  const double unit = std::pow(10.0, static_cast<double>(precision)), scaled = on.as_float() * unit;
  SR_CHECK(std::isfinite(scaled) && unit != 0, "round: the number is too large");
  return (method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / unit;
}

Value to_json_filter(Interpreter& in, const Value& on, const Args& args) {
  const List a = args.bind("tojson", {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style{.ensure_ascii = given(a[0]) && a[0].truth(), .sort_keys = given(a[3]) && a[3].truth()};
  if (given_not_none(a[1])) {
    style.indented = true;
    style.item_separator = ",";
    const int64_t width = a[1].is_string() ? 0 : std::max<int64_t>(to_int(a[1], "tojson: indent"), 0);
    in.budget().spend_bytes(static_cast<uint64_t>(width));
    style.indent = a[1].is_string() ? a[1].as_string() : std::string(static_cast<size_t>(width), ' ');
  }
  if (given_not_none(a[2])) {
    const List two = to_list(in, a[2]);
    SR_CHECK(two.size() == 2, "tojson: separators are two strings, these are {}", two.size());
    style.item_separator = to_text(two[0], "tojson: a separator");
    style.key_separator = to_text(two[1], "tojson: a separator");
  }
  refuse_undefined(on);
  return to_json(on, style, in.budget());
}

Value attr(Interpreter& in, const Value& on, const Args& args) {
  const std::string& name = to_text(args.bind("attr", {"name"}, 1)[0], "attr");
  if (!on.is_dict() || find_method(on, name) != nullptr || is_mutating_method(on, name))
    return in.attribute(on, name);
  return Value::undefined("a dict has no attribute '" + name + "'");
}

Value length(Interpreter&, const Value& on, const Args& args) {
  args.bind("length", {});
  const int64_t size = size_of(on);
  SR_CHECK(size >= 0, "{} has no length", on.type_name());
  return size;
}

constexpr Builtin kFilters[] = {
    {"default", default_value}, {"d", default_value},    {"int", to_integer}, {"float", to_float},
    {"abs", absolute},          {"round", round_filter}, {"attr", attr},      {"tojson", to_json_filter},
    {"length", length},         {"count", length},
};

}  // namespace

Builtins value_filters() { return kFilters; }

}  // namespace suiren::text::jinja
