// Filters on text.

#include <algorithm>
#include <array>

#include "suiren/text/jinja/code_points.h"
#include "suiren/text/jinja/format.h"
#include "suiren/text/jinja/interpreter.h"
#include "suiren/text/jinja/markup.h"
#include "suiren/text/jinja/string_methods.h"

namespace suiren::text::jinja {
namespace {

/// A str as it is, anything else as str() prints it.
Value soft_text(Interpreter& in, const Value& value) {
  return value.is_string() ? value : Value(in.text_of(value));
}

template <std::string (*Convert)(std::string_view)>
Value converted(Interpreter& in, const Value& on, const Args& args) {
  args.bind("a change of case", {});
  const Value text = soft_text(in, on);
  in.budget().spend_bytes(text.as_string().size() * 4);
  return made(text, Convert(text.as_string()));
}

/// Words begin after white space and - ( { [ <; str.title() has another idea of words.
std::string title(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const auto breaks = [&](size_t i) {
      return is_space(code_at(text, i)) || std::string_view("-({[<").find(text[i]) != std::string_view::npos;
    };
    size_t end = at;
    if (breaks(at)) {
      while (end < text.size() && breaks(end)) end += size_at(text, end);
      out += text.substr(at, end - at);
    } else {
      while (end < text.size() && !breaks(end)) end += size_at(text, end);
      const size_t first = size_at(text, at);
      out += to_upper(text.substr(at, first)) + to_lower(text.substr(at + first, end - at - first));
    }
    at = end;
  }
  return out;
}

Value trim(Interpreter& in, const Value& on, const Args& args) {
  const List a = args.bind("trim", {"chars"});
  const Value value = soft_text(in, on);
  const std::string_view text = value.as_string();
  return made(value, std::string(given_not_none(a[0]) ? strip(text, to_text(a[0], "trim"), true, true)
                                                      : strip(text, true, true)));
}

Value replace(Interpreter& in, const Value& on, const Args& args) {
  const List a = args.bind("replace", {"old", "new", "count"}, 2);
  const int64_t times = given_not_none(a[2]) ? to_int(a[2], "replace") : -1;
  return replace_text(in, in.text_of(on), in.text_of(a[0]), in.text_of(a[1]), times);
}

Value indent(Interpreter& in, const Value& on, const Args& args) {
  const List a = args.bind("indent", {"width", "first", "blank"});
  std::string margin = "    ";
  if (given(a[0])) {
    const int64_t width = a[0].is_string() ? 0 : std::max<int64_t>(to_int(a[0], "indent"), 0);
    in.budget().spend_bytes(static_cast<uint64_t>(width));
    margin = a[0].is_string() ? a[0].as_string() : std::string(static_cast<size_t>(width), ' ');
  }
  const bool first = given(a[1]) && a[1].truth(), blank = given(a[2]) && a[2].truth();
  const std::string text = to_text(on, "what is indented") + "\n";
  in.budget().spend_bytes(text.size());
  std::string out;
  const auto lines = split_lines(text);
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) out += '\n';
    const bool moved = i == 0 ? first : blank || !lines[i].empty();
    if (moved) in.budget().spend_bytes(margin.size());
    if (moved) out += margin;
    out += lines[i];
  }
  return made(on, std::move(out));
}

Value truncate(Interpreter& in, const Value& on, const Args& args) {
  const List a = args.bind("truncate", {"length", "killwords", "end", "leeway"});
  const std::string& text = to_text(on, "what is truncated");
  in.budget().spend_bytes(text.size());
  const int64_t length = given(a[0]) ? to_int(a[0], "truncate") : 255,
                leeway = given_not_none(a[3]) ? to_int(a[3], "truncate") : 5;
  const std::string end = given(a[2]) ? to_text(a[2], "truncate") : "...";
  const int64_t kept = length - length_of(end);
  SR_CHECK(kept >= 0 && leeway >= 0,
           "truncate: a length of {} is shorter than its end '{}', or the leeway is negative", length, end);
  if (length_of(text) <= length + leeway) return on;
  std::string part = text.substr(0, offset_of(text, kept));
  const bool kill = given(a[1]) && a[1].truth();
  if (const size_t space = part.rfind(' '); !kill && space != part.npos) part.resize(space);
  return made(on, part + end);
}

Value word_count(Interpreter& in, const Value& on, const Args& args) {
  args.bind("wordcount", {});
  const Value text = soft_text(in, on);
  constexpr uint8_t kWordBits = 16 | 32 | 64 | 128;
  int64_t words = 0;
  bool inside = false;
  const std::string& s = text.as_string();
  in.budget().spend_bytes(s.size() * 4);
  for (size_t i = 0; i < s.size(); i += size_at(s, i)) {
    const bool word = s[i] == '_' || (properties_of(code_at(s, i)) & kWordBits) != 0;
    words += word && !inside;
    inside = word;
  }
  return words;
}

std::string percent_encoded(const std::string& text, bool in_query) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
                       std::string_view("_.-~").find(c) != std::string_view::npos;
    if (plain || (c == '/' && !in_query)) {
      out += c;
    } else {
      out += c == ' ' && in_query ? "+" : fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

Value url_encode(Interpreter& in, const Value& on, const Args& args) {
  args.bind("urlencode", {});
  if (!on.is_dict() && !on.is_sequence()) return percent_encoded(in.text_of(on), false);
  List pairs;
  if (on.is_dict()) {
    for (const auto& [key, value] : on.as_dict().items()) pairs.push_back(Value::tuple({key, value}));
  } else {
    pairs = on.items();
  }
  std::string out;
  for (const Value& pair : pairs) {
    const List parts = to_list(in, pair);
    SR_CHECK(parts.size() == 2, "urlencode: expected pairs of key and value");
    if (!out.empty()) out += '&';
    out += percent_encoded(in.text_of(parts[0]), true) + "=" + percent_encoded(in.text_of(parts[1]), true);
  }
  return out;
}

Value format(Interpreter& in, const Value& on, const Args& args) {
  SR_CHECK(args.positional.empty() || args.keyword.empty(), "format takes values or name=value, not both");
  std::vector<Dict::Item> named;
  for (const auto& [name, value] : args.keyword) named.emplace_back(Value(name), value);
  const Value values = named.empty() ? Value::tuple(args.positional) : make_dict(std::move(named));
  return percent_format(in, soft_text(in, on), values);
}

Value center(Interpreter& in, const Value& on, const Args& args) {
  const List a = args.bind("center", {"width"});
  const Value text = soft_text(in, on);
  return made(text, centered(in, text.as_string(), given(a[0]) ? to_int(a[0], "center") : 80, " "));
}

Value safe(Interpreter& in, const Value& on, const Args& args) {
  args.bind("safe", {});
  return Value(in.text_of(on), true);
}

Value escape(Interpreter& in, const Value& on, const Args& args) {
  args.bind("escape", {});
  return Value(escaped(on, in.budget()), true);
}

Value force_escape(Interpreter& in, const Value& on, const Args& args) {
  args.bind("forceescape", {});
  return Value(escape_html(in.text_of(on), in.budget()), true);
}

Value strip_tags_filter(Interpreter& in, const Value& on, const Args& args) {
  args.bind("striptags", {});
  return strip_tags(in.text_of(on), in.budget());
}

Value string(Interpreter& in, const Value& on, const Args& args) {
  args.bind("string", {});
  return soft_text(in, on);
}

constexpr Builtin kFilters[] = {
    {"upper", converted<to_upper>},
    {"lower", converted<to_lower>},
    {"capitalize", converted<to_capitalized>},
    {"title", converted<title>},
    {"trim", trim},
    {"replace", replace},
    {"indent", indent},
    {"truncate", truncate},
    {"wordcount", word_count},
    {"urlencode", url_encode},
    {"format", format},
    {"center", center},
    {"safe", safe},
    {"e", escape},
    {"escape", escape},
    {"forceescape", force_escape},
    {"striptags", strip_tags_filter},
    {"string", string},
};

}  // namespace

Builtins text_filters() { return kFilters; }

}  // namespace suiren::text::jinja
