// Methods of str that change case, search, ask what its characters are, and format.

#include <algorithm>
#include <cctype>

#include "suiren/text/jinja/code_points.h"
#include "suiren/text/jinja/format.h"
#include "suiren/text/jinja/interpreter.h"
#include "suiren/text/jinja/string_methods.h"

namespace suiren::text::jinja {
namespace {

template <std::string (*Convert)(std::string_view)>
Value converted(Interpreter& in, const Value& on, const Args& args) {
  args.bind("a change of case", {});
  in.budget().spend_bytes(on.as_string().size() * 4);
  return made(on, Convert(on.as_string()));
}

/// The part of the text between two code points, given as Python gives them, and where it begins.
struct Part {
  std::string_view text;
  int64_t start;
  bool valid;  ///< false where the start lies beyond the end
};
Part part_of(Interpreter& in, const Value& on, const Value& start, const Value& stop) {
  const std::string& text = on.as_string();
  in.budget().spend_bytes(text.size());
  if (!given_not_none(start) && !given_not_none(stop)) return {text, 0, true};
  const int64_t size = length_of(text);
  const auto bound = [&](const Value& value, int64_t otherwise) {
    if (!given_not_none(value)) return otherwise;
    const int64_t at = to_int(value, "a bound");
    return at < 0 ? std::max<int64_t>(at + size, 0) : at;
  };
  const int64_t from = bound(start, 0), to = std::min(bound(stop, size), size);
  if (from > to) return {{}, from, false};
  const size_t begin = offset_of(text, from);
  return {std::string_view(text).substr(begin, offset_of(text, to) - begin), from, true};
}

/// Code point at which `what` is found, or -1.
int64_t position(Interpreter& in, const Value& on, const Args& args, bool from_right) {
  const List a = args.bind("find", {"sub", "start", "end"}, 1);
  const Part part = part_of(in, on, a[1], a[2]);
  if (!part.valid) return -1;
  const std::string& what = to_text(a[0], "find()");
  const size_t at = from_right ? part.text.rfind(what) : part.text.find(what);
  return at == part.text.npos ? -1 : part.start + length_of(part.text.substr(0, at));
}

Value index_of(Interpreter& in, const Value& on, const Args& args, bool from_right) {
  const int64_t at = position(in, on, args, from_right);
  SR_CHECK(at >= 0, "index(): the text is not in the str");
  return at;
}

Value count(Interpreter& in, const Value& on, const Args& args) {
  const List a = args.bind("count", {"sub", "start", "end"}, 1);
  const Part part = part_of(in, on, a[1], a[2]);
  const std::string& what = to_text(a[0], "count()");
  if (!part.valid) return int64_t{0};
  if (what.empty()) return length_of(part.text) + 1;
  int64_t n = 0;
  for (size_t at = part.text.find(what); at != part.text.npos; at = part.text.find(what, at + what.size()))
    ++n;
  return n;
}

Value has_end(Interpreter& in, const Value& on, const Args& args, bool prefix) {
  const List a = args.bind(prefix ? "startswith" : "endswith", {"prefix", "start", "end"}, 1);
  const Part part = part_of(in, on, a[1], a[2]);
  const auto matches = [&](const Value& end) {
    const std::string& text = to_text(end, "startswith()");
    return part.valid && (prefix ? part.text.starts_with(text) : part.text.ends_with(text));
  };
  if (!a[0].is(Value::Kind::kTuple)) return matches(a[0]);
  return std::any_of(a[0].items().begin(), a[0].items().end(), matches);
}

/// Whether there are characters and each has one of these bits.
template <uint8_t Bits>
Value all_are(Interpreter& in, const Value& on, const Args& args) {
  args.bind("a question", {});
  const std::string& text = on.as_string();
  in.budget().spend_bytes(text.size() * 4);
  for (size_t i = 0; i < text.size(); i += size_at(text, i))
    if ((properties_of(code_at(text, i)) & Bits) == 0) return false;
  return !text.empty();
}

template <bool (*Is)(uint32_t)>
bool each(std::string_view text) {
  for (size_t i = 0; i < text.size(); i += size_at(text, i))
    if (!Is(code_at(text, i))) return false;
  return true;
}

Value is_title(Interpreter& in, const Value& on, const Args& args) {
  args.bind("istitle", {});
  const std::string& text = on.as_string();
  in.budget().spend_bytes(text.size() * 4);
  bool after_cased = false, any = false;
  for (size_t i = 0; i < text.size(); i += size_at(text, i)) {
    const uint32_t code = code_at(text, i);
    const bool cased = is_cased(code);
    if (cased && is_lower(code) != after_cased) return false;
    any = any || cased;
    after_cased = cased;
  }
  return any;
}

Value is_identifier(Interpreter&, const Value& on, const Args& args) {
  args.bind("isidentifier", {});
  const std::string& text = on.as_string();
  constexpr uint8_t kAlpha = 16, kDecimal = 32;
  for (size_t i = 0; i < text.size(); i += size_at(text, i)) {
    const uint8_t bits = properties_of(code_at(text, i));
    if (text[i] != '_' && (bits & (i == 0 ? kAlpha : kAlpha | kDecimal)) == 0) return false;
  }
  return !text.empty();
}

Value format_map(Interpreter& in, const Value& on, const Args& args) {
  const List a = args.bind("format_map", {"mapping"}, 1);
  SR_CHECK(a[0].is_dict(), "format_map() needs a dict, this is {}", a[0].type_name());
  Args names;
  for (const auto& [key, value] : a[0].as_dict().items())
    if (key.is_string()) names.keyword.emplace_back(key.as_string(), value);
  return brace_format(in, on, names);
}

constexpr Builtin kMethods[] = {
    {"upper", converted<to_upper>},
    {"lower", converted<to_lower>},
    {"casefold", converted<to_folded>},
    {"title", converted<to_title>},
    {"capitalize", converted<to_capitalized>},
    {"swapcase", converted<swap_case>},
    {"find",
     [](Interpreter& in, const Value& on, const Args& a) { return Value(position(in, on, a, false)); }},
    {"rfind",
     [](Interpreter& in, const Value& on, const Args& a) { return Value(position(in, on, a, true)); }},
    {"index", [](Interpreter& in, const Value& on, const Args& a) { return index_of(in, on, a, false); }},
    {"rindex", [](Interpreter& in, const Value& on, const Args& a) { return index_of(in, on, a, true); }},
    {"count", count},
    {"startswith", [](Interpreter& in, const Value& on, const Args& a) { return has_end(in, on, a, true); }},
    {"endswith", [](Interpreter& in, const Value& on, const Args& a) { return has_end(in, on, a, false); }},
    {"isalpha", all_are<16>},
    {"isdecimal", all_are<32>},
    {"isdigit", all_are<64>},
    {"isnumeric", all_are<128>},
    {"isalnum", all_are<16 | 32 | 64 | 128>},
    {"isspace", [](Interpreter&, const Value& on,
                   const Args&) { return Value(!on.as_string().empty() && each<is_space>(on.as_string())); }},
    {"isprintable",
     [](Interpreter&, const Value& on, const Args&) { return Value(each<is_printable>(on.as_string())); }},
    {"isascii",
     [](Interpreter&, const Value& on, const Args&) {
       return Value(std::all_of(on.as_string().begin(), on.as_string().end(),
                                [](char c) { return static_cast<unsigned char>(c) < 0x80; }));
     }},
    {"isupper",
     [](Interpreter&, const Value& on, const Args&) { return Value(all_cased(on.as_string(), true)); }},
    {"islower",
     [](Interpreter&, const Value& on, const Args&) { return Value(all_cased(on.as_string(), false)); }},
    {"istitle", is_title},
    {"isidentifier", is_identifier},
    {"format", brace_format},
    {"format_map", format_map},
};

}  // namespace

bool all_cased(std::string_view text, bool upper) {
  bool any = false;
  for (size_t i = 0; i < text.size(); i += size_at(text, i)) {
    const uint32_t code = code_at(text, i);
    if (!is_cased(code)) continue;
    if (upper ? !is_upper(code) : !is_lower(code)) return false;
    any = true;
  }
  return any;
}

Builtins more_string_methods() { return kMethods; }

}  // namespace suiren::text::jinja
