#pragma once
// The values of a chat template: Python's None, bool, int (64 bits; more is an error), float, str, list,
// tuple and dict as far as templates can tell, jinja2's Undefined, and objects that only a template makes
// (objects.h). Immutable, except for namespaces and half-read iterators; copies share what they hold.

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "suiren/text/jinja/budget.h"

namespace suiren::text::jinja {

class Value;
class Dict;
class Object;
class Interpreter;
using List = std::vector<Value>;

/// A str. `safe` is what jinja2's |safe and |escape leave on it (Markup): a sum with other text escapes that.
struct Text {
  std::string bytes;  ///< UTF-8
  bool safe = false;
};

/// A list or tuple: how deep it is nested stands beside the items, so that nothing ever recurses too deep.
struct Sequence {
  List items;
  int depth = 1;
};

/// The cap on nesting of lists, tuples, dicts and chained iterators.
inline constexpr int kMaxValueDepth = 200;

class Value {
 public:
  /// The alternatives in the order of the variant.
  enum class Kind : uint8_t {
    kMissing,
    kUndefined,
    kNone,
    kBool,
    kInt,
    kFloat,
    kString,
    kList,
    kTuple,
    kDict,
    kObject
  };

  Value() = default;  ///< not even undefined: a variable that was not set
  Value(bool b) : data_(b) {}
  Value(int64_t i) : data_(i) {}
  Value(double f) : data_(f) {}
  Value(std::string s, bool safe = false) : data_(std::make_shared<const Text>(Text{std::move(s), safe})) {}
  Value(std::string_view s) : Value(std::string(s)) {}
  Value(const char* s) : Value(std::string(s)) {}
  Value(std::shared_ptr<const Dict> dict) : data_(std::move(dict)) {}
  Value(std::shared_ptr<Object> object) : data_(std::move(object)) {}
  template <class T>
  requires std::is_base_of_v<Object, T> Value(std::shared_ptr<T> object)
      : data_(std::shared_ptr<Object>(std::move(object))) {}
  static Value none() { return Value(Data(None{})); }
  /// Printed it is empty, in most other uses an error that says `why`.
  static Value undefined(std::string why) {
    return Value(Data(Undefined{std::make_shared<const std::string>(std::move(why))}));
  }
  static Value list(List items) { return Value(Data(ListRef{sequence(std::move(items))})); }
  static Value tuple(List items) { return Value(Data(TupleRef{sequence(std::move(items))})); }
  /// Error{kInvalid} for an integer beyond 64 bits, text that is not UTF-8, or nesting deeper than
  /// kMaxValueDepth.
  static Value from_json(const nlohmann::ordered_json& json, int depth = 0);

  Kind kind() const { return static_cast<Kind>(data_.index()); }
  bool is(Kind kind) const { return this->kind() == kind; }
  bool is_missing() const { return is(Kind::kMissing); }
  bool is_undefined() const { return is(Kind::kUndefined); }
  bool is_none() const { return is(Kind::kNone); }
  bool is_bool() const { return is(Kind::kBool); }
  bool is_string() const { return is(Kind::kString); }
  bool is_sequence() const { return is(Kind::kList) || is(Kind::kTuple); }
  bool is_dict() const { return is(Kind::kDict); }
  bool is_integral() const { return is(Kind::kInt) || is_bool(); }  ///< bool is an int, as in Python
  bool is_number() const { return is_integral() || is(Kind::kFloat); }
  bool is_safe() const { return is_string() && std::get<TextRef>(data_)->safe; }

  bool as_bool() const { return std::get<bool>(data_); }
  int64_t as_int() const { return is_bool() ? as_bool() : std::get<int64_t>(data_); }
  double as_float() const {
    return is(Kind::kFloat) ? std::get<double>(data_) : static_cast<double>(as_int());
  }
  const std::string& as_string() const { return std::get<TextRef>(data_)->bytes; }
  const List& items() const {
    return is(Kind::kList) ? std::get<ListRef>(data_).of->items : std::get<TupleRef>(data_).of->items;
  }
  const Dict& as_dict() const { return *std::get<std::shared_ptr<const Dict>>(data_); }
  const std::shared_ptr<Object>& object() const { return std::get<std::shared_ptr<Object>>(data_); }
  /// The object if it is a T, or null.
  template <class T>
  std::shared_ptr<T> as() const {
    return is(Kind::kObject) ? std::dynamic_pointer_cast<T>(object()) : nullptr;
  }
  const std::string& undefined_reason() const { return *std::get<Undefined>(data_).why; }

  bool truth() const;
  /// "str", "dict", ... as Python names the type in messages.
  std::string type_name() const;
  int depth() const;
  /// The very same object (Python's `is`); equal scalars and strings count as the same.
  bool same_as(const Value& other) const;

 private:
  struct None {};
  struct Undefined {
    std::shared_ptr<const std::string> why;
  };
  using TextRef = std::shared_ptr<const Text>;
  struct ListRef {
    std::shared_ptr<const Sequence> of;
  };
  struct TupleRef {
    std::shared_ptr<const Sequence> of;
  };
  using Data = std::variant<std::monostate, Undefined, None, bool, int64_t, double, TextRef, ListRef,
                            TupleRef, std::shared_ptr<const Dict>, std::shared_ptr<Object>>;
  explicit Value(Data data) : data_(std::move(data)) {}
  static std::shared_ptr<const Sequence> sequence(List items);
  Data data_;
};

/// Keys and values in the order in which they came. Keys are None, bool, int, float or str.
class Dict {
 public:
  using Item = std::pair<Value, Value>;

  Dict() = default;
  /// Of equal keys the first keeps the place and the last gives the value. Error{kInvalid} for a key of
  /// another type.
  explicit Dict(std::vector<Item> items);
  const std::vector<Item>& items() const { return items_; }
  const Value* find(const Value& key) const;
  const Value* find(std::string_view key) const;
  int depth() const { return depth_; }

 private:
  template <class Key>
  const Value* look_up(const Key& key) const;
  std::vector<Item> items_;
  std::vector<uint32_t> sorted_;  ///< the items by key, where there are more than a few
  int depth_ = 1;
};

inline Value make_dict(std::vector<Dict::Item> items) {
  return std::make_shared<const Dict>(std::move(items));
}

/// What only a template makes: macros, namespaces, iterators, methods. objects.h has the kinds.
class Object : public std::enable_shared_from_this<Object> {
 public:
  virtual ~Object() = default;
  virtual std::string type_name() const = 0;
  /// How print shows it.
  virtual std::string repr(Budget&) const { return "<" + type_name() + ">"; }
  /// An attribute, or missing.
  virtual Value attribute(Interpreter&, std::string_view) { return {}; }
  virtual bool truth() const { return true; }
  virtual int depth() const { return 1; }
};

/// Python's ==. Costs a step for each part that is compared.
bool equal(const Value& a, const Value& b, Budget& budget);
/// Python's order: < 0, 0, > 0; 2 for numbers that have none (NaN). Error{kInvalid} names types that have
/// none.
int compare(const Value& a, const Value& b, const char* op, Budget& budget);
/// Error{kInvalid} with the undefined value's reason, if it is one.
void refuse_undefined(const Value& value);

}  // namespace suiren::text::jinja
