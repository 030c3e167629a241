// What may follow a value in an expression: attributes, subscripts, calls, filters and tests.

#include <algorithm>

#include "suiren/text/jinja/expression_parser.h"

namespace suiren::text::jinja {

using enum TokenKind;

ExprPtr ExpressionParser::postfix(ExprPtr on) {
  for (;;) {
    if (current().is_operator(".")) {
      on = attribute(std::move(on));
    } else if (current().is_operator("[")) {
      on = subscript(std::move(on));
    } else if (current().is_operator("(")) {
      on = call(std::move(on));
    } else {
      return on;
    }
  }
}

ExprPtr ExpressionParser::filters_and_tests(ExprPtr on) {
  for (;;) {
    if (current().is_operator("|")) {
      on = filters(std::move(on));
    } else if (current().is_name("is")) {
      on = test(std::move(on));
    } else if (current().is_operator("(")) {
      on = call(std::move(on));
    } else {
      return on;
    }
  }
}

ExprPtr ExpressionParser::attribute(ExprPtr on) {
  const int at = line();
  expect_operator(".");
  if (current().is(kInt)) return join(ExprKind::kItem, at, std::move(on), number(take()));
  if (!current().is(kName)) unexpected("the name of an attribute or a number");
  ExprPtr made = join(ExprKind::kAttribute, at, std::move(on));
  made->name = take().text;
  return made;
}

ExprPtr ExpressionParser::subscript(ExprPtr on) {
  const int at = line();
  expect_operator("[");
  ExprPtr index = current().is_operator("]")   ? make(ExprKind::kTuple, at)  // which finds nothing
                  : current().is_operator(":") ? nullptr
                                               : expression();
  ExprPtr made;
  if (skip_operator(":")) {
    ExprPtr stop = slice_bound();
    ExprPtr step = skip_operator(":") ? slice_bound() : nullptr;
    made = join(ExprKind::kSlice, at, std::move(on), std::move(index), std::move(stop), std::move(step));
  } else {
    if (current().is_operator(",")) {
      std::vector<ExprPtr> items;
      items.push_back(std::move(index));
      while (skip_operator(",")) items.push_back(expression());
      index = make(ExprKind::kTuple, at, std::move(items));
    }
    made = join(ExprKind::kItem, at, std::move(on), std::move(index));
  }
  expect_operator("]");
  return made;
}

ExprPtr ExpressionParser::slice_bound() {
  return current().is_operator(":") || current().is_operator("]") ? nullptr : expression();
}

ExprPtr ExpressionParser::filters(ExprPtr on, bool named) {
  while (named || skip_operator("|")) {
    named = false;
    const int at = line();
    std::string name = expect_identifier();
    while (skip_operator(".")) name += "." + expect_identifier();
    on = join(ExprKind::kFilter, at, std::move(on));
    on->name = std::move(name);
    if (current().is_operator("(")) set_arguments(*on, arguments());
  }
  return on;
}

ExprPtr ExpressionParser::test(ExprPtr on) {
  const int at = line();
  expect_name("is");
  const bool negated = skip_name("not");
  std::string name = expect_identifier();
  while (skip_operator(".")) name += "." + expect_identifier();
  ExprPtr made = join(ExprKind::kTest, at, std::move(on));
  made->name = std::move(name);
  const Token& next = current();
  const bool starts_value = next.is(kName) || next.is(kString) || next.is(kInt) || next.is(kFloat) ||
                            next.is_operator("[") || next.is_operator("{");
  if (next.is_operator("(")) {
    set_arguments(*made, arguments());
  } else if (starts_value && !next.is_name("else") && !next.is_name("or") && !next.is_name("and")) {
    if (next.is_name("is")) error(at, "tests cannot be chained with 'is'");
    auto args = std::make_unique<Arguments>();
    args->positional.push_back(postfix(primary()));
    set_arguments(*made, std::move(args));
  }
  return negated ? join(ExprKind::kNot, at, std::move(made)) : std::move(made);
}

ExprPtr ExpressionParser::call(ExprPtr on) {
  ExprPtr made = join(ExprKind::kCall, line(), std::move(on));
  set_arguments(*made, arguments());
  return made;
}

void ExpressionParser::set_arguments(Expr& expr, std::unique_ptr<Arguments> args) const {
  const auto count = [&](const ExprPtr& arg) {
    if (arg) expr.depth = std::max(expr.depth, arg->depth + 1);
  };
  for (const auto& arg : args->positional) count(arg);
  for (const auto& [key, arg] : args->keyword) count(arg);
  count(args->star);
  count(args->double_star);
  if (expr.depth > kMaxTreeDepth)
    error(expr.line, fmt::format("an expression of more than {} parts in a chain", kMaxTreeDepth));
  expr.args = std::move(args);
}

std::unique_ptr<Arguments> ExpressionParser::arguments() {
  auto args = std::make_unique<Arguments>();
  expect_operator("(");
  for (bool first = true; !current().is_operator(")"); first = false) {
    if (!first) {
      expect_operator(",");
      if (current().is_operator(")")) break;
    }
    const bool ordered = current().is_operator("**")  ? !args->double_star
                         : current().is_operator("*") ? !args->star && !args->double_star
                         : current().is(kName) && ahead().is_operator("=")
                             ? !args->double_star
                             : !args->star && !args->double_star && args->keyword.empty();
    if (!ordered) error(line(), "arguments are out of order: values, then name=value, then *list and **dict");
    if (skip_operator("*")) {
      args->star = expression();
    } else if (skip_operator("**")) {
      args->double_star = expression();
    } else if (current().is(kName) && ahead().is_operator("=")) {
      std::string key = take().text;
      ++at_;
      const auto twice = [&](const auto& other) { return other.first == key; };
      if (std::any_of(args->keyword.begin(), args->keyword.end(), twice))
        error(line(), "the argument '" + key + "' is given twice");
      args->keyword.emplace_back(std::move(key), expression());
    } else {
      args->positional.push_back(expression());
    }
  }
  expect_operator(")");
  return args;
}

}  // namespace suiren::text::jinja
