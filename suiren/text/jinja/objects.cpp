#include "suiren/text/jinja/objects.h"

#include <algorithm>
#include <array>

#include "suiren/text/jinja/code_points.h"
#include "suiren/text/jinja/interpreter.h"
#include "suiren/text/jinja/print.h"

namespace suiren::text::jinja {

Iterator::Iterator(Next next, int depth, const char* type)
    : next_(std::move(next)), depth_(depth + 1), type_(type) {
  SR_CHECK(depth_ <= kMaxValueDepth, "filters are chained deeper than {}", kMaxValueDepth);
}

int64_t size_of(const Value& value) {
  if (value.is_string()) return length_of(value.as_string());
  if (value.is_sequence()) return static_cast<int64_t>(value.items().size());
  if (value.is_dict()) return static_cast<int64_t>(value.as_dict().items().size());
  if (value.is_undefined()) return 0;
  if (const auto range = value.as<Range>()) return range->size();
  if (const auto view = value.as<DictView>()) return view->size();
  return -1;
}

IteratorPtr iterate(const Value& value) {
  if (auto iterator = value.as<Iterator>()) return iterator;
  if (value.is_string()) {
    return std::make_shared<Iterator>(
        [value, at = size_t{0}](Interpreter& in, Value& out) mutable {
          const std::string& text = value.as_string();
          if (at >= text.size()) return false;
          in.budget().spend(1);
          const size_t size = size_at(text, at);
          out = Value(text.substr(at, size), value.is_safe());
          at += size;
          return true;
        },
        0, "str_iterator");
  }
  const int64_t size = size_of(value);
  SR_CHECK(size >= 0, "{} cannot be iterated over", value.type_name());
  const auto range = value.as<Range>();
  const auto view = value.as<DictView>();
  return std::make_shared<Iterator>(
      [value, range, view, size, at = int64_t{0}](Interpreter& in, Value& out) mutable {
        if (at >= size) return false;
        in.budget().spend(1);
        const auto i = static_cast<size_t>(at++);
        out = range             ? Value(range->at(static_cast<int64_t>(i)))
              : view            ? view->at(i)
              : value.is_dict() ? value.as_dict().items()[i].first
                                : value.items()[i];
        return true;
      },
      value.depth(), "list_iterator");
}

IteratorPtr iterator_over(List items) { return iterate(Value::list(std::move(items))); }

List to_list(Interpreter& in, const Value& value) {
  if (value.is_sequence()) {
    in.budget().spend(static_cast<int64_t>(value.items().size()));
    return value.items();
  }
  List items;
  const IteratorPtr from = iterate(value);
  for (Value item; from->next(in, item);) items.push_back(std::move(item));
  return items;
}

Range::Range(int64_t start, int64_t stop, int64_t step) : start_(start), stop_(stop), step_(step) {
  constexpr int64_t kLargest = 1LL << 62;
  SR_CHECK(step != 0, "range() with a step of 0");
  SR_CHECK(std::max({start, stop, step}) < kLargest && std::min({start, stop, step}) > -kLargest,
           "range() beyond 62 bits");
  const int64_t distance = step > 0 ? stop - start : start - stop, stride = step > 0 ? step : -step;
  if (distance > 0) size_ = (distance - 1) / stride + 1;
  constexpr int64_t kMost = 100000;  // jinja2's MAX_RANGE
  SR_CHECK(size_ <= kMost, "range() of {} numbers; at most {} are allowed", size_, kMost);
}

std::string Range::repr(Budget&) const {
  return step_ == 1 ? fmt::format("range({}, {})", start_, stop_)
                    : fmt::format("range({}, {}, {})", start_, stop_, step_);
}

Value DictView::at(size_t index) const {
  const auto& [key, value] = dict_.as_dict().items()[index];
  return part_ == Part::kKeys ? key : part_ == Part::kValues ? value : Value::tuple({key, value});
}
std::string DictView::type_name() const {
  return part_ == Part::kKeys ? "dict_keys" : part_ == Part::kValues ? "dict_values" : "dict_items";
}
std::string DictView::repr(Budget& budget) const {
  List items;
  for (size_t i = 0; i < static_cast<size_t>(size()); ++i) items.push_back(at(i));
  return type_name() + "(" + jinja::repr(Value::list(std::move(items)), budget) + ")";
}

Value Function::call(Interpreter& in, const Args& args) const {
  static constexpr std::array<std::string_view, 5> kNamed = {"split", "rsplit", "splitlines", "expandtabs",
                                                             "format"};
  const bool method = !self_.is_missing() && !self_.is(Value::Kind::kObject);
  SR_CHECK(!method || args.keyword.empty() ||
               std::find(kNamed.begin(), kNamed.end(), builtin_.name) != kNamed.end(),
           "{}() takes no named arguments", builtin_.name);
  return builtin_.call(in, self_, args);
}

std::string Macro::repr(Budget&) const { return "<Macro " + string_repr(definition->name) + ">"; }
Value Macro::attribute(Interpreter&, std::string_view name) {
  if (name == "name") return definition->name;
  if (name == "catch_kwargs") return definition->takes_kwargs;
  if (name == "catch_varargs") return definition->takes_varargs;
  if (name == "caller") return definition->takes_caller;
  if (name != "arguments") return {};
  return Value::tuple(List(definition->parameters.begin(), definition->parameters.end()));
}

std::string Namespace::repr(Budget& budget) const {
  std::string out = "<Namespace {";
  for (const auto& [name, value] : attributes_)
    out += (out.ends_with('{') ? "" : ", ") + string_repr(name) + ": " + jinja::repr(value, budget);
  return out + "}>";
}
Value Namespace::attribute(Interpreter& in, std::string_view name) {
  in.budget().spend(static_cast<int64_t>(attributes_.size() / 16));
  for (const auto& [key, value] : attributes_)
    if (key == name) return value;
  return {};
}
void Namespace::set(const std::string& name, Value value) {
  SR_CHECK(!name.starts_with('_'), "a namespace cannot hold '{}': its name begins with an underscore", name);
  const auto found =
      std::find_if(attributes_.begin(), attributes_.end(), [&](const auto& a) { return a.first == name; });
  if (found != attributes_.end()) {
    found->second = std::move(value);
  } else {
    attributes_.emplace_back(name, std::move(value));
  }
}

namespace {

/// A method of an object of this file, called through a Function.
template <class T>
std::shared_ptr<T> self(const Value& on) {
  return on.as<T>();
}
constexpr Builtin kCyclerNext{
    "next", [](Interpreter&, const Value& on, const Args&) { return self<Cycler>(on)->next(); }};
constexpr Builtin kCyclerReset{"reset", [](Interpreter&, const Value& on, const Args&) {
                                 self<Cycler>(on)->reset();
                                 return Value::none();
                               }};

}  // namespace

Cycler::Cycler(List items) : items_(std::move(items)) {
  SR_CHECK(!items_.empty(), "cycler() needs at least one value");
  for (const Value& item : items_) depth_ = std::max(depth_, item.depth() + 1);
  SR_CHECK(depth_ <= kMaxValueDepth, "cyclers are nested deeper than {}", kMaxValueDepth);
}
Value Cycler::next() {
  Value value = items_[at_];
  at_ = (at_ + 1) % items_.size();
  return value;
}
Value Cycler::attribute(Interpreter&, std::string_view name) {
  if (name == "current") return items_[at_];
  if (name == "next") return std::make_shared<Function>(kCyclerNext, shared_from_this());
  return name == "reset" ? Value(std::make_shared<Function>(kCyclerReset, shared_from_this())) : Value();
}

}  // namespace suiren::text::jinja
