#include "suiren/text/jinja/builtins.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "suiren/text/jinja/objects.h"

namespace suiren::text::jinja {
namespace {

using Table = std::unordered_map<std::string_view, const Builtin*>;

Table table_of(std::initializer_list<Builtins> parts) {
  Table table;
  for (const Builtins part : parts)
    for (const Builtin& builtin : part) table.emplace(builtin.name, &builtin);
  return table;
}

const Builtin* find(const Table& table, std::string_view name) {
  const auto found = table.find(name);
  return found == table.end() ? nullptr : found->second;
}

const Builtin* find(Builtins part, std::string_view name) {
  for (const Builtin& builtin : part)
    if (builtin.name == name) return &builtin;
  return nullptr;
}

}  // namespace

List Args::bind(std::string_view who, std::initializer_list<const char*> parameters, size_t required) const {
  SR_CHECK(positional.size() <= parameters.size(), "{}() takes at most {} arguments, {} were given", who,
           parameters.size(), positional.size());
  List values(positional);
  values.resize(parameters.size());
  for (const auto& argument : keyword) {
    const std::string& name = argument.first;
    const auto at =
        std::find_if(parameters.begin(), parameters.end(), [&](const char* p) { return name == p; });
    SR_CHECK(at != parameters.end(), "{}() takes no argument '{}'", who, name);
    Value& slot = values[static_cast<size_t>(at - parameters.begin())];
    SR_CHECK(slot.is_missing(), "{}() is given '{}' twice", who, name);
    slot = argument.second;
  }
  for (size_t i = 0; i < required; ++i)
    SR_CHECK(given(values[i]), "{}() needs '{}'", who, parameters.begin()[i]);
  return values;
}

const Builtin* find_filter(std::string_view name) {
  static const Table table =
      table_of({text_filters(), sequence_filters(), selection_filters(), value_filters()});
  return find(table, name);
}

const Builtin* find_test(std::string_view name) {
  static const Table table = table_of({tests()});
  return find(table, name);
}

const Builtin* find_method(const Value& on, std::string_view name) {
  if (on.is_string()) {
    static const Table table = table_of({string_methods(), more_string_methods()});
    return find(table, name);
  }
  return find(container_methods(on), name);
}

bool is_mutating_method(const Value& on, std::string_view name) {
  static constexpr std::array<std::string_view, 5> kOfDicts = {"clear", "pop", "popitem", "setdefault",
                                                               "update"};
  static constexpr std::array<std::string_view, 8> kOfLists = {"append", "clear", "pop",    "reverse",
                                                               "insert", "sort",  "extend", "remove"};
  if (on.is_dict()) return std::find(kOfDicts.begin(), kOfDicts.end(), name) != kOfDicts.end();
  return on.is(Value::Kind::kList) && std::find(kOfLists.begin(), kOfLists.end(), name) != kOfLists.end();
}

Value find_global(std::string_view name) {
  const Builtin* found = find(global_functions(), name);
  return found == nullptr ? Value() : std::make_shared<Function>(*found, Value());
}

int64_t to_int(const Value& value, std::string_view what) {
  refuse_undefined(value);
  SR_CHECK(value.is_integral(), "{} is {}, expected an int", what, value.type_name());
  return value.as_int();
}

const std::string& to_text(const Value& value, std::string_view what) {
  refuse_undefined(value);
  SR_CHECK(value.is_string(), "{} is {}, expected a str", what, value.type_name());
  return value.as_string();
}

}  // namespace suiren::text::jinja
