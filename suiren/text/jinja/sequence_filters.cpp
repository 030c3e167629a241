// Filters that put a sequence together, order it or take parts of it.

#include <algorithm>

#include "suiren/text/jinja/attribute_path.h"
#include "suiren/text/jinja/code_points.h"

namespace suiren::text::jinja {

Value ignore_case(const Value& value) {
  return value.is_string() ? Value(to_lower(value.as_string())) : value;
}

namespace {

Value list(Interpreter& in, const Value& on, const Args& args) {
  args.bind("list", {});
  return Value::list(to_list(in, on));
}

Value first(Interpreter& in, const Value& on, const Args& args) {
  args.bind("first", {});
  Value item;
  return iterate(on)->next(in, item) ? item : Value::undefined("no first item, the sequence was empty");
}

Value last(Interpreter& in, const Value& on, const Args& args) {
  args.bind("last", {});
  SR_CHECK(size_of(on) >= 0, "{} has no last item", on.type_name());
  if (on.is_sequence() && !on.items().empty()) return on.items().back();
  const List items = to_list(in, on);
  return items.empty() ? Value::undefined("no last item, the sequence was empty") : items.back();
}

Value reverse(Interpreter& in, const Value& on, const Args& args) {
  args.bind("reverse", {});
  if (on.is_string()) return in.slice(on, Value::none(), Value::none(), Value(int64_t{-1}));
  List items = to_list(in, on);
  std::reverse(items.begin(), items.end());
  if (size_of(on) < 0) return Value::list(std::move(items));
  return iterator_over(std::move(items));
}

Value join(Interpreter& in, const Value& on, const Args& args) {
  const List a = args.bind("join", {"d", "attribute"});
  const std::string between = given(a[0]) ? in.text_of(a[0]) : "";
  const AttributePath path(a[1]);
  const IteratorPtr items = iterate(on);
  std::string out;
  bool any = false;
  for (Value item; items->next(in, item); any = true) {
    in.budget().spend_bytes(between.size());
    if (any) out += between;
    out += in.text_of(path.of(in, item));
  }
  return out;
}

/// Items and what they are compared by.
struct Keyed {
  Value key, item;
};
void sort_by_key(Interpreter& in, std::vector<Keyed>& items, bool reverse) {
  const auto before = [&](const Keyed& a, const Keyed& b) {
    return compare(a.key, b.key, "<", in.budget()) == -1;
  };
  std::stable_sort(items.begin(), items.end(),
                   [&](const Keyed& a, const Keyed& b) { return reverse ? before(b, a) : before(a, b); });
}
Value items_of(std::vector<Keyed> keyed) {
  List items;
  for (Keyed& k : keyed) items.push_back(std::move(k.item));
  return Value::list(std::move(items));
}

Value sort(Interpreter& in, const Value& on, const Args& args) {
  const List a = args.bind("sort", {"reverse", "case_sensitive", "attribute"});
  const bool exact = given(a[1]) && a[1].truth();
  std::vector<AttributePath> paths;
  if (given(a[2]) && a[2].is_string()) {
    const std::string& names = a[2].as_string();
    for (size_t at = 0; at <= names.size();) {
      const size_t end = std::min(names.find(',', at), names.size());
      paths.emplace_back(Value(names.substr(at, end - at)));
      at = end + 1;
    }
  } else {
    paths.emplace_back(a[2]);
  }
  std::vector<Keyed> keyed;
  for (Value& item : to_list(in, on)) {
    List key;
    for (const auto& path : paths) key.push_back(exact ? path.of(in, item) : ignore_case(path.of(in, item)));
    keyed.push_back({Value::list(std::move(key)), std::move(item)});
  }
  sort_by_key(in, keyed, given(a[0]) && a[0].truth());
  return items_of(std::move(keyed));
}

Value dict_sort(Interpreter& in, const Value& on, const Args& args) {
  const List a = args.bind("dictsort", {"case_sensitive", "by", "reverse"});
  const std::string by = given(a[1]) ? to_text(a[1], "dictsort") : "key";
  SR_CHECK(by == "key" || by == "value", "dictsort: by is '{}', expected 'key' or 'value'", by);
  refuse_undefined(on);
  SR_CHECK(on.is_dict(), "dictsort of {}", on.type_name());
  const bool exact = given(a[0]) && a[0].truth();
  in.budget().spend(static_cast<int64_t>(on.as_dict().items().size()));
  std::vector<Keyed> keyed;
  for (const auto& [name, value] : on.as_dict().items()) {
    const Value& key = by == "key" ? name : value;
    keyed.push_back({exact ? key : ignore_case(key), Value::tuple({name, value})});
  }
  sort_by_key(in, keyed, given(a[2]) && a[2].truth());
  return items_of(std::move(keyed));
}

Value extreme(Interpreter& in, const Value& on, const Args& args, bool largest) {
  const List a = args.bind(largest ? "max" : "min", {"case_sensitive", "attribute"});
  const bool exact = given(a[0]) && a[0].truth();
  const AttributePath path(a[1]);
  const IteratorPtr items = iterate(on);
  Keyed best;
  for (Value item; items->next(in, item);) {
    Value key = exact ? path.of(in, item) : ignore_case(path.of(in, item));
    const bool better = best.item.is_missing() || (largest ? compare(key, best.key, ">", in.budget()) == 1
                                                           : compare(key, best.key, "<", in.budget()) == -1);
    if (better) best = {std::move(key), item};
  }
  return best.item.is_missing() ? Value::undefined("no largest or smallest item, the sequence was empty")
                                : best.item;
}

Value sum(Interpreter& in, const Value& on, const Args& args) {
  const List a = args.bind("sum", {"attribute", "start"});
  const AttributePath path(a[0]);
  Value total = given(a[1]) ? a[1] : Value(int64_t{0});
  SR_CHECK(!total.is_string(), "sum of text; use join");
  const IteratorPtr items = iterate(on);
  for (Value item; items->next(in, item);) total = in.add(total, path.of(in, item));
  return total;
}

Value unique(Interpreter&, const Value& on, const Args& args) {
  const List a = args.bind("unique", {"case_sensitive", "attribute"});
  const bool exact = given(a[0]) && a[0].truth();
  return std::make_shared<Iterator>(
      [items = iterate(on), path = AttributePath(a[1]), exact, seen = List{}](Interpreter& in,
                                                                              Value& out) mutable {
        while (items->next(in, out)) {
          Value key = exact ? path.of(in, out) : ignore_case(path.of(in, out));
          SR_CHECK(key.depth() == 0 || key.is(Value::Kind::kTuple) || key.is(Value::Kind::kObject),
                   "unique: {} cannot be told apart by hash", key.type_name());
          const bool known = std::any_of(seen.begin(), seen.end(),
                                         [&](const Value& other) { return in.equals(other, key); });
          if (known) continue;
          seen.push_back(std::move(key));
          return true;
        }
        return false;
      },
      iterate(on)->depth());
}

/// n items at a time. A row is given when the item after it is there, as in jinja2 (which matters for n < 1).
Value batch(Interpreter&, const Value& on, const Args& args) {
  const List a = args.bind("batch", {"linecount", "fill_with"}, 1);
  const int64_t count = to_int(a[0], "batch");
  return std::make_shared<Iterator>(
      [items = iterate(on), count, fill = a[1], row = List{}](Interpreter& in, Value& out) mutable {
        for (Value item; items->next(in, item);) {
          const bool full = static_cast<int64_t>(row.size()) == count;
          if (full) out = Value::list(std::exchange(row, {}));
          row.push_back(std::move(item));
          if (full) return true;
        }
        if (row.empty()) return false;
        while (given_not_none(fill) && static_cast<int64_t>(row.size()) < count) {
          in.budget().spend(1);
          row.push_back(fill);
        }
        out = Value::list(std::exchange(row, {}));
        return true;
      },
      std::max(iterate(on)->depth(), a[1].depth()));
}

/// In n columns, the first ones longer by one.
Value slice(Interpreter& in, const Value& on, const Args& args) {
  const List a = args.bind("slice", {"slices", "fill_with"}, 1);
  const int64_t slices = to_int(a[0], "slice");
  SR_CHECK(slices != 0, "slice into 0 parts");
  const List items = to_list(in, on);
  const auto size = static_cast<int64_t>(items.size());
  List columns;
  int64_t at = 0;
  for (int64_t i = 0; i < slices; ++i) {
    in.budget().spend(1);
    const bool longer = i < size % slices;
    const int64_t end = at + size / slices + longer;
    List column(items.begin() + at, items.begin() + end);
    if (given_not_none(a[1]) && !longer) column.push_back(a[1]);
    columns.push_back(Value::list(std::move(column)));
    at = end;
  }
  return iterator_over(std::move(columns));
}

constexpr Builtin kFilters[] = {
    {"list", list},
    {"first", first},
    {"last", last},
    {"reverse", reverse},
    {"join", join},
    {"sort", sort},
    {"dictsort", dict_sort},
    {"min", [](Interpreter& in, const Value& on, const Args& args) { return extreme(in, on, args, false); }},
    {"max", [](Interpreter& in, const Value& on, const Args& args) { return extreme(in, on, args, true); }},
    {"sum", sum},
    {"unique", unique},
    {"batch", batch},
    {"slice", slice},
};

}  // namespace

Builtins sequence_filters() { return kFilters; }

}  // namespace suiren::text::jinja
