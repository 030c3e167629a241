#include <cstring>

#include "suiren/base/error.h"
#include "suiren/io/gguf_parser.h"
#include "suiren/io/utf8.h"

namespace suiren::io {
namespace {

constexpr std::string_view kNames[GgufValue::kTypes] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                                        "bool", "string", "array", "u64", "i64", "f64"};

bool is_integer(GgufValue::Type t) {
  return t <= GgufValue::kI32 || t == GgufValue::kU64 || t == GgufValue::kI64;
}
bool is_number(GgufValue::Type t) { return is_integer(t) || t == GgufValue::kF32 || t == GgufValue::kF64; }

std::string describe(const GgufValue& v) {
  return v.is_array() ? fmt::format("an array of {}", gguf_type_name(v.element_type()))
                      : std::string(gguf_type_name(v.type()));
}

[[noreturn]] void mistyped(const std::string& where, const GgufValue& value, std::string_view wanted) {
  fail(ErrorCode::kInvalid, "{} is {}, expected {}", where, describe(value), wanted);
}

template <class T>
T load(const uint8_t* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

/// Calls f with the number at p, in its own type.
template <class F>
auto visit_number(GgufValue::Type type, const uint8_t* p, F&& f) {
  switch (type) {
    case GgufValue::kU8:
      return f(load<uint8_t>(p));
    case GgufValue::kI8:
      return f(load<int8_t>(p));
    case GgufValue::kU16:
      return f(load<uint16_t>(p));
    case GgufValue::kI16:
      return f(load<int16_t>(p));
    case GgufValue::kU32:
      return f(load<uint32_t>(p));
    case GgufValue::kI32:
      return f(load<int32_t>(p));
    case GgufValue::kU64:
      return f(load<uint64_t>(p));
    case GgufValue::kI64:
      return f(load<int64_t>(p));
    case GgufValue::kF32:
      return f(load<float>(p));
    default:
      return f(load<double>(p));
  }
}

int64_t integer_at(GgufValue::Type type, const uint8_t* p, const std::string& where) {
  return visit_number(type, p, [&](auto v) -> int64_t {
    if constexpr (std::is_same_v<decltype(v), uint64_t>)
      SR_CHECK(v <= INT64_MAX, "{} is {}, which is beyond 2^63 - 1", where, v);
    return static_cast<int64_t>(v);
  });
}

double number_at(GgufValue::Type type, const uint8_t* p) {
  return visit_number(type, p, [](auto v) { return static_cast<double>(v); });
}

/// The elements of an array of numbers that all stand in the same number of bytes.
template <class T, class At>
std::vector<T> numbers_of(std::span<const uint8_t> payload, int64_t count, At&& at) {
  std::vector<T> out;
  out.reserve(static_cast<size_t>(count));
  const size_t width = count > 0 ? payload.size() / static_cast<size_t>(count) : 0;
  for (int64_t i = 0; i < count; ++i) out.push_back(at(payload.data() + static_cast<size_t>(i) * width));
  return out;
}

}  // namespace

std::string_view gguf_type_name(GgufValue::Type type) { return kNames[type]; }

int64_t GgufValue::integer(const std::string& where) const {
  if (!is_integer(type_)) mistyped(where, *this, "an integer");
  return integer_at(type_, payload_.data(), where);
}

double GgufValue::number(const std::string& where) const {
  if (!is_number(type_)) mistyped(where, *this, "a number");
  return number_at(type_, payload_.data());
}

bool GgufValue::boolean(const std::string& where) const {
  if (type_ != kBool) mistyped(where, *this, "a bool");
  return payload_[0] != 0;
}

std::string_view GgufValue::string(const std::string& where) const {
  if (type_ != kString) mistyped(where, *this, "a string");
  const std::string_view text(reinterpret_cast<const char*>(payload_.data()), payload_.size());
  SR_CHECK(find_invalid_utf8(text) == std::string_view::npos, "{} is not UTF-8", where);
  return text;
}

std::vector<int64_t> GgufValue::integers(const std::string& where) const {
  if (!is_array() || !is_integer(element_type_)) mistyped(where, *this, "an array of integers");
  return numbers_of<int64_t>(payload_, size_,
                             [&](const uint8_t* p) { return integer_at(element_type_, p, where); });
}

std::vector<double> GgufValue::numbers(const std::string& where) const {
  if (!is_array() || !is_number(element_type_)) mistyped(where, *this, "an array of numbers");
  return numbers_of<double>(payload_, size_, [&](const uint8_t* p) { return number_at(element_type_, p); });
}

std::vector<std::string_view> GgufValue::strings(const std::string& where) const {
  if (!is_array() || element_type_ != kString) mistyped(where, *this, "an array of strings");
  Reader reader(payload_, where);
  std::vector<std::string_view> out;
  out.reserve(static_cast<size_t>(size_));
  for (int64_t i = 0; i < size_; ++i) out.push_back(reader.string(reader.u64()));
  return out;
}

std::vector<GgufValue> GgufValue::elements(const std::string& where) const {
  if (!is_array()) mistyped(where, *this, "an array");
  Reader reader(payload_, where);
  std::vector<GgufValue> out;
  out.reserve(static_cast<size_t>(size_));
  for (int64_t i = 0; i < size_; ++i) out.push_back(GgufParser::read_value(reader, element_type_, where));
  return out;
}

}  // namespace suiren::io
