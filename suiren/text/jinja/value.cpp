#include "suiren/text/jinja/value.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "suiren/io/utf8.h"
#include "suiren/text/jinja/objects.h"

namespace suiren::text::jinja {
namespace {

constexpr size_t kFewKeys = 8;

/// Exact order of an int and a float, which a conversion of either would lose; 2 for NaN.
int compare_int_float(int64_t i, double f) {
  if (std::isnan(f)) return 2;
  if (f >= 9223372036854775808.0) return -1;
  if (f < -9223372036854775808.0) return 1;
  const auto whole = static_cast<int64_t>(f);
  if (i != whole) return i < whole ? -1 : 1;
  const double rest = f - static_cast<double>(whole);
  return rest > 0 ? -1 : rest < 0 ? 1 : 0;
}

int compare_numbers(const Value& a, const Value& b) {
  const bool fa = a.is(Value::Kind::kFloat), fb = b.is(Value::Kind::kFloat);
  if (!fa && !fb) return a.as_int() < b.as_int() ? -1 : a.as_int() > b.as_int();
  if (fa && fb) {
    const double x = a.as_float(), y = b.as_float();
    return std::isnan(x) || std::isnan(y) ? 2 : x < y ? -1 : x > y;
  }
  if (fb) return compare_int_float(a.as_int(), b.as_float());
  const int c = compare_int_float(b.as_int(), a.as_float());
  return c == 2 ? 2 : -c;
}

/// Keys of one class compare with each other: None, numbers, strings.
int key_class(const Value& key) {
  if (key.is_none()) return 0;
  if (key.is_number()) return 1;
  SR_CHECK(key.is_string(), "a dict's key is {}, expected a str, a number, a bool or None", key.type_name());
  return 2;
}

/// A total order of keys: NaN, which equals nothing in Python, counts as one number after all others.
int order(const Value& a, const Value& b) {
  const int ca = key_class(a), cb = key_class(b);
  if (ca != cb) return ca - cb;
  if (ca == 0) return 0;
  if (ca == 2) return a.as_string().compare(b.as_string());
  const int c = compare_numbers(a, b);
  if (c != 2) return c;
  return static_cast<int>(std::isnan(a.as_float())) - static_cast<int>(std::isnan(b.as_float()));
}
int order(const Value& a, std::string_view b) {
  return a.is_string() ? std::string_view(a.as_string()).compare(b) : key_class(a) - 2;
}

}  // namespace

std::shared_ptr<const Sequence> Value::sequence(List items) {
  int depth = 0;
  for (const Value& item : items) depth = std::max(depth, item.depth());
  SR_CHECK(depth < kMaxValueDepth, "lists are nested deeper than {}", kMaxValueDepth);
  return std::make_shared<const Sequence>(Sequence{std::move(items), depth + 1});
}

Value Value::from_json(const nlohmann::ordered_json& json, int depth) {
  const auto text = [](const std::string& s) {
    io::check_utf8(s, "the context of a template");
    return Value(s);
  };
  if (json.is_null()) return none();
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_string()) return text(json.get_ref<const std::string&>());
  if (json.is_number_float()) return json.get<double>();
  if (json.is_number()) {
    SR_CHECK(!json.is_number_unsigned() || json.get<uint64_t>() <= INT64_MAX,
             "the number {} in the context of a template does not fit 64 bits with a sign; write it as text",
             json.get<uint64_t>());
    return json.get<int64_t>();
  }
  SR_CHECK(json.is_structured(), "the context of a template holds {}", json.type_name());
  SR_CHECK(depth < kMaxValueDepth, "the context of a template is nested deeper than {}", kMaxValueDepth);
  if (json.is_array()) {
    List items;
    items.reserve(json.size());
    for (const auto& item : json) items.push_back(from_json(item, depth + 1));
    return list(std::move(items));
  }
  std::vector<Dict::Item> items;
  items.reserve(json.size());
  for (const auto& [key, value] : json.items()) items.emplace_back(text(key), from_json(value, depth + 1));
  return make_dict(std::move(items));
}

bool Value::truth() const {
  switch (kind()) {
    case Kind::kBool:
      return as_bool();
    case Kind::kInt:
      return as_int() != 0;
    case Kind::kFloat:
      return as_float() != 0;
    case Kind::kString:
      return !as_string().empty();
    case Kind::kList:
    case Kind::kTuple:
      return !items().empty();
    case Kind::kDict:
      return !as_dict().items().empty();
    case Kind::kObject:
      return object()->truth();
    default:
      return false;
  }
}

std::string Value::type_name() const {
  static constexpr const char* kNames[] = {"Undefined", "Undefined", "NoneType", "bool",  "int",
                                           "float",     "str",       "list",     "tuple", "dict"};
  if (is_safe()) return "Markup";
  return is(Kind::kObject) ? object()->type_name() : kNames[static_cast<size_t>(kind())];
}

int Value::depth() const {
  if (is(Kind::kList)) return std::get<ListRef>(data_).of->depth;
  if (is(Kind::kTuple)) return std::get<TupleRef>(data_).of->depth;
  if (is(Kind::kDict)) return as_dict().depth();
  return is(Kind::kObject) ? object()->depth() : 0;
}

bool Value::same_as(const Value& other) const {
  if (kind() != other.kind()) return false;
  switch (kind()) {
    case Kind::kBool:
      return as_bool() == other.as_bool();
    case Kind::kInt:
      return as_int() == other.as_int();
    case Kind::kFloat:
      return as_float() == other.as_float();
    case Kind::kString:
      return as_string() == other.as_string();
    case Kind::kList:
    case Kind::kTuple:
      return &items() == &other.items();
    case Kind::kDict:
      return &as_dict() == &other.as_dict();
    case Kind::kObject:
      return object() == other.object();
    default:
      return true;
  }
}

Dict::Dict(std::vector<Item> items) : items_(std::move(items)) {
  SR_CHECK(items_.size() < UINT32_MAX, "a dict of {} items is too large", items_.size());
  std::vector<uint32_t> by_key(items_.size());
  std::iota(by_key.begin(), by_key.end(), 0);
  if (items_.size() == 1) (void)key_class(items_[0].first);
  std::stable_sort(by_key.begin(), by_key.end(),
                   [&](uint32_t a, uint32_t b) { return order(items_[a].first, items_[b].first) < 0; });
  std::vector<bool> dropped(items_.size());
  size_t kept = 0;
  for (size_t i = 0; i < by_key.size(); ++i) {
    if (kept > 0 && order(items_[by_key[kept - 1]].first, items_[by_key[i]].first) == 0) {
      items_[by_key[kept - 1]].second = std::move(items_[by_key[i]].second);
      dropped[by_key[i]] = true;
    } else {
      by_key[kept++] = by_key[i];
    }
  }
  if (kept < items_.size()) {
    std::vector<Item> rest;
    for (size_t i = 0; i < items_.size(); ++i)
      if (!dropped[i]) rest.push_back(std::move(items_[i]));
    *this = Dict(std::move(rest));
    return;
  }
  if (kept > kFewKeys) sorted_ = std::move(by_key);
  int depth = 0;
  for (const Item& item : items_) depth = std::max(depth, item.second.depth());
  SR_CHECK(depth < kMaxValueDepth, "dicts are nested deeper than {}", kMaxValueDepth);
  depth_ = depth + 1;
}

template <class Key>
const Value* Dict::look_up(const Key& key) const {
  if (sorted_.empty()) {
    for (const Item& item : items_)
      if (order(item.first, key) == 0) return &item.second;
    return nullptr;
  }
  const auto at = std::lower_bound(sorted_.begin(), sorted_.end(), key,
                                   [&](uint32_t i, const Key& k) { return order(items_[i].first, k) < 0; });
  return at != sorted_.end() && order(items_[*at].first, key) == 0 ? &items_[*at].second : nullptr;
}

const Value* Dict::find(const Value& key) const {
  (void)key_class(key);
  return look_up(key);
}
const Value* Dict::find(std::string_view key) const { return look_up(key); }

void refuse_undefined(const Value& value) {
  if (value.is_undefined()) fail(ErrorCode::kInvalid, "{}", value.undefined_reason());
}

bool equal(const Value& a, const Value& b, Budget& budget) {
  budget.spend(1);
  if (a.is_number() && b.is_number()) return compare_numbers(a, b) == 0;
  if (a.kind() != b.kind()) return false;
  if (a.is_string()) {
    budget.spend_bytes(std::min(a.as_string().size(), b.as_string().size()));
    return a.as_string() == b.as_string();
  }
  if (a.is_sequence()) {
    if (a.items().size() != b.items().size()) return false;
    for (size_t i = 0; i < a.items().size(); ++i)
      if (!equal(a.items()[i], b.items()[i], budget)) return false;
    return true;
  }
  if (a.is_dict()) {
    if (a.as_dict().items().size() != b.as_dict().items().size()) return false;
    for (const auto& [key, value] : a.as_dict().items()) {
      const Value* other = b.as_dict().find(key);
      if (other == nullptr || !equal(value, *other, budget)) return false;
    }
    return true;
  }
  const auto x = a.as<Range>(), y = b.as<Range>();
  if (x && y)
    return x->size() == y->size() && (x->size() == 0 || x->start() == y->start()) &&
           (x->size() < 2 || x->step() == y->step());
  return !a.is(Value::Kind::kObject) || a.object() == b.object();
}

int compare(const Value& a, const Value& b, const char* op, Budget& budget) {
  budget.spend(1);
  if (a.is_number() && b.is_number()) return compare_numbers(a, b);
  if (a.is_string() && b.is_string()) {
    budget.spend_bytes(std::min(a.as_string().size(), b.as_string().size()));
    return std::clamp(a.as_string().compare(b.as_string()), -1, 1);
  }
  if (a.is_sequence() && a.kind() == b.kind()) {
    const List &x = a.items(), &y = b.items();
    for (size_t i = 0; i < std::min(x.size(), y.size()); ++i)
      if (!equal(x[i], y[i], budget)) return compare(x[i], y[i], op, budget);
    return x.size() < y.size() ? -1 : x.size() > y.size();
  }
  refuse_undefined(a);
  refuse_undefined(b);
  fail(ErrorCode::kInvalid, "'{}' is not defined between {} and {}", op, a.type_name(), b.type_name());
}

}  // namespace suiren::text::jinja
