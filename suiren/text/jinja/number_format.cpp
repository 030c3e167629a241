#include "suiren/text/jinja/number_format.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "suiren/io/utf8.h"
#include "suiren/text/jinja/code_points.h"
#include "suiren/text/jinja/print.h"

namespace suiren::text::jinja {
namespace {

constexpr int64_t kMaxField = 100000;

int64_t take_number(std::string_view text, size_t& at) {
  int64_t number = 0;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
    number = number * 10 + (text[at] - '0');
    SR_CHECK(number <= kMaxField, "a format's width or precision is larger than {}", kMaxField);
  }
  return number;
}

bool is_align(char c) { return c == '<' || c == '>' || c == '^' || c == '='; }

/// Thousands with a separator between them, in the digits before the point.
std::string grouped(const std::string& digits, char separator, size_t group) {
  if (separator == '\0') return digits;
  const size_t whole = std::min(digits.find_first_not_of("0123456789abcdefABCDEF"), digits.size());
  std::string out;
  for (size_t i = 0; i < whole; ++i) {
    if (i > 0 && (whole - i) % group == 0) out += separator;
    out += digits[i];
  }
  return out + digits.substr(whole);
}

std::string in_base(uint64_t magnitude, unsigned base, bool upper) {
  const char* const all = upper ? "0123456789ABCDEF" : "0123456789abcdef";
  std::string digits;
  do {
    digits += all[magnitude % base];
  } while ((magnitude /= base) > 0);
  std::reverse(digits.begin(), digits.end());
  return digits;
}

std::string printed(const char* format, int precision, double value) {
  const int size = std::snprintf(nullptr, 0, format, precision, value);
  std::string text(static_cast<size_t>(size) + 1, '\0');
  std::snprintf(text.data(), text.size(), format, precision, value);
  text.pop_back();
  return text;
}

/// The digits of a float >= 0, without a sign.
std::string float_digits(double value, const FormatSpec& spec) {
  const char type = spec.type;
  const auto precision = static_cast<int>(spec.precision.value_or(6));
  std::string text;
  if (std::isnan(value) || std::isinf(value)) {
    text = std::isnan(value) ? "nan" : "inf";
    if (type == '%') text += '%';
  } else if (type == '\0') {
    if (!spec.precision) return float_repr(value);
    text = printed("%.*g", std::max(precision, 1), value);
    if (text.find_first_of(".e") == text.npos) text += ".0";
  } else if (type == '%') {
    text = printed("%.*f", precision, value * 100) + "%";
  } else if (type == 'f' || type == 'F') {
    text = printed(spec.alternate ? "%#.*f" : "%.*f", precision, value);
  } else if (type == 'e' || type == 'E') {
    text = printed(spec.alternate ? "%#.*e" : "%.*e", precision, value);
  } else {
    text = printed(spec.alternate ? "%#.*g" : "%.*g", precision, value);
  }
  if (type == 'F' || type == 'E' || type == 'G')
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  return text;
}

std::string pad(const std::string& sign, const std::string& body, const FormatSpec& spec, char align,
                Budget& budget) {
  const int64_t missing = spec.width - length_of(sign) - length_of(body);
  if (missing <= 0) return sign + body;
  budget.spend_product(static_cast<uint64_t>(missing), spec.fill.size());
  const auto fill = [&](int64_t times) {
    std::string out;
    for (int64_t i = 0; i < times; ++i) out += spec.fill;
    return out;
  };
  if (align == '<') return sign + body + fill(missing);
  if (align == '^') return fill(missing / 2) + sign + body + fill(missing - missing / 2);
  return align == '=' ? sign + fill(missing) + body : fill(missing) + sign + body;
}

std::string format_integer(int64_t value, const FormatSpec& spec, Budget& budget) {
  const uint64_t magnitude = value < 0 ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  SR_CHECK(!spec.precision, "a precision is given for an int");
  const char type = spec.type;
  if (type == 'c') {
    SR_CHECK(magnitude < 0x110000 && value >= 0 && (value < 0xD800 || value > 0xDFFF), "{} is no character",
             value);
    std::string text;
    io::append_utf8(text, static_cast<uint32_t>(value));
    return pad("", text, spec, spec.align == '\0' ? '<' : spec.align, budget);
  }
  std::string sign = value < 0 ? "-" : spec.sign == '+' ? "+" : spec.sign == ' ' ? " " : "";
  const unsigned base = type == 'x' || type == 'X' ? 16 : type == 'o' ? 8 : type == 'b' ? 2 : 10;
  std::string body = grouped(in_base(magnitude, base, type == 'X'), spec.separator, base == 10 ? 3 : 4);
  if (spec.alternate && base != 10) sign += std::string("0") + type;
  return pad(sign, body, spec, spec.align == '\0' ? '>' : spec.align, budget);
}

std::string format_float(double value, const FormatSpec& spec, Budget& budget) {
  const bool negative = std::signbit(value) && !std::isnan(value);
  const std::string sign = negative ? "-" : spec.sign == '+' ? "+" : spec.sign == ' ' ? " " : "";
  const std::string body = grouped(float_digits(std::fabs(value), spec), spec.separator, 3);
  return pad(sign, body, spec, spec.align == '\0' ? '>' : spec.align, budget);
}

}  // namespace

FormatSpec parse_format_spec(std::string_view text) {
  FormatSpec spec;
  size_t at = 0;
  const size_t first = text.empty() ? 0 : size_at(text, 0);
  if (first < text.size() && is_align(text[first])) {
    spec.fill = text.substr(0, first);
    spec.align = text[first];
    at = first + 1;
  } else if (!text.empty() && is_align(text[0])) {
    spec.align = text[at++];
  }
  const auto next_is = [&](std::string_view any) {
    return at < text.size() && any.find(text[at]) != any.npos;
  };
  if (next_is("+- ")) spec.sign = text[at++];
  if (next_is("#")) spec.alternate = true, ++at;
  if (next_is("0")) {
    if (spec.align == '\0') spec.fill = "0", spec.align = '=';
    ++at;
  }
  spec.width = take_number(text, at);
  if (next_is(",_")) spec.separator = text[at++];
  if (next_is(".")) {
    const size_t digits = ++at;
    spec.precision = take_number(text, at);
    SR_CHECK(at > digits, "the format '{}' has a point without a precision", text);
  }
  if (next_is("bcdeEfFgGnosxX%")) spec.type = text[at++];
  SR_CHECK(at == text.size(), "'{}' is no format specification", text);
  return spec;
}

std::string format_value(const Value& value, const FormatSpec& spec, Budget& budget) {
  const auto needs = [&](std::string_view types) {
    SR_CHECK(spec.type == '\0' || types.find(spec.type) != types.npos, "the format '{}' is not for {}",
             spec.type, value.type_name());
  };
  if (value.is_integral() && spec.type != '\0' &&
      std::string_view("eEfFgG%").find(spec.type) != std::string_view::npos)
    return format_float(static_cast<double>(value.as_int()), spec, budget);
  if (value.is_integral()) {
    needs("bcdnoxX");
    return format_integer(value.as_int(), spec, budget);
  }
  if (value.is(Value::Kind::kFloat)) {
    needs("eEfFgGn%");
    return format_float(value.as_float(), spec, budget);
  }
  SR_CHECK(value.is_string(), "{} takes no format specification", value.type_name());
  needs("s");
  SR_CHECK(spec.align != '=' && spec.sign == '-' && !spec.alternate && spec.separator == '\0',
           "the format is not for a str");
  const std::string& text = value.as_string();
  budget.spend_bytes(text.size());
  const int64_t kept = spec.precision ? std::min(*spec.precision, length_of(text)) : length_of(text);
  return pad("", text.substr(0, offset_of(text, kept)), spec, spec.align == '\0' ? '<' : spec.align, budget);
}

}  // namespace suiren::text::jinja
