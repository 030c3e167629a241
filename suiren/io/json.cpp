#include "suiren/io/json.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <utility>

#include "suiren/base/error.h"
#include "suiren/base/file.h"

namespace suiren::io {
namespace {

constexpr size_t kMaxDepth = 64;

/// Characters of the text, noting how far the parser has come, so that our own errors have a place too.
struct Cursor {
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;
  const char* at;
  const char** furthest;
  reference operator*() const { return *at; }
  Cursor& operator++() {
    *furthest = ++at;
    return *this;
  }
  bool operator==(const Cursor& o) const { return at == o.at; }
  bool operator!=(const Cursor& o) const { return at != o.at; }
};

/// Builds the value from parser events, with a cap on depth: the parser itself does not recurse.
template <class J>
class Builder : public nlohmann::json_sax<J> {
  using Base = nlohmann::json_sax<J>;
  using typename Base::binary_t, typename Base::number_float_t, typename Base::number_integer_t,
      typename Base::number_unsigned_t, typename Base::string_t;

 public:
  Builder(std::string_view text, const std::string& name, DuplicateKeys duplicates, int64_t first_line)
      : text_(text), name_(name), duplicates_(duplicates), first_line_(first_line), furthest_(text.data()) {}

  J parse() {
    const char* begin = text_.data();
    J::sax_parse(Cursor{begin, &furthest_}, Cursor{begin + text_.size(), &furthest_}, this);
    return std::move(root_);
  }

  bool null() override { return put(nullptr); }
  bool boolean(bool x) override { return put(x); }
  bool number_integer(number_integer_t x) override { return put(x); }
  bool number_unsigned(number_unsigned_t x) override { return put(x); }
  bool number_float(number_float_t x, const string_t&) override { return put(x); }
  bool string(string_t& x) override { return put(std::move(x)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return open(J::object()); }
  bool start_array(size_t) override { return open(J::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& key) override {
    const auto [slot, fresh] = insert_key(std::move(key));
    if (!fresh && duplicates_ == DuplicateKeys::kRefuse)
      refuse(fmt::format("key '{}' stands twice", slot->first));
    slot_ = &slot->second;
    return true;
  }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception& e) override {
    std::string what = e.what();  // "[json.exception...] parse error at line L, column C: REASON"
    if (const auto reason = what.find(": "); reason != std::string::npos) what = what.substr(reason + 2);
    fail(ErrorCode::kInvalid, "{}: not valid JSON: {}", place(position == 0 ? 0 : position - 1), what);
  }

 private:
  /// "name:line:column" of a byte of the text.
  std::string place(size_t position) const {
    const auto before = text_.substr(0, std::min(position, text_.size()));
    const auto line = first_line_ + std::count(before.begin(), before.end(), '\n');
    const auto newline = before.rfind('\n');
    const auto column = 1 + before.size() - (newline == std::string_view::npos ? 0 : newline + 1);
    return fmt::format("{}:{}:{}", name_, line, column);
  }
  [[noreturn]] void refuse(const std::string& why) const {
    fail(ErrorCode::kInvalid, "{}: {}", place(static_cast<size_t>(furthest_ - text_.data())), why);
  }
  /// The member of a key, and whether it is new. An ordered object is a vector that would search itself for
  /// each.
  auto insert_key(string_t&& key) {
    auto& members = stack_.back().value->template get_ref<typename J::object_t&>();
    if constexpr (std::is_same_v<J, Json>) {
      return members.emplace(std::move(key), nullptr);
    } else {
      const auto [known, fresh] = stack_.back().keys.emplace(key, members.size());
      if (fresh) members.push_back({std::move(key), nullptr});
      return std::pair(members.begin() + static_cast<ptrdiff_t>(known->second), fresh);
    }
  }
  template <class T>
  J* insert(T&& value) {
    if (stack_.empty()) return &(root_ = std::forward<T>(value));
    if (stack_.back().value->is_array()) return &stack_.back().value->emplace_back(std::forward<T>(value));
    return &(*slot_ = std::forward<T>(value));
  }
  template <class T>
  bool put(T&& value) {
    insert(std::forward<T>(value));
    return true;
  }
  bool open(J&& container) {
    if (stack_.size() == kMaxDepth) refuse(fmt::format("nested deeper than {} levels", kMaxDepth));
    stack_.push_back({insert(std::move(container)), {}});
    return true;
  }
  bool close() {
    stack_.pop_back();
    return true;
  }

  std::string_view text_;
  const std::string& name_;
  DuplicateKeys duplicates_;
  int64_t first_line_;
  const char* furthest_;
  struct Open {
    J* value;
    std::map<std::string, size_t> keys;  ///< of an ordered object: where they stand
  };
  J root_;
  std::vector<Open> stack_;
  J* slot_ = nullptr;
};

[[noreturn]] void wrong_type(const Json& value, const std::string& key, const std::string& name,
                             const char* wanted) {
  auto shown = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (shown.size() > 60) shown = shown.substr(0, 57) + "...";
  fail(ErrorCode::kInvalid, "{}: {} is {}, expected {}", name, key, shown, wanted);
}

/// True for integers that fit int64_t, whichever way they are stored.
bool is_int(const Json& v) {
  return v.is_number_unsigned() ? v.get<uint64_t>() <= static_cast<uint64_t>(INT64_MAX)
                                : v.is_number_integer();
}

std::vector<int64_t> ints_from(int64_t least, const Json& object, const std::string& key,
                               const std::string& name, const char* wanted) {
  const Json& value = json_member(object, key, name);
  const bool ok = value.is_array() && std::all_of(value.begin(), value.end(), [&](const Json& v) {
                    return is_int(v) && v.get<int64_t>() >= least;
                  });
  if (!ok) wrong_type(value, key, name, wanted);
  return value.get<std::vector<int64_t>>();
}

}  // namespace

Json parse_json(std::string_view text, const std::string& name, DuplicateKeys duplicates,
                int64_t first_line) {
  return Builder<Json>(text, name, duplicates, first_line).parse();
}

OrderedJson parse_ordered_json(std::string_view text, const std::string& name, DuplicateKeys duplicates,
                               int64_t first_line) {
  return Builder<OrderedJson>(text, name, duplicates, first_line).parse();
}

Json read_json(const std::string& path) { return parse_json(read_file(path), path); }

void write_json(const std::string& path, const Json& value, int indent) {
  write_file(path, value.dump(indent, ' ', false, Json::error_handler_t::replace) + "\n");
}

const Json& json_member(const Json& object, const std::string& key, const std::string& name) {
  SR_CHECK(object.is_object(), "{}: expected a JSON object", name);
  const auto found = object.find(key);
  SR_CHECK(found != object.end(), "{}: {} is missing", name, key);
  return *found;
}

int64_t json_int(const Json& object, const std::string& key, const std::string& name) {
  const Json& value = json_member(object, key, name);
  if (!is_int(value)) wrong_type(value, key, name, "an integer");
  return value.get<int64_t>();
}

double json_number(const Json& object, const std::string& key, const std::string& name) {
  const Json& value = json_member(object, key, name);
  if (!value.is_number()) wrong_type(value, key, name, "a number");
  return value.get<double>();
}

bool json_bool(const Json& object, const std::string& key, const std::string& name) {
  const Json& value = json_member(object, key, name);
  if (!value.is_boolean()) wrong_type(value, key, name, "true or false");
  return value.get<bool>();
}

std::string json_string(const Json& object, const std::string& key, const std::string& name) {
  const Json& value = json_member(object, key, name);
  if (!value.is_string()) wrong_type(value, key, name, "a string");
  return value.get<std::string>();
}

std::vector<int64_t> json_ints(const Json& object, const std::string& key, const std::string& name) {
  return ints_from(INT64_MIN, object, key, name, "an array of integers");
}

std::vector<int64_t> json_sizes(const Json& object, const std::string& key, const std::string& name) {
  return ints_from(0, object, key, name, "an array of integers >= 0");
}

}  // namespace suiren::io
