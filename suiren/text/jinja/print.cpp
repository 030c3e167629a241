#include "suiren/text/jinja/print.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "suiren/text/jinja/code_points.h"
#include "suiren/text/jinja/objects.h"

namespace suiren::text::jinja {
namespace {

void append_items(std::string& out, const List& items, Budget& budget) {
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out += ", ";
    out += repr(items[i], budget);
  }
}

class JsonWriter {
 public:
  JsonWriter(const JsonStyle& style, Budget& budget) : style_(style), budget_(budget) {}
  std::string take() { return std::move(out_); }

  void write(const Value& value) {
    budget_.spend(1);
    if (value.is_string()) {
      string(value.as_string());
    } else if (value.is_sequence()) {
      array(value.items());
    } else if (value.is_dict()) {
      object(value.as_dict());
    } else {
      SR_CHECK(value.is_none() || value.is_number(), "tojson: {} cannot be written as JSON",
               value.type_name());
      out_ += scalar(value);
    }
  }

 private:
  static std::string scalar(const Value& value) {
    if (value.is_none()) return "null";
    if (value.is_bool()) return value.as_bool() ? "true" : "false";
    if (!value.is(Value::Kind::kFloat)) return fmt::format("{}", value.as_int());
    const double f = value.as_float();
    return std::isnan(f) ? "NaN" : std::isinf(f) ? (f < 0 ? "-Infinity" : "Infinity") : float_repr(f);
  }

  void string(std::string_view text) {
    budget_.spend_bytes(text.size());
    out_ += '"';
    for (size_t i = 0; i < text.size();) {
      const auto c = static_cast<unsigned char>(text[i]);
      static constexpr std::string_view kEscaped = "\"\\\n\r\t\f\b", kAs = "\"\\nrtfb";
      if (const size_t known = kEscaped.find(text[i]); known != kEscaped.npos) {
        out_ += '\\';
        out_ += kAs[known];
      } else if (c < 0x20) {
        out_ += fmt::format("\\u{:04x}", c);
      } else if (c < 0x80 || !style_.ensure_ascii) {
        out_ += text[i];
      } else {
        ascii(code_at(text, i));
        i += size_at(text, i);
        continue;
      }
      ++i;
    }
    out_ += '"';
  }
  void ascii(uint32_t code) {
    if (code < 0x10000) {
      out_ += fmt::format("\\u{:04x}", code);
    } else {
      out_ += fmt::format("\\u{:04x}\\u{:04x}", 0xD7C0 + (code >> 10), 0xDC00 + (code & 0x3FF));
    }
  }

  void new_line() {
    if (!style_.indented) return;
    budget_.spend_product(static_cast<uint64_t>(level_), style_.indent.size());
    out_ += '\n';
    for (int i = 0; i < level_; ++i) out_ += style_.indent;
  }

  void array(const List& items) {
    if (items.empty()) {
      out_ += "[]";
      return;
    }
    out_ += '[';
    ++level_;
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_ += style_.item_separator;
      new_line();
      write(items[i]);
    }
    --level_;
    new_line();
    out_ += ']';
  }

  void object(const Dict& dict) {
    if (dict.items().empty()) {
      out_ += "{}";
      return;
    }
    std::vector<const Dict::Item*> items;
    for (const auto& item : dict.items()) items.push_back(&item);
    if (style_.sort_keys)
      std::stable_sort(items.begin(), items.end(), [&](const auto* a, const auto* b) {
        return compare(a->first, b->first, "<", budget_) == -1;
      });
    out_ += '{';
    ++level_;
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_ += style_.item_separator;
      new_line();
      const Value& key = items[i]->first;
      string(key.is_string() ? key.as_string() : scalar(key));
      out_ += style_.key_separator;
      write(items[i]->second);
    }
    --level_;
    new_line();
    out_ += '}';
  }

  const JsonStyle& style_;
  Budget& budget_;
  std::string out_;
  int level_ = 0;
};

}  // namespace

std::string float_repr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::scientific).ptr;
  std::string_view text(buffer, static_cast<size_t>(end - buffer));  // [-]d[.ddd]e[+-]dd
  const size_t e = text.find('e');
  int exponent = 0;
  std::from_chars(text.data() + e + (text[e + 1] == '+' ? 2 : 1), end, exponent);
  if (exponent < -4 || exponent >= 16) return std::string(text);
  const std::string sign(text[0] == '-' ? "-" : "");
  std::string digits(text.substr(sign.size(), e - sign.size()));
  std::erase(digits, '.');
  if (exponent < 0) return sign + "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
  const auto whole = static_cast<size_t>(exponent) + 1;
  if (digits.size() <= whole) return sign + digits + std::string(whole - digits.size(), '0') + ".0";
  return sign + digits.substr(0, whole) + "." + digits.substr(whole);
}

std::string string_repr(std::string_view text) {
  const char quote = text.find('\'') != text.npos && text.find('"') == text.npos ? '"' : '\'';
  std::string out(1, quote);
  for (size_t i = 0; i < text.size(); i += size_at(text, i)) {
    const uint32_t code = code_at(text, i);
    if (code == static_cast<unsigned char>(quote) || code == '\\') {
      out += '\\';
      out += static_cast<char>(code);
    } else if (code == '\n' || code == '\r' || code == '\t') {
      out += code == '\n' ? "\\n" : code == '\r' ? "\\r" : "\\t";
    } else if (is_printable(code)) {
      out += text.substr(i, size_at(text, i));
    } else {
      out += code < 0x100     ? fmt::format("\\x{:02x}", code)
             : code < 0x10000 ? fmt::format("\\u{:04x}", code)
                              : fmt::format("\\U{:08x}", code);
    }
  }
  return out + quote;
}

std::string repr(const Value& value, Budget& budget) {
  const Budget::Nesting guard(budget);
  budget.spend(1);
  switch (value.kind()) {
    case Value::Kind::kMissing:
    case Value::Kind::kUndefined:
      return "Undefined";
    case Value::Kind::kNone:
      return "None";
    case Value::Kind::kBool:
      return value.as_bool() ? "True" : "False";
    case Value::Kind::kInt:
      return fmt::format("{}", value.as_int());
    case Value::Kind::kFloat:
      return float_repr(value.as_float());
    case Value::Kind::kString:
      budget.spend_bytes(value.as_string().size());
      return value.is_safe() ? "Markup(" + string_repr(value.as_string()) + ")"
                             : string_repr(value.as_string());
    case Value::Kind::kList:
    case Value::Kind::kTuple: {
      const bool list = value.is(Value::Kind::kList);
      std::string out(list ? "[" : "(");
      append_items(out, value.items(), budget);
      if (!list && value.items().size() == 1) out += ",";
      budget.spend_bytes(out.size());
      return out + (list ? "]" : ")");
    }
    case Value::Kind::kDict: {
      std::string out = "{";
      for (const auto& [key, item] : value.as_dict().items()) {
        if (out.size() > 1) out += ", ";
        out += repr(key, budget);
        out += ": ";
        out += repr(item, budget);
      }
      budget.spend_bytes(out.size());
      return out + "}";
    }
    case Value::Kind::kObject:
      return value.object()->repr(budget);
  }
  return "";
}

std::string to_string(const Value& value, Budget& budget) {
  if (value.is_string()) return value.as_string();
  return value.is_undefined() ? "" : repr(value, budget);
}

std::string to_json(const Value& value, const JsonStyle& style, Budget& budget) {
  JsonWriter writer(style, budget);
  writer.write(value);
  return writer.take();
}

}  // namespace suiren::text::jinja
