// Methods of str that split, join, strip and replace.

#include "suiren/text/jinja/string_methods.h"

#include <algorithm>

#include "suiren/text/jinja/code_points.h"
#include "suiren/text/jinja/interpreter.h"
#include "suiren/text/jinja/markup.h"

namespace suiren::text::jinja {

Value made(const Value& on, std::string text) { return Value(std::move(text), on.is_safe()); }

std::string replace_text(Interpreter& in, const std::string& text, const std::string& from,
                         const std::string& to, int64_t times) {
  in.budget().spend_bytes(text.size());
  std::string out;
  size_t at = 0;
  const auto put = [&] {
    in.budget().spend(1);
    in.budget().spend_bytes(to.size());
    out += to;
  };
  if (from.empty()) {  // before each character, and at the end
    for (; times != 0; --times) {
      put();
      if (at >= text.size()) break;
      const size_t size = size_at(text, at);
      out.append(text, at, size);
      at += size;
    }
  } else {
    for (size_t next = text.find(from); next != text.npos && times != 0;
         next = text.find(from, at), --times) {
      out.append(text, at, next - at);
      put();
      at = next + from.size();
    }
  }
  return out.append(text, at);
}

std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends) {
  std::vector<std::string_view> lines;
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t size = size_at(text, at);
    if (!is_line_end(code_at(text, at))) {
      at += size;
      continue;
    }
    const size_t next = at + (text.substr(at).starts_with("\r\n") ? 2 : size);
    lines.push_back(text.substr(begin, (keep_ends ? next : at) - begin));
    begin = at = next;
  }
  if (begin < text.size()) lines.push_back(text.substr(begin));
  return lines;
}

std::string centered(Interpreter& in, const std::string& text, int64_t width, std::string_view fill) {
  const int64_t missing = width - length_of(text);
  if (missing <= 0) return text;
  in.budget().spend_product(static_cast<uint64_t>(missing), fill.size());
  const int64_t left = missing / 2 + (missing & width & 1);
  std::string out;
  for (int64_t i = 0; i < left; ++i) out += fill;
  out += text;
  for (int64_t i = left; i < missing; ++i) out += fill;
  return out;
}

namespace {

Value list_of(Interpreter& in, const Value& on, const std::vector<std::string_view>& parts) {
  in.budget().spend(static_cast<int64_t>(parts.size()));
  List items;
  for (const auto part : parts) items.push_back(made(on, std::string(part)));
  return Value::list(std::move(items));
}

Value strip_method(Interpreter& in, const Value& on, const Args& args, bool left, bool right) {
  const List a = args.bind("strip", {"chars"});
  in.budget().spend_bytes(on.as_string().size());
  const std::string_view text = on.as_string();
  return made(on, std::string(given_not_none(a[0]) ? strip(text, to_text(a[0], "strip()"), left, right)
                                                   : strip(text, left, right)));
}

std::vector<std::string_view> split_at_space(std::string_view rest, int64_t times) {
  std::vector<std::string_view> parts;
  for (rest = strip(rest, true, false); !rest.empty(); rest = strip(rest, true, false)) {
    size_t end = times-- == 0 ? rest.size() : 0;
    while (end < rest.size() && !is_space(code_at(rest, end))) end += size_at(rest, end);
    parts.push_back(rest.substr(0, end));
    rest.remove_prefix(end);
  }
  return parts;
}

std::vector<std::string_view> split_at_space_from_right(std::string_view rest, int64_t times) {
  std::vector<std::string_view> parts;
  for (rest = strip(rest, false, true); !rest.empty(); rest = strip(rest, false, true)) {
    size_t begin = times-- == 0 ? 0 : rest.size();
    while (begin > 0) {
      size_t before = begin - 1;
      while (before > 0 && (static_cast<unsigned char>(rest[before]) & 0xC0) == 0x80) --before;
      if (is_space(code_at(rest, before))) break;
      begin = before;
    }
    parts.push_back(rest.substr(begin));
    rest.remove_suffix(rest.size() - begin);
  }
  std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<std::string_view> split_at(std::string_view text, const std::string& separator, int64_t times,
                                       bool from_right) {
  SR_CHECK(!separator.empty(), "split() at an empty separator");
  std::vector<std::string_view> parts;
  if (from_right) {
    for (size_t at = text.rfind(separator); at != text.npos && times != 0;
         at = text.rfind(separator), --times) {
      parts.push_back(text.substr(at + separator.size()));
      text = text.substr(0, at);
    }
    parts.push_back(text);
    std::reverse(parts.begin(), parts.end());
    return parts;
  }
  for (size_t at = text.find(separator); at != text.npos && times != 0; at = text.find(separator), --times) {
    parts.push_back(text.substr(0, at));
    text.remove_prefix(at + separator.size());
  }
  parts.push_back(text);
  return parts;
}

Value split_method(Interpreter& in, const Value& on, const Args& args, bool from_right) {
  const List a = args.bind("split", {"sep", "maxsplit"});
  const int64_t times = given(a[1]) ? to_int(a[1], "split()") : -1;
  const std::string& text = on.as_string();
  in.budget().spend_bytes(text.size());
  if (given_not_none(a[0]))
    return list_of(in, on, split_at(text, to_text(a[0], "split()"), times, from_right));
  return list_of(in, on, from_right ? split_at_space_from_right(text, times) : split_at_space(text, times));
}

Value split_lines_method(Interpreter& in, const Value& on, const Args& args) {
  const List a = args.bind("splitlines", {"keepends"});
  in.budget().spend_bytes(on.as_string().size());
  return list_of(in, on, split_lines(on.as_string(), given(a[0]) && a[0].truth()));
}

Value partition_method(Interpreter& in, const Value& on, const Args& args, bool from_right) {
  const List a = args.bind("partition", {"sep"}, 1);
  const std::string &text = on.as_string(), &separator = to_text(a[0], "partition()");
  SR_CHECK(!separator.empty(), "partition() at an empty separator");
  in.budget().spend_bytes(text.size());
  const size_t at = from_right ? text.rfind(separator) : text.find(separator);
  if (at == text.npos) {
    const Value nothing = made(on, "");
    return from_right ? Value::tuple({nothing, nothing, on}) : Value::tuple({on, nothing, nothing});
  }
  return Value::tuple(
      {made(on, text.substr(0, at)), made(on, separator), made(on, text.substr(at + separator.size()))});
}

Value join_method(Interpreter& in, const Value& on, const Args& args) {
  const List a = args.bind("join", {"iterable"}, 1);
  const List items = to_list(in, a[0]);
  std::string out;
  for (size_t i = 0; i < items.size(); ++i) {
    const std::string& text = to_text(items[i], fmt::format("item {} of join()", i));
    in.budget().spend_bytes(text.size() + on.as_string().size());
    if (i > 0) out += on.as_string();
    out += on.is_safe() ? escaped(items[i], in.budget()) : text;
  }
  return made(on, std::move(out));
}

Value replace_method(Interpreter& in, const Value& on, const Args& args) {
  const List a = args.bind("replace", {"old", "new", "count"}, 2);
  const std::string to = on.is_safe() ? escaped(a[1], in.budget()) : to_text(a[1], "replace()");
  return made(on, replace_text(in, on.as_string(), to_text(a[0], "replace()"), to,
                               given(a[2]) ? to_int(a[2], "replace()") : -1));
}

Value remove_end(const Value& on, const Args& args, bool prefix) {
  const List a = args.bind("removeprefix", {"text"}, 1);
  const std::string &text = on.as_string(), &end = to_text(a[0], "removeprefix()");
  if (prefix ? !text.starts_with(end) : !text.ends_with(end)) return on;
  return made(on, prefix ? text.substr(end.size()) : text.substr(0, text.size() - end.size()));
}

Value pad_method(Interpreter& in, const Value& on, const Args& args, char align) {
  const List a = args.bind("center", {"width", "fillchar"}, 1);
  const int64_t width = to_int(a[0], "a width");
  const std::string fill = !given(a[1])   ? " "
                           : on.is_safe() ? escaped(a[1], in.budget())
                                          : to_text(a[1], "fillchar");
  SR_CHECK(length_of(fill) == 1, "fillchar must be one character");
  const std::string& text = on.as_string();
  if (align == '^') return made(on, centered(in, text, width, fill));
  const int64_t missing = width - length_of(text);
  if (missing <= 0) return on;
  in.budget().spend_product(static_cast<uint64_t>(missing), fill.size());
  std::string padding;
  for (int64_t i = 0; i < missing; ++i) padding += fill;
  return made(on, align == '<' ? text + padding : padding + text);
}

Value zero_fill(Interpreter& in, const Value& on, const Args& args) {
  const List a = args.bind("zfill", {"width"}, 1);
  const std::string& text = on.as_string();
  const int64_t missing = to_int(a[0], "zfill()") - length_of(text);
  if (missing <= 0) return on;
  in.budget().spend_bytes(static_cast<uint64_t>(missing));
  const size_t sign = text.starts_with('-') || text.starts_with('+');
  return made(on, text.substr(0, sign) + std::string(static_cast<size_t>(missing), '0') + text.substr(sign));
}

Value expand_tabs(Interpreter& in, const Value& on, const Args& args) {
  const List a = args.bind("expandtabs", {"tabsize"});
  const int64_t size = given(a[0]) ? to_int(a[0], "expandtabs()") : 8;
  std::string out;
  int64_t column = 0;
  const std::string& text = on.as_string();
  for (size_t i = 0; i < text.size(); i += size_at(text, i)) {
    in.budget().spend(1);
    if (text[i] == '\t') {
      const int64_t spaces = size > 0 ? size - column % size : 0;
      in.budget().spend_bytes(static_cast<uint64_t>(spaces));
      out.append(static_cast<size_t>(spaces), ' ');
      column += spaces;
    } else {
      out.append(text, i, size_at(text, i));
      column = text[i] == '\n' || text[i] == '\r' ? 0 : column + 1;
    }
  }
  return made(on, std::move(out));
}

constexpr Builtin kMethods[] = {
    {"strip",
     [](Interpreter& in, const Value& on, const Args& a) { return strip_method(in, on, a, true, true); }},
    {"lstrip",
     [](Interpreter& in, const Value& on, const Args& a) { return strip_method(in, on, a, true, false); }},
    {"rstrip",
     [](Interpreter& in, const Value& on, const Args& a) { return strip_method(in, on, a, false, true); }},
    {"split", [](Interpreter& in, const Value& on, const Args& a) { return split_method(in, on, a, false); }},
    {"rsplit", [](Interpreter& in, const Value& on, const Args& a) { return split_method(in, on, a, true); }},
    {"splitlines", split_lines_method},
    {"partition",
     [](Interpreter& in, const Value& on, const Args& a) { return partition_method(in, on, a, false); }},
    {"rpartition",
     [](Interpreter& in, const Value& on, const Args& a) { return partition_method(in, on, a, true); }},
    {"join", join_method},
    {"replace", replace_method},
    {"removeprefix", [](Interpreter&, const Value& on, const Args& a) { return remove_end(on, a, true); }},
    {"removesuffix", [](Interpreter&, const Value& on, const Args& a) { return remove_end(on, a, false); }},
    {"center", [](Interpreter& in, const Value& on, const Args& a) { return pad_method(in, on, a, '^'); }},
    {"ljust", [](Interpreter& in, const Value& on, const Args& a) { return pad_method(in, on, a, '<'); }},
    {"rjust", [](Interpreter& in, const Value& on, const Args& a) { return pad_method(in, on, a, '>'); }},
    {"zfill", zero_fill},
    {"expandtabs", expand_tabs},
};

}  // namespace

Builtins string_methods() { return kMethods; }

}  // namespace suiren::text::jinja
