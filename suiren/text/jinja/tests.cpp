// Tests: what may stand after `is`.

#include <cmath>

#include "suiren/text/jinja/interpreter.h"
#include "suiren/text/jinja/string_methods.h"

namespace suiren::text::jinja {
namespace {

using Kind = Value::Kind;

template <bool (*Holds)(const Value&)>
Value plain(Interpreter&, const Value& on, const Args& args) {
  args.bind("a test", {});
  return Holds(on);
}

bool is_defined(const Value& v) { return !v.is_undefined(); }
bool is_undefined(const Value& v) { return v.is_undefined(); }
bool is_none(const Value& v) { return v.is_none(); }
bool is_boolean(const Value& v) { return v.is_bool(); }
bool is_true(const Value& v) { return v.is_bool() && v.as_bool(); }
bool is_false(const Value& v) { return v.is_bool() && !v.as_bool(); }
bool is_integer(const Value& v) { return v.is(Kind::kInt); }
bool is_float(const Value& v) { return v.is(Kind::kFloat); }
bool is_number(const Value& v) { return v.is_number(); }
bool is_string(const Value& v) { return v.is_string(); }
bool is_mapping(const Value& v) { return v.is_dict(); }
bool is_escaped(const Value& v) { return v.is_safe(); }
bool is_sequence(const Value& v) {
  return v.is_string() || v.is_sequence() || v.is_dict() || v.is_undefined() || v.as<Range>() != nullptr;
}
bool is_iterable(const Value& v) {
  return size_of(v) >= 0 || v.as<Iterator>() != nullptr || v.as<Loop>() != nullptr;
}
bool is_callable(const Value& v) {  // Undefined has a __call__, which raises
  return v.is_undefined() || v.as<Function>() || v.as<Macro>() || v.as<Joiner>() || v.as<Loop>();
}

/// value % number == rest
bool leaves(const Value& on, const Value& number, int64_t rest) {
  refuse_undefined(on);
  refuse_undefined(number);
  SR_CHECK(on.is_number() && number.is_number(), "the remainder of {} by {}", on.type_name(),
           number.type_name());
  SR_CHECK(number.as_float() != 0, "division by zero");
  if (!on.is_integral() || !number.is_integral()) {
    const double r = std::fmod(on.as_float(), number.as_float());
    return (r != 0 && (r < 0) != (number.as_float() < 0) ? r + number.as_float() : r) ==
           static_cast<double>(rest);
  }
  if (number.as_int() == -1) return rest == 0;
  const int64_t r = on.as_int() % number.as_int();
  return (r != 0 && (r < 0) != (number.as_int() < 0) ? r + number.as_int() : r) == rest;
}

Value odd(Interpreter&, const Value& on, const Args& args) {
  args.bind("odd", {});
  return leaves(on, Value(int64_t{2}), 1);
}
Value even(Interpreter&, const Value& on, const Args& args) {
  args.bind("even", {});
  return leaves(on, Value(int64_t{2}), 0);
}
Value divisible(Interpreter&, const Value& on, const Args& args) {
  return leaves(on, args.bind("divisibleby", {"num"}, 1)[0], 0);
}

template <bool Upper>
Value cased(Interpreter& in, const Value& on, const Args& args) {
  args.bind("a test", {});
  return all_cased(in.text_of(on), Upper);
}

Value same_as(Interpreter&, const Value& on, const Args& args) {
  return on.same_as(args.bind("sameas", {"other"}, 1)[0]);
}
Value is_in(Interpreter& in, const Value& on, const Args& args) {
  return in.contains(args.bind("in", {"seq"}, 1)[0], on);
}
Value is_filter(Interpreter&, const Value& on, const Args&) {
  return on.is_string() && find_filter(on.as_string()) != nullptr;
}
Value is_test(Interpreter&, const Value& on, const Args&) {
  return on.is_string() && find_test(on.as_string()) != nullptr;
}

Value eq(Interpreter& in, const Value& on, const Args& args) {
  return in.equals(on, args.bind("eq", {"b"}, 1)[0]);
}
Value ne(Interpreter& in, const Value& on, const Args& args) {
  return !in.equals(on, args.bind("ne", {"b"}, 1)[0]);
}
/// A comparison that holds for two of the results -1, 0, 1.
template <int One, int Other>
Value ordered(Interpreter& in, const Value& on, const Args& args) {
  const int c = compare(on, args.bind("a comparison", {"b"}, 1)[0], One < 0 ? "<" : ">", in.budget());
  return c == One || c == Other;
}

constexpr Builtin kTests[] = {
    {"defined", plain<is_defined>},
    {"undefined", plain<is_undefined>},
    {"none", plain<is_none>},
    {"boolean", plain<is_boolean>},
    {"true", plain<is_true>},
    {"false", plain<is_false>},
    {"integer", plain<is_integer>},
    {"float", plain<is_float>},
    {"number", plain<is_number>},
    {"string", plain<is_string>},
    {"mapping", plain<is_mapping>},
    {"sequence", plain<is_sequence>},
    {"iterable", plain<is_iterable>},
    {"callable", plain<is_callable>},
    {"escaped", plain<is_escaped>},
    {"odd", odd},
    {"even", even},
    {"divisibleby", divisible},
    {"lower", cased<false>},
    {"upper", cased<true>},
    {"sameas", same_as},
    {"in", is_in},
    {"filter", is_filter},
    {"test", is_test},
    {"==", eq},
    {"eq", eq},
    {"equalto", eq},
    {"!=", ne},
    {"ne", ne},
    {">", ordered<1, 1>},
    {"gt", ordered<1, 1>},
    {"greaterthan", ordered<1, 1>},
    {"ge", ordered<1, 0>},
    {">=", ordered<1, 0>},
    {"<", ordered<-1, -1>},
    {"lt", ordered<-1, -1>},
    {"lessthan", ordered<-1, -1>},
    {"<=", ordered<-1, 0>},
    {"le", ordered<-1, 0>},
};

}  // namespace

Builtins tests() { return kTests; }

}  // namespace suiren::text::jinja
