// Expressions of a template.

#include <utility>

#include "suiren/text/jinja/code_points.h"
#include "suiren/text/jinja/interpreter.h"
#include "suiren/text/jinja/print.h"

namespace suiren::text::jinja {

Value Interpreter::eval(const Expr& expr, const ScopePtr& scope) {
  budget_.spend(1);
  if (expr.kind == ExprKind::kName) return eval_name(expr, scope.get());
  if (expr.kind == ExprKind::kConst) return expr.value;
  const Depth guard(depth_);
  return eval_kind(expr, scope);
}

Value Interpreter::eval_kind(const Expr& expr, const ScopePtr& scope) {
  switch (expr.kind) {
    case ExprKind::kTuple:
      return Value::tuple(eval_list(expr.items, scope));
    case ExprKind::kList:
      return Value::list(eval_list(expr.items, scope));
    case ExprKind::kDict:
      return eval_dict(expr, scope);
    case ExprKind::kNot:
      return !eval(*expr.items[0], scope).truth();
    case ExprKind::kAnd:
    case ExprKind::kOr: {
      Value left = eval(*expr.items[0], scope);
      return left.truth() == (expr.kind == ExprKind::kAnd) ? eval(*expr.items[1], scope) : left;
    }
    case ExprKind::kCompare:
      return eval_compare(expr, scope);
    case ExprKind::kConcat:
      return eval_concat(expr, scope);
    case ExprKind::kConditional:
      return eval_conditional(expr, scope);
    case ExprKind::kSlice:
      return eval_slice(expr, scope);
    case ExprKind::kCall:
      return eval_call(expr, scope);
    case ExprKind::kFilter:
    case ExprKind::kTest:
      return eval_filter_or_test(expr, scope);
    default:
      return eval_operator(expr, scope);
  }
}

Value Interpreter::eval_operator(const Expr& expr, const ScopePtr& scope) {
  const Value left = eval(*expr.items[0], scope);
  const Value right = expr.items.size() > 1 ? eval(*expr.items[1], scope) : Value();
  line_ = expr.line;
  if (expr.kind == ExprKind::kAttribute) return attribute(left, expr.name);
  if (expr.kind == ExprKind::kItem) return item(left, right);
  return arithmetic(expr.kind, left, right);
}

Value Interpreter::eval_call(const Expr& expr, const ScopePtr& scope) {
  const Value callee = eval(*expr.items[0], scope);
  const Args args = eval_args(expr.args.get(), scope);
  line_ = expr.line;
  Value made = call(callee, args);
  line_ = expr.line;
  return made;
}

Value Interpreter::eval_name(const Expr& expr, Scope* scope) const {
  for (uint32_t up = expr.slot.up; up > 0; --up) scope = scope->parent.get();
  const Value& value = scope->slots[expr.slot.index];
  return value.is_missing() ? Value::undefined("'" + expr.name + "' is undefined") : value;
}

List Interpreter::eval_list(const std::vector<ExprPtr>& items, const ScopePtr& scope) {
  List values;
  values.reserve(items.size());
  for (const ExprPtr& item : items) values.push_back(eval(*item, scope));
  return values;
}

Value Interpreter::eval_dict(const Expr& expr, const ScopePtr& scope) {
  std::vector<Dict::Item> items;
  for (size_t i = 0; i < expr.items.size(); i += 2) {
    Value key = eval(*expr.items[i], scope);
    items.emplace_back(std::move(key), eval(*expr.items[i + 1], scope));
  }
  line_ = expr.line;
  return make_dict(std::move(items));
}

Value Interpreter::eval_compare(const Expr& expr, const ScopePtr& scope) {
  Value left = eval(*expr.items[0], scope);
  for (size_t i = 0; i < expr.ops.size(); ++i) {
    Value right = eval(*expr.items[i + 1], scope);
    line_ = expr.line;
    if (!holds(expr.ops[i], left, right)) return false;
    left = std::move(right);
  }
  return true;
}

bool Interpreter::holds(Comparison op, const Value& left, const Value& right) {
  const auto ordered = [&](const char* sign) { return compare(left, right, sign, budget_); };
  switch (op) {
    case Comparison::kEq:
      return equals(left, right);
    case Comparison::kNe:
      return !equals(left, right);
    case Comparison::kLt:
      return ordered("<") == -1;
    case Comparison::kLe: {
      const int c = ordered("<=");
      return c == -1 || c == 0;
    }
    case Comparison::kGt:
      return ordered(">") == 1;
    case Comparison::kGe: {
      const int c = ordered(">=");
      return c == 1 || c == 0;
    }
    case Comparison::kIn:
      return contains(right, left);
    case Comparison::kNotIn:
      return !contains(right, left);
  }
  return false;
}

Value Interpreter::eval_concat(const Expr& expr, const ScopePtr& scope) {
  std::string text;
  for (const ExprPtr& part : expr.items) {
    const Value value = eval(*part, scope);
    if (value.is_string()) {
      budget_.spend_bytes(value.as_string().size());
      text += value.as_string();
    } else {
      text += text_of(value);
    }
  }
  return text;
}

Value Interpreter::eval_conditional(const Expr& expr, const ScopePtr& scope) {
  if (eval(*expr.items[1], scope).truth()) return eval(*expr.items[0], scope);
  if (expr.items[2]) return eval(*expr.items[2], scope);
  return Value::undefined(
      fmt::format("the inline if-expression on line {} was false and has no else", expr.line));
}

Value Interpreter::eval_slice(const Expr& expr, const ScopePtr& scope) {
  const Value on = eval(*expr.items[0], scope);
  Value bounds[3] = {Value::none(), Value::none(), Value::none()};
  for (size_t i = 0; i < 3; ++i)
    if (expr.items[i + 1]) bounds[i] = eval(*expr.items[i + 1], scope);
  line_ = expr.line;
  return slice(on, bounds[0], bounds[1], bounds[2]);
}

Value Interpreter::eval_filter_or_test(const Expr& expr, const ScopePtr& scope) {
  const Value on = expr.items[0] ? eval(*expr.items[0], scope) : *block_text_;
  const Args args = eval_args(expr.args.get(), scope);
  line_ = expr.line;
  SR_CHECK(expr.builtin != nullptr, "no {} is named '{}'", expr.kind == ExprKind::kFilter ? "filter" : "test",
           expr.name);
  return expr.builtin->call(*this, on, args);
}

Args Interpreter::eval_args(const Arguments* args, const ScopePtr& scope) {
  Args values;
  if (args == nullptr) return values;
  values.positional = eval_list(args->positional, scope);
  for (const auto& [name, expr] : args->keyword) values.keyword.emplace_back(name, eval(*expr, scope));
  if (args->star)
    for (Value& item : to_list(*this, eval(*args->star, scope))) values.positional.push_back(std::move(item));
  if (args->double_star) {
    const Value more = eval(*args->double_star, scope);
    SR_CHECK(more.is_dict(), "** needs a dict, this is {}", more.type_name());
    budget_.spend(static_cast<int64_t>(more.as_dict().items().size()));
    for (const auto& [key, value] : more.as_dict().items()) {
      SR_CHECK(key.is_string(), "** needs a dict whose keys are strings");
      values.keyword.emplace_back(key.as_string(), value);
    }
  }
  return values;
}

Value Interpreter::call(const Value& callee, const Args& args) {
  refuse_undefined(callee);
  if (const auto macro = callee.as<Macro>()) return call_macro(*macro, args);
  if (const auto function = callee.as<Function>()) return function->call(*this, args);
  if (const auto joiner = callee.as<Joiner>()) {
    args.bind("joiner", {});
    return joiner->next();
  }
  if (const auto loop = callee.as<Loop>()) return recurse(*loop, args.bind("loop", {"iterable"}, 1)[0]);
  fail(ErrorCode::kInvalid, "{} is called, but it is no function", callee.type_name());
}

Value Interpreter::call_filter(const std::string& name, const Value& on, const Args& args) {
  const Builtin* filter = find_filter(name);
  SR_CHECK(filter != nullptr, "no filter is named '{}'", name);
  budget_.spend(1);
  return filter->call(*this, on, args);
}

Value Interpreter::call_test(const std::string& name, const Value& on, const Args& args) {
  const Builtin* test = find_test(name);
  SR_CHECK(test != nullptr, "no test is named '{}'", name);
  budget_.spend(1);
  return test->call(*this, on, args);
}

std::string Interpreter::text_of(const Value& value) {
  if (value.is_string()) {
    budget_.spend_bytes(value.as_string().size());
    return value.as_string();
  }
  return to_string(value, budget_);
}

}  // namespace suiren::text::jinja
