// Arithmetic, indexing and attributes, as Python defines them.

#include <algorithm>
#include <cmath>
#include <limits>

#include "suiren/io/utf8.h"
#include "suiren/text/jinja/code_points.h"
#include "suiren/text/jinja/format.h"
#include "suiren/text/jinja/interpreter.h"
#include "suiren/text/jinja/markup.h"
#include "suiren/text/jinja/print.h"

namespace suiren::text::jinja {
namespace {

const char* sign_of(ExprKind kind) {
  switch (kind) {
    case ExprKind::kAdd:
      return "+";
    case ExprKind::kSubtract:
      return "-";
    case ExprKind::kMultiply:
      return "*";
    case ExprKind::kDivide:
      return "/";
    case ExprKind::kFloorDivide:
      return "//";
    case ExprKind::kModulo:
      return "%";
    default:
      return "**";
  }
}

[[noreturn]] void refuse(const char* op, const Value& a, const Value& b) {
  refuse_undefined(a);
  refuse_undefined(b);
  fail(ErrorCode::kInvalid, "'{}' is not defined between {} and {}", op, a.type_name(), b.type_name());
}

/// `value` by reference: it is written while the first argument is made.
Value checked(bool overflows, const int64_t& value, const char* op) {
  SR_CHECK(!overflows, "the result of {} has more than 64 bits", op);
  return value;
}

Value int_power(int64_t base, int64_t exponent) {
  if (exponent < 0) {
    SR_CHECK(base != 0, "0 to a negative power");
    return std::pow(static_cast<double>(base), static_cast<double>(exponent));
  }
  int64_t result = 1;
  bool overflows = false;
  for (; exponent > 0 && !overflows; exponent >>= 1) {
    if (exponent & 1) overflows = __builtin_mul_overflow(result, base, &result);
    if (exponent > 1 && !overflows) overflows = __builtin_mul_overflow(base, base, &base);
  }
  return checked(overflows, result, "**");
}

Value int_arithmetic(ExprKind kind, int64_t a, int64_t b) {
  int64_t result = 0;
  switch (kind) {
    case ExprKind::kAdd:
      return checked(__builtin_add_overflow(a, b, &result), result, "+");
    case ExprKind::kSubtract:
      return checked(__builtin_sub_overflow(a, b, &result), result, "-");
    case ExprKind::kMultiply:
      return checked(__builtin_mul_overflow(a, b, &result), result, "*");
    case ExprKind::kPower:
      return int_power(a, b);
    default:
      break;
  }
  SR_CHECK(b != 0, "division by zero");
  if (kind == ExprKind::kDivide) return static_cast<double>(a) / static_cast<double>(b);
  if (b == -1) {  // the one quotient that may not fit, and a trap for %
    if (kind == ExprKind::kModulo) return int64_t{0};
    return checked(__builtin_sub_overflow(int64_t{0}, a, &result), result, "//");
  }
  const bool down = a % b != 0 && (a % b < 0) != (b < 0);  // towards minus infinity
  return kind == ExprKind::kModulo ? a % b + (down ? b : 0) : a / b - down;
}

double float_modulo(double a, double b) {
  const double rest = std::fmod(a, b);
  if (rest == 0) return std::copysign(0.0, b);
  return (rest < 0) != (b < 0) ? rest + b : rest;
}

double float_floor_divide(double a, double b) {
  const double rest = std::fmod(a, b);
  double quotient = (a - rest) / b;
  if (rest != 0 && (rest < 0) != (b < 0)) quotient -= 1;
  if (quotient == 0) return std::copysign(0.0, a / b);
  const double whole = std::floor(quotient);
  return quotient - whole > 0.5 ? whole + 1 : whole;
}

Value float_arithmetic(ExprKind kind, double a, double b) {
  switch (kind) {
    case ExprKind::kAdd:
      return a + b;
    case ExprKind::kSubtract:
      return a - b;
    case ExprKind::kMultiply:
      return a * b;
    case ExprKind::kPower: {
      SR_CHECK(a != 0 || b >= 0, "0.0 to a negative power");
      SR_CHECK(a >= 0 || std::floor(b) == b || std::isnan(b),
               "a negative number to a fractional power is not real");
      const double power = std::pow(a, b);
      SR_CHECK(!std::isinf(power) || std::isinf(a) || std::isinf(b), "the result of ** is too large");
      return power;
    }
    default:
      break;
  }
  SR_CHECK(b != 0, "division by zero");
  if (kind == ExprKind::kDivide) return a / b;
  return kind == ExprKind::kModulo ? float_modulo(a, b) : float_floor_divide(a, b);
}

/// What a[start:stop:step] means for so many items (CPython's PySlice_AdjustIndices).
struct Span {
  int64_t start, step, count;
};
Span span_of(const Value& start, const Value& stop, const Value& step, int64_t size) {
  const auto bound = [&](const Value& value, int64_t otherwise, int64_t lowest, int64_t highest) {
    if (value.is_none()) return otherwise;
    const int64_t at = to_int(value, "a slice");
    return std::clamp(at < 0 ? at + size : at, lowest, highest);
  };
  const int64_t by = step.is_none() ? 1 : to_int(step, "a slice's step");
  SR_CHECK(by != 0 && by != std::numeric_limits<int64_t>::min(), "a slice's step is {}", by);
  const bool forward = by > 0;
  const int64_t from = bound(start, forward ? 0 : size - 1, forward ? 0 : -1, forward ? size : size - 1);
  const int64_t to = bound(stop, forward ? size : -1, forward ? 0 : -1, forward ? size : size - 1);
  const int64_t distance = forward ? to - from : from - to, stride = forward ? by : -by;
  return {from, by, distance <= 0 ? 0 : (distance - 1) / stride + 1};
}

std::string slice_text(const std::string& text, const Span& span) {
  if (span.step == 1) {
    const size_t begin = offset_of(text, span.start);
    return text.substr(begin, offset_of(std::string_view(text).substr(begin), span.count));
  }
  const auto codes = codes_of(text);
  std::string out;
  for (int64_t i = 0; i < span.count; ++i)
    io::append_utf8(out, codes[static_cast<size_t>(span.start + i * span.step)]);
  return out;
}

bool is_internal(std::string_view name) {
  return name.starts_with("__") && name.ends_with("__") && name.size() > 4;
}

}  // namespace

Value Interpreter::add(const Value& a, const Value& b) {
  if (a.is_string() && b.is_string()) {
    budget_.spend_bytes(a.as_string().size() + b.as_string().size());
    if (!a.is_safe() && !b.is_safe()) return a.as_string() + b.as_string();
    return Value(escaped(a, budget_) + escaped(b, budget_), true);
  }
  if (a.is_sequence() && a.kind() == b.kind()) {
    budget_.spend(static_cast<int64_t>(a.items().size() + b.items().size()));
    List items = a.items();
    items.insert(items.end(), b.items().begin(), b.items().end());
    return a.is(Value::Kind::kList) ? Value::list(std::move(items)) : Value::tuple(std::move(items));
  }
  if (!a.is_number() || !b.is_number()) refuse("+", a, b);
  if (a.is_integral() && b.is_integral()) return int_arithmetic(ExprKind::kAdd, a.as_int(), b.as_int());
  return a.as_float() + b.as_float();
}

Value Interpreter::repeat(const Value& sequence, int64_t times) {
  times = std::max<int64_t>(times, 0);
  if (sequence.is_string()) {
    const std::string& text = sequence.as_string();
    budget_.spend_product(static_cast<uint64_t>(times), text.size());
    std::string out;
    if (!text.empty())
      for (int64_t i = 0; i < times; ++i) out += text;
    return Value(std::move(out), sequence.is_safe());
  }
  const List& from = sequence.items();
  budget_.spend_product(static_cast<uint64_t>(times), from.size() * 16);
  List items;
  if (!from.empty())
    for (int64_t i = 0; i < times; ++i) items.insert(items.end(), from.begin(), from.end());
  return sequence.is(Value::Kind::kList) ? Value::list(std::move(items)) : Value::tuple(std::move(items));
}

Value Interpreter::arithmetic(ExprKind kind, const Value& a, const Value& b) {
  if (kind == ExprKind::kPositive || kind == ExprKind::kNegative) {
    refuse_undefined(a);
    const bool negative = kind == ExprKind::kNegative;
    SR_CHECK(a.is_number(), "'{}' stands before {}", negative ? "-" : "+", a.type_name());
    if (a.is(Value::Kind::kFloat)) return negative ? -a.as_float() : a.as_float();
    return negative ? int_arithmetic(ExprKind::kSubtract, 0, a.as_int()) : Value(a.as_int());
  }
  if (kind == ExprKind::kAdd) return add(a, b);
  if (kind == ExprKind::kModulo && a.is_string()) return percent_format(*this, a, b);
  if (kind == ExprKind::kMultiply) {
    if ((a.is_string() || a.is_sequence()) && b.is_integral()) return repeat(a, b.as_int());
    if ((b.is_string() || b.is_sequence()) && a.is_integral()) return repeat(b, a.as_int());
  }
  if (!a.is_number() || !b.is_number()) refuse(sign_of(kind), a, b);
  if (a.is_integral() && b.is_integral()) return int_arithmetic(kind, a.as_int(), b.as_int());
  return float_arithmetic(kind, a.as_float(), b.as_float());
}

bool Interpreter::contains(const Value& container, const Value& value) {
  if (container.is_string()) {
    SR_CHECK(value.is_string(), "'in' a str needs a str on its left, this is {}", value.type_name());
    budget_.spend_bytes(container.as_string().size());
    return container.as_string().find(value.as_string()) != std::string::npos;
  }
  if (container.is_dict()) return container.as_dict().find(value) != nullptr;
  const IteratorPtr items = iterate(container);
  for (Value item; items->next(*this, item);)
    if (equals(item, value)) return true;
  return false;
}

Value Interpreter::slice(const Value& on, const Value& start, const Value& stop, const Value& step) {
  refuse_undefined(on);
  const auto range = on.as<Range>();
  SR_CHECK(on.is_string() || on.is_sequence() || range, "{} cannot be sliced", on.type_name());
  if (on.is_string()) budget_.spend_bytes(on.as_string().size());
  const Span span = span_of(start, stop, step, size_of(on));
  if (on.is_string()) return Value(slice_text(on.as_string(), span), on.is_safe());
  if (range) {
    const int64_t by = range->step() * span.step, from = range->at(span.start);
    return std::make_shared<Range>(from, from + by * span.count, by);
  }
  budget_.spend(span.count);
  List items;
  items.reserve(static_cast<size_t>(span.count));
  for (int64_t i = 0; i < span.count; ++i)
    items.push_back(on.items()[static_cast<size_t>(span.start + i * span.step)]);
  return on.is(Value::Kind::kList) ? Value::list(std::move(items)) : Value::tuple(std::move(items));
}

/// on[key] where Python would find something, or missing.
Value Interpreter::index(const Value& on, const Value& key) {
  refuse_undefined(on);
  if (on.is_dict()) {
    if (key.is_undefined() || key.depth() > 0) return {};
    const Value* found = on.as_dict().find(key);
    return found != nullptr ? *found : Value();
  }
  const auto range = on.as<Range>();
  if (!key.is_integral() || !(on.is_string() || on.is_sequence() || range)) return {};
  if (on.is_string()) budget_.spend_bytes(on.as_string().size());
  const int64_t size = size_of(on), at = key.as_int() < 0 ? key.as_int() + size : key.as_int();
  if (at < 0 || at >= size) return {};
  if (range) return range->at(at);
  if (on.is_sequence()) return on.items()[static_cast<size_t>(at)];
  const size_t offset = offset_of(on.as_string(), at);
  return Value(on.as_string().substr(offset, size_at(on.as_string(), offset)), on.is_safe());
}

Value Interpreter::missing_item(const Value& on, const Value& key) {
  if (key.is_string())
    return Value::undefined(
        fmt::format("{} has no attribute '{}'", on.type_name(), key.as_string().substr(0, 100)));
  return Value::undefined(fmt::format("{} has no element {}", on.type_name(),
                                      key.is_number() ? repr(key, budget_) : "of type " + key.type_name()));
}

Value Interpreter::attribute(const Value& on, const std::string& name) {
  refuse_undefined(on);
  if (is_internal(name) || is_mutating_method(on, name))
    return Value::undefined(fmt::format("'{}' of {} is not available to templates", name, on.type_name()));
  if (const Builtin* method = find_method(on, name)) {
    budget_.spend(1);
    return std::make_shared<Function>(*method, on);
  }
  if (on.is(Value::Kind::kObject)) {
    Value found = on.object()->attribute(*this, name);
    if (!found.is_missing()) return found;
  }
  if (on.is_dict())
    if (const Value* found = on.as_dict().find(std::string_view(name))) return *found;
  return missing_item(on, Value(name));
}

Value Interpreter::item(const Value& on, const Value& key) {
  Value found = index(on, key);
  if (!found.is_missing()) return found;
  if (!key.is_string()) return missing_item(on, key);
  if (on.is_dict() && find_method(on, key.as_string()) == nullptr) return missing_item(on, key);
  return attribute(on, key.as_string());
}

}  // namespace suiren::text::jinja
