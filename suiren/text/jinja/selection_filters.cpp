// Filters that map and choose: the results are made only as they are asked for.

#include <charconv>

#include "suiren/text/jinja/attribute_path.h"

namespace suiren::text::jinja {

AttributePath::AttributePath(const Value& attribute) {
  if (attribute.is_missing() || attribute.is_none()) return;
  if (!attribute.is_string()) {
    parts_.push_back(attribute);
    return;
  }
  const std::string& path = attribute.as_string();
  for (size_t at = 0; at <= path.size();) {
    const size_t end = std::min(path.find('.', at), path.size());
    const std::string part = path.substr(at, end - at);
    int64_t index = 0;
    const bool digits = !part.empty() && part.find_first_not_of("0123456789") == part.npos;
    const bool fits =
        digits && std::from_chars(part.data(), part.data() + part.size(), index).ec == std::errc{};
    parts_.push_back(fits ? Value(index) : Value(part));
    at = end + 1;
  }
}

Value AttributePath::of(Interpreter& in, Value value) const {
  for (const Value& part : parts_) value = in.item(value, part);
  return value;
}

namespace {

/// The arguments after the first `skip`.
Args rest_of(const Args& args, size_t skip) {
  return {List(args.positional.begin() + static_cast<ptrdiff_t>(skip), args.positional.end()), args.keyword};
}

int depth_of(const Value& on, const Args& args) {
  int depth = on.depth();
  for (const Value& value : args.positional) depth = std::max(depth, value.depth());
  for (const auto& [name, value] : args.keyword) depth = std::max(depth, value.depth());
  return depth;
}

/// An iterator over `on` that begins when it is first asked: errors come no sooner than in Python.
template <class Make>
Value lazily(const Value& on, const Args& args, Make make) {
  return std::make_shared<Iterator>(
      [on, args, make, inner = Iterator::Next{}](Interpreter& in, Value& out) mutable {
        if (!inner)
          inner = on.truth() ? Iterator::Next(make(on, args)) : [](Interpreter&, Value&) { return false; };
        return inner(in, out);
      },
      depth_of(on, args));
}

Value map(Interpreter&, const Value& on, const Args& args) {
  return lazily(on, args, [](const Value& from, const Args& how) {
    std::string filter;
    Value attribute, otherwise;
    Args rest;
    if (how.positional.empty()) {
      const List a = how.bind("map", {"attribute", "default"}, 1);
      attribute = a[0];
      otherwise = given_not_none(a[1]) ? a[1] : Value();
    } else {
      filter = to_text(how.positional[0], "map");
      rest = rest_of(how, 1);
    }
    return [items = iterate(from), filter, rest, path = AttributePath(attribute), otherwise](Interpreter& in,
                                                                                             Value& out) {
      if (!items->next(in, out)) return false;
      if (filter.empty()) {
        out = path.of(in, out);
        if (out.is_undefined() && given(otherwise)) out = otherwise;
      } else {
        out = in.call_filter(filter, out, rest);
      }
      return true;
    };
  });
}

/// Items for which a test holds (or their attribute does, or is true without a test), or does not.
template <bool Wanted, bool ByAttribute>
Value choose(Interpreter&, const Value& on, const Args& args) {
  return lazily(on, args, [](const Value& from, const Args& how) {
    constexpr size_t kTest = ByAttribute ? 1 : 0;
    SR_CHECK(how.positional.size() >= kTest, "selectattr and rejectattr need the name of an attribute");
    const bool tests = how.positional.size() > kTest;
    const std::string test = tests ? to_text(how.positional[kTest], "the name of a test") : "";
    return [items = iterate(from), path = AttributePath(ByAttribute ? how.positional[0] : Value()), tests,
            test, rest = tests ? rest_of(how, kTest + 1) : Args{}](Interpreter& in, Value& out) {
      while (items->next(in, out)) {
        const Value value = path.of(in, out);
        if ((tests ? in.call_test(test, value, rest) : value).truth() == Wanted) return true;
      }
      return false;
    };
  });
}

Value items(Interpreter&, const Value& on, const Args& args) {
  args.bind("items", {});
  return lazily(on, args, [](const Value& from, const Args&) {
    SR_CHECK(from.is_dict(), "items of {}, expected a dict", from.type_name());
    return [pairs = iterate(std::make_shared<DictView>(from, DictView::Part::kItems))](
               Interpreter& in, Value& out) { return pairs->next(in, out); };
  });
}

constexpr Builtin kFilters[] = {
    {"map", map},
    {"items", items},
    {"select", choose<true, false>},
    {"reject", choose<false, false>},
    {"selectattr", choose<true, true>},
    {"rejectattr", choose<false, true>},
};

}  // namespace

Builtins selection_filters() { return kFilters; }

}  // namespace suiren::text::jinja
