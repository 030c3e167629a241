#include "suiren/text/jinja/expression_parser.h"

#include <algorithm>
#include <charconv>

namespace suiren::text::jinja {

using enum TokenKind;

void ExpressionParser::error(int line, const std::string& what) const {
  fail(ErrorCode::kInvalid, "{}:{}: {}", name_, line, what);
}
void ExpressionParser::unexpected(std::string_view expected) const {
  error(line(), fmt::format("expected {}, found {}", expected, current().description()));
}

bool ExpressionParser::skip_operator(std::string_view op) {
  if (!current().is_operator(op)) return false;
  ++at_;
  return true;
}
bool ExpressionParser::skip_name(std::string_view name) {
  if (!current().is_name(name)) return false;
  ++at_;
  return true;
}
void ExpressionParser::expect_operator(std::string_view op) {
  if (!skip_operator(op)) unexpected(fmt::format("'{}'", op));
}
void ExpressionParser::expect_name(std::string_view name) {
  if (!skip_name(name)) unexpected(fmt::format("'{}'", name));
}
std::string ExpressionParser::expect_identifier() {
  if (!current().is(kName)) unexpected("a name");
  return take().text;
}
void ExpressionParser::expect_tag_end() {
  if (!current().is(kTagEnd)) unexpected("'%}'");
  ++at_;
}

Nesting ExpressionParser::nest() {
  if (depth_ >= kMaxTreeDepth) error(line(), fmt::format("nested deeper than {} levels", kMaxTreeDepth));
  return Nesting(depth_);
}

ExprPtr ExpressionParser::make(ExprKind kind, int line, std::vector<ExprPtr> items) const {
  auto expr = std::make_unique<Expr>(Expr{.kind = kind, .line = line});
  for (const ExprPtr& item : items)
    if (item) expr->depth = std::max(expr->depth, item->depth + 1);
  if (expr->depth > kMaxTreeDepth)
    error(line, fmt::format("an expression of more than {} parts in a chain", kMaxTreeDepth));
  expr->items = std::move(items);
  return expr;
}

bool ExpressionParser::at_tuple_end(std::string_view until) const {
  return current().is(kPrintEnd) || current().is(kTagEnd) || current().is_operator(")") ||
         (!until.empty() && current().is_name(until));
}

ExprPtr ExpressionParser::tuple(bool conditional, std::string_view until, bool in_parentheses) {
  const int first_line = line();
  std::vector<ExprPtr> items;
  bool is_tuple = false;
  for (;;) {
    if (!items.empty()) expect_operator(",");
    if (at_tuple_end(until)) break;
    items.push_back(expression(conditional));
    if (!current().is_operator(",")) break;
    is_tuple = true;
  }
  if (!is_tuple && !items.empty()) return std::move(items[0]);
  if (!is_tuple && !in_parentheses) unexpected("an expression");
  return make(ExprKind::kTuple, first_line, std::move(items));
}

ExprPtr ExpressionParser::target(bool with_namespace, std::string_view until) {
  const int first_line = line();
  std::vector<ExprPtr> items;
  bool is_tuple = false;
  for (;;) {
    if (!items.empty()) expect_operator(",");
    if (at_tuple_end(until)) break;
    items.push_back(primary(with_namespace));
    check_target(*items.back());
    if (!current().is_operator(",")) break;
    is_tuple = true;
  }
  if (items.empty()) unexpected("a name to assign to");
  return is_tuple ? make(ExprKind::kTuple, first_line, std::move(items)) : std::move(items[0]);
}

void ExpressionParser::check_target(const Expr& target) const {
  if (target.kind == ExprKind::kName || target.kind == ExprKind::kNamespaceRef) return;
  if (target.kind != ExprKind::kTuple)
    error(target.line, "only names, tuples of names and attributes of namespaces can be assigned to");
  for (const ExprPtr& item : target.items) check_target(*item);
}

ExprPtr ExpressionParser::expression(bool conditional) {
  const Nesting guard = nest();
  int first_line = line();
  ExprPtr value = disjunction();
  while (conditional && skip_name("if")) {
    ExprPtr condition = disjunction();
    ExprPtr otherwise = skip_name("else") ? expression() : nullptr;
    value = join(ExprKind::kConditional, first_line, std::move(value), std::move(condition),
                 std::move(otherwise));
    first_line = line();
  }
  return value;
}

ExprPtr ExpressionParser::disjunction() {
  ExprPtr left = conjunction();
  for (int at = line(); skip_name("or"); at = line())
    left = join(ExprKind::kOr, at, std::move(left), conjunction());
  return left;
}

ExprPtr ExpressionParser::conjunction() {
  ExprPtr left = negation();
  for (int at = line(); skip_name("and"); at = line())
    left = join(ExprKind::kAnd, at, std::move(left), negation());
  return left;
}

ExprPtr ExpressionParser::negation() {
  const int at = line();
  if (!skip_name("not")) return comparison();
  const Nesting guard = nest();
  return join(ExprKind::kNot, at, negation());
}

ExprPtr ExpressionParser::comparison() {
  static constexpr std::pair<std::string_view, Comparison> kOperators[] = {
      {"==", Comparison::kEq}, {"!=", Comparison::kNe}, {"<", Comparison::kLt},
      {"<=", Comparison::kLe}, {">", Comparison::kGt},  {">=", Comparison::kGe}};
  const int at = line();
  std::vector<ExprPtr> items;
  std::vector<Comparison> ops;
  items.push_back(sum());
  for (;;) {
    const auto found = std::find_if(std::begin(kOperators), std::end(kOperators),
                                    [&](const auto& o) { return skip_operator(o.first); });
    if (found != std::end(kOperators)) {
      ops.push_back(found->second);
    } else if (skip_name("in")) {
      ops.push_back(Comparison::kIn);
    } else if (current().is_name("not") && ahead().is_name("in")) {
      at_ += 2;
      ops.push_back(Comparison::kNotIn);
    } else {
      break;
    }
    items.push_back(sum());
  }
  if (ops.empty()) return std::move(items[0]);
  ExprPtr made = make(ExprKind::kCompare, at, std::move(items));
  made->ops = std::move(ops);
  return made;
}

ExprPtr ExpressionParser::sum() {
  ExprPtr left = concatenation();
  for (int at = line();; at = line()) {
    if (skip_operator("+")) {
      left = join(ExprKind::kAdd, at, std::move(left), concatenation());
    } else if (skip_operator("-")) {
      left = join(ExprKind::kSubtract, at, std::move(left), concatenation());
    } else {
      return left;
    }
  }
}

ExprPtr ExpressionParser::concatenation() {
  const int at = line();
  std::vector<ExprPtr> items;
  items.push_back(product());
  while (skip_operator("~")) items.push_back(product());
  return items.size() == 1 ? std::move(items[0]) : make(ExprKind::kConcat, at, std::move(items));
}

ExprPtr ExpressionParser::product() {
  static constexpr std::pair<std::string_view, ExprKind> kOperators[] = {{"*", ExprKind::kMultiply},
                                                                         {"/", ExprKind::kDivide},
                                                                         {"//", ExprKind::kFloorDivide},
                                                                         {"%", ExprKind::kModulo}};
  ExprPtr left = power();
  for (int at = line();; at = line()) {
    const auto found = std::find_if(std::begin(kOperators), std::end(kOperators),
                                    [&](const auto& o) { return skip_operator(o.first); });
    if (found == std::end(kOperators)) return left;
    left = join(found->second, at, std::move(left), power());
  }
}

ExprPtr ExpressionParser::power() {
  ExprPtr left = unary();
  for (int at = line(); skip_operator("**"); at = line())
    left = join(ExprKind::kPower, at, std::move(left), unary());
  return left;
}

ExprPtr ExpressionParser::unary(bool with_filters) {
  const Nesting guard = nest();
  const int at = line();
  ExprPtr made;
  if (skip_operator("-")) {
    made = join(ExprKind::kNegative, at, unary(false));
  } else if (skip_operator("+")) {
    made = join(ExprKind::kPositive, at, unary(false));
  } else {
    made = primary();
  }
  made = postfix(std::move(made));
  return with_filters ? filters_and_tests(std::move(made)) : std::move(made);
}

ExprPtr ExpressionParser::primary(bool with_namespace) {
  const int at = line();
  if (current().is_operator("[")) return list();
  if (current().is_operator("{")) return dict();
  if (skip_operator("(")) {
    ExprPtr inside = tuple(true, {}, true);
    expect_operator(")");
    return inside;
  }
  if (current().is(kInt) || current().is(kFloat)) return number(take());
  if (!current().is(kName) && !current().is(kString)) unexpected("an expression");
  Token token = take();
  ExprPtr made = make(ExprKind::kConst, at);
  if (token.is(kString)) {
    while (current().is(kString)) token.text += take().text;
    made->value = Value(std::move(token.text));
  } else if (token.text == "true" || token.text == "True" || token.text == "false" || token.text == "False") {
    made->value = Value((token.text[0] | 32) == 't');
  } else if (token.text == "none" || token.text == "None") {
    made->value = Value::none();
  } else {
    made->kind = ExprKind::kName;
    made->name = std::move(token.text);
    if (with_namespace && skip_operator(".")) {
      made->kind = ExprKind::kNamespaceRef;
      made->attribute = expect_identifier();
    }
  }
  return made;
}

ExprPtr ExpressionParser::number(const Token& token) const {
  ExprPtr made = make(ExprKind::kConst, token.line);
  const std::string& text = token.text;
  const char *begin = text.data(), *end = begin + text.size();
  std::errc status{};
  if (token.is(kFloat)) {
    double value = 0;
    status = std::from_chars(begin, end, value).ec;
    if (status == std::errc::result_out_of_range)
      value = std::strtod(begin, nullptr), status = {};  // 0 or infinity
    made->value = Value(value);
  } else {
    const char base = text.size() > 2 ? static_cast<char>(text[1] | 32) : '\0';
    const int radix = base == 'x' ? 16 : base == 'o' ? 8 : base == 'b' ? 2 : 10;
    int64_t value = 0;
    status = std::from_chars(radix == 10 ? begin : begin + 2, end, value, radix).ec;
    made->value = Value(value);
  }
  if (status != std::errc{}) error(token.line, "the number " + text + " does not fit 64 bits");
  return made;
}

// Items between two brackets with commas between them; a last comma may follow.
template <class Item>
void ExpressionParser::bracketed(const char* open, const char* close, Item item) {
  expect_operator(open);
  for (bool first = true; !current().is_operator(close); first = false) {
    if (!first) expect_operator(",");
    if (current().is_operator(close)) break;
    item();
  }
  expect_operator(close);
}

ExprPtr ExpressionParser::list() {
  const int at = line();
  std::vector<ExprPtr> items;
  bracketed("[", "]", [&] { items.push_back(expression()); });
  return make(ExprKind::kList, at, std::move(items));
}

ExprPtr ExpressionParser::dict() {
  const int at = line();
  std::vector<ExprPtr> items;
  bracketed("{", "}", [&] {
    items.push_back(expression());
    expect_operator(":");
    items.push_back(expression());
  });
  return make(ExprKind::kDict, at, std::move(items));
}

}  // namespace suiren::text::jinja
