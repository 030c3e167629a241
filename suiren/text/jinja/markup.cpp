#include "suiren/text/jinja/markup.h"

#include <charconv>

#include "suiren/io/utf8.h"
#include "suiren/text/jinja/code_points.h"
#include "suiren/text/jinja/print.h"

namespace suiren::text::jinja {
namespace {

/// One character reference at text[at] == '&': what it means and how long it is, or size 0.
std::pair<std::string, size_t> reference(std::string_view text, size_t at) {
  static constexpr std::pair<std::string_view, std::string_view> kNamed[] = {
      {"&amp;", "&"},   {"&lt;", "<"},   {"&gt;", ">"},
      {"&quot;", "\""}, {"&apos;", "'"}, {"&nbsp;", "\xC2\xA0"}};
  for (const auto& [name, means] : kNamed)
    if (text.substr(at).starts_with(name)) return {std::string(means), name.size()};
  const size_t end = text.find(';', at);
  if (end == text.npos || end - at < 3 || end - at > 10 || text[at + 1] != '#') return {"", 0};
  const bool hex = (text[at + 2] | 32) == 'x';
  uint32_t code = 0;
  const auto [stop, status] =
      std::from_chars(text.data() + at + 2 + hex, text.data() + end, code, hex ? 16 : 10);
  const bool ok = status == std::errc{} && stop == text.data() + end && code > 0 && code < 0x110000 &&
                  (code < 0xD800 || code > 0xDFFF);
  if (!ok) return {"", 0};
  std::string means;
  io::append_utf8(means, code);
  return {means, end + 1 - at};
}

std::string unescape_html(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    if (text[i] == '&') {
      if (const auto [means, size] = reference(text, i); size > 0) {
        out += means;
        i += size;
        continue;
      }
    }
    out += text[i++];
  }
  return out;
}

}  // namespace

std::string escape_html(std::string_view text, Budget& budget) {
  budget.spend_bytes(text.size());
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '"':
        out += "&#34;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string escaped(const Value& value, Budget& budget) {
  return value.is_safe() ? value.as_string() : escape_html(to_string(value, budget), budget);
}

std::string strip_tags(std::string_view text, Budget& budget) {
  budget.spend_bytes(text.size());
  std::string plain;
  size_t from = 0;
  for (size_t tag = text.find('<'); tag != text.npos; tag = text.find('<', from)) {
    const bool comment = text.substr(tag).starts_with("<!--");
    const size_t end = comment ? text.find("-->", tag + 4) : text.find('>', tag);
    if (end == text.npos) break;
    plain += text.substr(from, tag - from);
    from = end + (comment ? 3 : 1);
  }
  plain += text.substr(from);
  std::string words;
  for (size_t i = 0; i < plain.size();) {
    const size_t size = size_at(plain, i);
    if (is_space(code_at(plain, i))) {
      if (!words.empty() && words.back() != ' ') words += ' ';
    } else {
      words.append(plain, i, size);
    }
    i += size;
  }
  if (words.ends_with(' ')) words.pop_back();
  return unescape_html(words);
}

}  // namespace suiren::text::jinja
