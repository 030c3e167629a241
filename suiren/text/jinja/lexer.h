#pragma once
// Tokens of a template, as jinja2's lexer makes them with trim_blocks and lstrip_blocks. Thread-safe.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace suiren::text::jinja {

enum class TokenKind : uint8_t {
  kData,
  kPrintBegin,
  kPrintEnd,
  kTagBegin,
  kTagEnd,
  kName,
  kString,
  kInt,
  kFloat,
  kOperator,
  kEnd
};

struct Token {
  TokenKind kind;
  int line;
  std::string text;  ///< of data, name, operator ("=="), number; of a string what its escapes mean
  bool is(TokenKind k) const { return kind == k; }
  bool is_operator(std::string_view op) const { return kind == TokenKind::kOperator && text == op; }
  bool is_name(std::string_view name) const { return kind == TokenKind::kName && text == name; }
  /// For messages: "'endif'", "the end of the template".
  std::string description() const;
};

/// Ends with one kEnd. Error{kInvalid} "name:line: ..." for what is no token.
std::vector<Token> tokenize(std::string_view source, const std::string& name);

}  // namespace suiren::text::jinja
