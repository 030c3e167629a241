// Methods of dicts, lists, tuples and numbers. Those that would change the object are not here.

#include <cmath>

#include "suiren/text/jinja/interpreter.h"

namespace suiren::text::jinja {
namespace {

Value view(const Value& on, const Args& args, DictView::Part part, const char* name) {
  args.bind(name, {});
  return std::make_shared<DictView>(on, part);
}

Value get(Interpreter&, const Value& on, const Args& args) {
  const List a = args.bind("get", {"key", "default"}, 1);
  const Value* found = a[0].is_undefined() ? nullptr : on.as_dict().find(a[0]);
  return found != nullptr ? *found : given(a[1]) ? a[1] : Value::none();
}

Value copy(Interpreter&, const Value& on, const Args& args) {
  args.bind("copy", {});
  return on;  // nothing can change either
}

Value count(Interpreter& in, const Value& on, const Args& args) {
  const List a = args.bind("count", {"value"}, 1);
  int64_t n = 0;
  for (const Value& item : on.items()) n += in.equals(item, a[0]);
  return n;
}

Value index_of(Interpreter& in, const Value& on, const Args& args) {
  const List a = args.bind("index", {"value", "start", "stop"}, 1);
  const auto size = static_cast<int64_t>(on.items().size());
  const auto bound = [&](const Value& value, int64_t otherwise) {
    if (!given(value)) return otherwise;
    const int64_t at = to_int(value, "index()");
    return std::min(std::max<int64_t>(at < 0 ? at + size : at, 0), size);
  };
  for (int64_t i = bound(a[1], 0); i < bound(a[2], size); ++i)
    if (in.equals(on.items()[static_cast<size_t>(i)], a[0])) return i;
  fail(ErrorCode::kInvalid, "index(): the value is not in the {}", on.type_name());
}

constexpr Builtin kDict[] = {
    {"get", get},
    {"items", [](Interpreter&, const Value& on,
                 const Args& args) { return view(on, args, DictView::Part::kItems, "items"); }},
    {"keys", [](Interpreter&, const Value& on,
                const Args& args) { return view(on, args, DictView::Part::kKeys, "keys"); }},
    {"values", [](Interpreter&, const Value& on,
                  const Args& args) { return view(on, args, DictView::Part::kValues, "values"); }},
    {"copy", copy},
};
constexpr Builtin kList[] = {{"count", count}, {"index", index_of}, {"copy", copy}};
constexpr Builtin kTuple[] = {{"count", count}, {"index", index_of}};
constexpr Builtin kFloat[] = {{"is_integer", [](Interpreter&, const Value& on, const Args& args) {
                                 args.bind("is_integer", {});
                                 return Value(std::isfinite(on.as_float()) &&
                                              std::floor(on.as_float()) == on.as_float());
                               }}};

}  // namespace

Builtins container_methods(const Value& on) {
  switch (on.kind()) {
    case Value::Kind::kDict:
      return kDict;
    case Value::Kind::kList:
      return kList;
    case Value::Kind::kTuple:
      return kTuple;
    case Value::Kind::kFloat:
      return kFloat;
    default:
      return {};
  }
}

}  // namespace suiren::text::jinja
