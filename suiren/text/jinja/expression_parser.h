#pragma once
// The expressions of a template. For one thread.

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "suiren/base/error.h"
#include "suiren/text/jinja/ast.h"
#include "suiren/text/jinja/lexer.h"

namespace suiren::text::jinja {

/// How deep expressions and statements may be nested, and how long a chain such as a + b + c may be.
inline constexpr int kMaxTreeDepth = 200;

/// Counts how deep the parser has recursed.
class Nesting {
 public:
  explicit Nesting(int& depth) : depth_(depth) { ++depth_; }
  ~Nesting() { --depth_; }
  Nesting(const Nesting&) = delete;

 private:
  int& depth_;
};

class ExpressionParser {
 public:
  ExpressionParser(std::string_view source, const std::string& name)
      : name_(name), tokens_(tokenize(source, name)) {}

  const Token& current() const { return tokens_[at_]; }
  const Token& ahead() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  Token take() { return current().is(TokenKind::kEnd) ? current() : std::move(tokens_[at_++]); }
  bool skip_operator(std::string_view op);
  bool skip_name(std::string_view name);
  void expect_operator(std::string_view op);
  void expect_name(std::string_view name);
  std::string expect_identifier();
  void expect_tag_end();
  int line() const { return current().line; }
  [[noreturn]] void error(int line, const std::string& what) const;
  [[noreturn]] void unexpected(std::string_view expected) const;
  /// Error when `depth_` has grown too large.
  Nesting nest();

  /// One expression, or several with commas: a tuple. `until` is a name that may follow.
  ExprPtr tuple(bool conditional = true, std::string_view until = {}, bool in_parentheses = false);
  ExprPtr expression(bool conditional = true);
  /// What may stand left of `=` or between `for` and `in`.
  ExprPtr target(bool with_namespace, std::string_view until = {});
  /// Filters after `on` (null: a block's text), each after `|`; `named`: the first name stands here already.
  ExprPtr filters(ExprPtr on, bool named = false);

 private:
  ExprPtr make(ExprKind kind, int line, std::vector<ExprPtr> items = {}) const;
  template <class... Items>
  ExprPtr join(ExprKind kind, int line, Items... parts) const {
    std::vector<ExprPtr> items;
    (items.push_back(std::move(parts)), ...);
    return make(kind, line, std::move(items));
  }
  bool at_tuple_end(std::string_view until) const;
  void check_target(const Expr& target) const;
  ExprPtr disjunction();
  ExprPtr conjunction();
  ExprPtr negation();
  ExprPtr comparison();
  ExprPtr sum();
  ExprPtr concatenation();
  ExprPtr product();
  ExprPtr power();
  ExprPtr unary(bool with_filters = true);
  ExprPtr primary(bool with_namespace = false);
  ExprPtr number(const Token& token) const;
  template <class Item>
  void bracketed(const char* open, const char* close, Item item);
  ExprPtr list();
  ExprPtr dict();
  ExprPtr postfix(ExprPtr on);
  ExprPtr filters_and_tests(ExprPtr on);
  ExprPtr attribute(ExprPtr on);
  ExprPtr subscript(ExprPtr on);
  ExprPtr slice_bound();
  ExprPtr test(ExprPtr on);
  ExprPtr call(ExprPtr on);
  std::unique_ptr<Arguments> arguments();
  void set_arguments(Expr& expr, std::unique_ptr<Arguments> args) const;

  const std::string& name_;
  std::vector<Token> tokens_;
  size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace suiren::text::jinja
