// Functions that every template may call.

#include <ctime>

#include "suiren/text/jinja/interpreter.h"

namespace suiren::text::jinja {
namespace {

Value range(Interpreter&, const Value&, const Args& args) {
  SR_CHECK(args.keyword.empty(), "range() takes no named arguments");
  const List a = args.bind("range", {"start", "stop", "step"}, 1);
  const int64_t first = to_int(a[0], "range()");
  if (!given(a[1])) return std::make_shared<Range>(0, first, 1);
  return std::make_shared<Range>(first, to_int(a[1], "range()"), given(a[2]) ? to_int(a[2], "range()") : 1);
}

/// dict(mapping or pairs, name=value ...).
Value dict(Interpreter& in, const Value&, const Args& args) {
  SR_CHECK(args.positional.size() <= 1, "dict() takes at most 1 argument without a name");
  std::vector<Dict::Item> items;
  if (!args.positional.empty()) refuse_undefined(args.positional[0]);
  if (!args.positional.empty() && args.positional[0].is_dict()) {
    items = args.positional[0].as_dict().items();
    in.budget().spend(static_cast<int64_t>(items.size()));
  } else if (!args.positional.empty()) {
    for (const Value& pair : to_list(in, args.positional[0])) {
      List two = to_list(in, pair);
      SR_CHECK(two.size() == 2, "dict() needs pairs of key and value, this has {}", two.size());
      items.emplace_back(std::move(two[0]), std::move(two[1]));
    }
  }
  for (const auto& [name, value] : args.keyword) items.emplace_back(Value(name), value);
  return make_dict(std::move(items));
}

Value make_namespace(Interpreter& in, const Value& none, const Args& args) {
  const Value attributes = dict(in, none, args);
  auto made = in.make_namespace();
  for (const auto& [name, value] : attributes.as_dict().items()) {
    in.budget().spend(static_cast<int64_t>(attributes.as_dict().items().size() / 16));
    made->set(to_text(name, "an attribute of a namespace"), value);
  }
  return made;
}

Value raise_exception(Interpreter& in, const Value&, const Args& args) {
  fail(ErrorCode::kInvalid, "{}", in.text_of(args.bind("raise_exception", {"message"}, 1)[0]));
}

Value strftime_now(Interpreter& in, const Value&, const Args& args) {
  const std::string& format = to_text(args.bind("strftime_now", {"format"}, 1)[0], "strftime_now()");
  in.budget().spend_bytes(format.size() * 64);
  std::string out;
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || i + 1 == format.size()) {
      out += format[i];
      continue;
    }
    const char what = format[++i];
    if (what == 'z' || what == 'Z') continue;  // Python's clock without a time zone says nothing
    const char one[] = {'%', what, '\0'};
    char text[128];
    out.append(text, std::strftime(text, sizeof(text), one, &in.now()));
  }
  return out;
}

constexpr Builtin kFunctions[] = {
    {"range", range},
    {"dict", dict},
    {"namespace", make_namespace},
    {"raise_exception", raise_exception},
    {"strftime_now", strftime_now},
    {"cycler", [](Interpreter&, const Value&,
                  const Args& args) { return Value(std::make_shared<Cycler>(args.positional)); }},
    {"joiner",
     [](Interpreter&, const Value&, const Args& args) {
       const List a = args.bind("joiner", {"sep"});
       return Value(std::make_shared<Joiner>(given(a[0]) ? a[0] : Value(", ")));
     }},
};

}  // namespace

Builtins global_functions() { return kFunctions; }

}  // namespace suiren::text::jinja
