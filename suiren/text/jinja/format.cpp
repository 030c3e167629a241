#include "suiren/text/jinja/format.h"

#include <algorithm>
#include <charconv>

#include "suiren/text/jinja/code_points.h"
#include "suiren/text/jinja/interpreter.h"
#include "suiren/text/jinja/markup.h"
#include "suiren/text/jinja/number_format.h"
#include "suiren/text/jinja/print.h"

namespace suiren::text::jinja {
namespace {

/// Runs over "...%(name)-5.2f...".
class PercentFormat {
 public:
  PercentFormat(Interpreter& in, const Value& format, const Value& values)
      : in_(in), text_(format.as_string()), safe_(format.is_safe()), values_(values) {}

  Value run() {
    in_.budget().spend_bytes(text_.size());
    while (at_ < text_.size()) {
      if (text_[at_] != '%') {
        out_ += text_[at_++];
      } else {
        ++at_;
        conversion();
      }
    }
    const bool all_used = values_.is(Value::Kind::kTuple)
                              ? used_ == values_.items().size()
                              : used_ > 0 || values_.is_dict() || values_.is(Value::Kind::kList);
    SR_CHECK(all_used, "not all values were used by '%'");
    return Value(std::move(out_), safe_);
  }

 private:
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  Value next_value() {
    if (!values_.is(Value::Kind::kTuple)) {
      SR_CHECK(used_ == 0, "'%' has more places than values");
      ++used_;
      return values_;
    }
    SR_CHECK(used_ < values_.items().size(), "'%' has more places than values");
    return values_.items()[used_++];
  }
  int64_t size_or_star() {
    if (peek() == '*') {
      ++at_;
      const int64_t size = to_int(next_value(), "the '*' of a format");
      SR_CHECK(size >= -100000 && size <= 100000, "a format's width is {}", size);
      return size;
    }
    int64_t size = 0;
    for (; peek() >= '0' && peek() <= '9'; ++at_) {
      size = size * 10 + (peek() - '0');
      SR_CHECK(size <= 100000, "a format's width or precision is larger than 100000");
    }
    return size;
  }

  void conversion() {
    Value value;
    if (peek() == '(') {
      const size_t end = text_.find(')', at_);
      SR_CHECK(end != text_.npos, "'%(' is not closed");
      SR_CHECK(values_.is_dict(), "'%(name)' needs a dict of values");
      const std::string name = text_.substr(at_ + 1, end - at_ - 1);
      const Value* found = values_.as_dict().find(std::string_view(name));
      SR_CHECK(found != nullptr, "'%({})' is not among the values", name);
      value = *found;
      at_ = end + 1;
    }
    FormatSpec spec;
    bool left = false, zero = false;
    for (; std::string_view("-+ #0").find(peek()) != std::string_view::npos && peek() != '\0'; ++at_) {
      left = left || peek() == '-';
      zero = zero || peek() == '0';
      spec.alternate = spec.alternate || peek() == '#';
      if (peek() == '+' || (peek() == ' ' && spec.sign != '+')) spec.sign = peek();
    }
    spec.width = size_or_star();
    if (spec.width < 0) left = true, spec.width = -spec.width;
    if (peek() == '.') {
      ++at_;
      spec.precision = std::max<int64_t>(0, size_or_star());
    }
    while (peek() == 'h' || peek() == 'l' || peek() == 'L') ++at_;
    const char type = peek();
    SR_CHECK(type != '\0', "a format ends in the middle of a place");
    ++at_;
    if (type == '%') {
      out_ += '%';
      return;
    }
    if (value.is_missing()) value = next_value();
    spec.align = left ? '<' : '>';
    put(value, type, spec, zero && !left);
  }

  void put(const Value& value, char type, FormatSpec spec, bool zero) {
    if (type == 's' || type == 'r' || type == 'a') {
      std::string text = type == 's' ? (safe_ ? escaped(value, in_.budget()) : in_.text_of(value))
                                     : repr(value, in_.budget());
      spec.sign = '-', spec.alternate = false;
      out_ += format_value(Value(std::move(text)), spec, in_.budget());
      return;
    }
    if (type == 'c' && value.is_string()) {
      SR_CHECK(length_of(value.as_string()) == 1, "'%c' takes one character");
      spec.sign = '-', spec.alternate = false, spec.precision.reset();
      out_ += format_value(value, spec, in_.budget());
      return;
    }
    refuse_undefined(value);
    SR_CHECK(value.is_number(), "'%{}' needs a number, this is {}", type, value.type_name());
    if (zero) spec.fill.assign(1, '0'), spec.align = '=';
    spec.type = type == 'i' || type == 'u' ? 'd' : type;
    if (std::string_view("dcxXo").find(spec.type) != std::string_view::npos) {
      SR_CHECK(value.is_integral() || spec.type == 'd', "'%{}' needs an int, this is a float", type);
      SR_CHECK(!spec.precision, "'%.{}{}' is not supported: a precision for an int", *spec.precision, type);
      out_ += format_value(Value(to_int_down(value)), spec, in_.budget());
    } else {
      SR_CHECK(std::string_view("eEfFgG").find(type) != std::string_view::npos, "'%{}' is no format", type);
      out_ += format_value(Value(value.as_float()), spec, in_.budget());
    }
  }
  static int64_t to_int_down(const Value& value) {
    if (value.is_integral()) return value.as_int();
    SR_CHECK(value.as_float() > -9.2e18 && value.as_float() < 9.2e18, "{} does not fit 64 bits",
             value.as_float());
    return static_cast<int64_t>(value.as_float());
  }

  Interpreter& in_;
  const std::string& text_;
  const bool safe_;
  const Value& values_;
  size_t at_ = 0, used_ = 0;
  std::string out_;
};

/// Runs over "...{0.name[key]!r:>5}...".
class BraceFormat {
 public:
  BraceFormat(Interpreter& in, const Args& args, bool safe) : in_(in), args_(args), safe_(safe) {}

  std::string run(std::string_view text, int depth) {
    SR_CHECK(depth < 2, "format(): braces are nested too deep");
    in_.budget().spend_bytes(text.size());
    std::string out;
    for (size_t at = 0; at < text.size();) {
      const char c = text[at];
      const bool doubled = at + 1 < text.size() && text[at + 1] == c;
      if ((c == '{' || c == '}') && doubled) {
        out += c;
        at += 2;
      } else if (c == '{') {
        const size_t end = closing(text, at);
        out += field(text.substr(at + 1, end - at - 1), depth);
        at = end + 1;
      } else {
        SR_CHECK(c != '}', "format(): a '}}' closes nothing");
        out += c;
        ++at;
      }
    }
    return out;
  }

 private:
  static size_t closing(std::string_view text, size_t at) {
    int open = 0;
    for (; at < text.size(); ++at) {
      open += text[at] == '{' ? 1 : text[at] == '}' ? -1 : 0;
      if (open == 0) return at;
    }
    fail(ErrorCode::kInvalid, "format(): a '{{' is not closed");
  }

  std::string field(std::string_view text, int depth) {
    size_t end = 0;
    for (bool bracket = false; end < text.size() && (bracket || (text[end] != '!' && text[end] != ':'));
         ++end)
      bracket = text[end] == '[' || (bracket && text[end] != ']');
    Value value = find(text.substr(0, end));
    if (end < text.size() && text[end] == '!') {
      SR_CHECK(end + 1 < text.size() && (end + 2 == text.size() || text[end + 2] == ':'),
               "format(): '!' needs s, r or a after it");
      const char how = text[end + 1];
      SR_CHECK(how == 's' || how == 'r' || how == 'a', "format(): '!{}' is unknown", how);
      value = Value(how == 's' ? in_.text_of(value) : repr(value, in_.budget()));
      end += 2;
    }
    const std::string spec = end < text.size() ? run(text.substr(end + 1), depth + 1) : "";
    if (safe_) value = Value(escaped(value, in_.budget()));
    if (spec.empty()) return in_.text_of(value);
    return format_value(value, parse_format_spec(spec), in_.budget());
  }

  Value find(std::string_view path) {
    size_t at = std::min(path.find_first_of(".["), path.size());
    Value value = first(path.substr(0, at));
    while (at < path.size()) {
      if (path[at] == '.') {
        const size_t end = std::min(path.find_first_of(".[", at + 1), path.size());
        value = in_.attribute(value, std::string(path.substr(at + 1, end - at - 1)));
        at = end;
      } else {
        const size_t end = path.find(']', at);
        SR_CHECK(path[at] == '[' && end != path.npos, "format(): '{}' is no place", path);
        const std::string_view key = path.substr(at + 1, end - at - 1);
        value = in_.item(value, is_number(key) ? Value(to_number(key)) : Value(key));
        at = end + 1;
      }
    }
    return value;
  }
  static bool is_number(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == text.npos;
  }
  static int64_t to_number(std::string_view text) {
    int64_t number = 0;
    SR_CHECK(std::from_chars(text.data(), text.data() + text.size(), number).ec == std::errc{},
             "format(): {} is too large", text);
    return number;
  }

  Value first(std::string_view name) {
    if (name.empty() || is_number(name)) {
      SR_CHECK(numbering_ == (name.empty() ? 1 : 2) || numbering_ == 0, "format(): {{}} and {{0}} are mixed");
      numbering_ = name.empty() ? 1 : 2;
      const auto index = name.empty() ? next_++ : to_number(name);
      SR_CHECK(index < static_cast<int64_t>(args_.positional.size()),
               "format(): there is no value for place {}", index);
      return args_.positional[static_cast<size_t>(index)];
    }
    for (const auto& [key, value] : args_.keyword)
      if (key == name) return value;
    fail(ErrorCode::kInvalid, "format(): there is no value for '{}'", name);
  }

  Interpreter& in_;
  const Args& args_;
  bool safe_;
  int numbering_ = 0;  ///< 1: {}, 2: {0}
  int64_t next_ = 0;
};

}  // namespace

Value percent_format(Interpreter& in, const Value& format, const Value& values) {
  return PercentFormat(in, format, values).run();
}

Value brace_format(Interpreter& in, const Value& format, const Args& args) {
  return Value(BraceFormat(in, args, format.is_safe()).run(format.as_string(), 0), format.is_safe());
}

}  // namespace suiren::text::jinja
