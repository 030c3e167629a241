#include "suiren/data/record_template.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "suiren/base/error.h"

namespace suiren::data {
namespace {

using nlohmann::json;

char unescape(char c, std::string_view text) {
  switch (c) {
    case 'n':
      return '\n';
    case 't':
      return '\t';
    case 'r':
      return '\r';
    case '\\':
    case '{':
    case '}':
      return c;
  }
  fail(ErrorCode::kInvalid, "template '{}': unknown escape \\{}; there are \\n \\t \\r \\\\ \\{{ \\}}", text,
       c);
}

std::vector<std::string> split_alternatives(std::string_view names, std::string_view text) {
  std::vector<std::string> fields;
  for (;;) {
    const auto bar = names.find('|');
    fields.emplace_back(names.substr(0, bar));
    SR_CHECK(!fields.back().empty(), "template '{}': a field has no name", text);
    if (bar == std::string_view::npos) return fields;
    names.remove_prefix(bar + 1);
  }
}

void append_value(const json& value, const std::string& field, const std::string& where, std::string& out) {
  if (value.is_string()) {
    out += value.get_ref<const std::string&>();
  } else if (value.is_array()) {
    for (size_t i = 0; i < value.size(); ++i) {
      if (i > 0) out += '\n';
      append_value(value[i], field, where, out);
    }
  } else {
    SR_CHECK(value.is_number() || value.is_boolean(),
             "{}: field '{}' holds {}; a string, a number or an array of them is expected", where, field,
             value.is_null() ? "null" : "an object");
    out += value.dump();
  }
}

}  // namespace

RecordTemplate::RecordTemplate(std::string_view text) {
  Part part;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\') {
      SR_CHECK(i + 1 < text.size(), "template '{}' ends in a backslash", text);
      part.literal += unescape(text[++i], text);
    } else if (c == '{') {
      const auto close = text.find('}', i);
      SR_CHECK(close != std::string_view::npos, "template '{}': the {{ at character {} is not closed", text,
               i);
      part.fields = split_alternatives(text.substr(i + 1, close - i - 1), text);
      parts_.push_back(std::move(part));
      part = {};
      i = close;
    } else {
      SR_CHECK(c != '}', "template '{}': the }} at character {} closes nothing; write \\}} for a brace", text,
               i);
      part.literal += c;
    }
  }
  parts_.push_back(std::move(part));
}

void RecordTemplate::render(const json& record, const std::string& where, std::string& out) const {
  SR_CHECK(record.is_object(), "{}: an object is expected, this is {}", where, record.type_name());
  out.clear();
  for (const Part& part : parts_) {
    out += part.literal;
    if (part.fields.empty()) continue;
    const json* value = nullptr;
    const std::string* field = nullptr;
    for (const std::string& name : part.fields) {
      const auto found = record.find(name);
      if (found == record.end() || found->is_null()) continue;
      value = &*found, field = &name;
      break;
    }
    if (value == nullptr) {
      std::vector<std::string> keys;
      for (const auto& item : record.items()) keys.push_back(item.key());
      fail(ErrorCode::kInvalid,
           "{}: field '{}' is missing; the record has {}; name others with --template '{{...}}'", where,
           fmt::format("{}", fmt::join(part.fields, "|")),
           keys.empty() ? "no fields" : fmt::format("{}", fmt::join(keys, ", ")));
    }
    append_value(*value, *field, where, out);
  }
}

}  // namespace suiren::data
