#include "suiren/text/jinja/interpreter.h"

#include <algorithm>
#include <utility>

namespace suiren::text::jinja {
namespace {

constexpr int64_t kScopeSteps = 8;

}  // namespace

Interpreter::Interpreter(const Template& made, Value context, std::tm now, int64_t max_steps,
                         int64_t max_output)
    : made_(made), context_(std::move(context)), now_(now), budget_(max_steps), max_output_(max_output) {}

Interpreter::~Interpreter() {
  for (const auto& scope : captured_) scope->slots.clear();
  for (const auto& names : namespaces_) names->clear();
}

std::string Interpreter::run() {
  std::string text;
  out_ = &text;
  run_block(made_.body, enter(made_.frame, nullptr));
  out_ = nullptr;
  return text;
}

void Interpreter::write(std::string_view text) {
  SR_CHECK(static_cast<int64_t>(out_->size() + text.size()) <= max_output_,
           "the template writes more than the {} bytes that are allowed", max_output_);
  budget_.spend_bytes(text.size());
  out_->append(text);
}

Interpreter::Flow Interpreter::capture(const Block& body, const ScopePtr& scope, std::string& text) {
  std::string* const outer = std::exchange(out_, &text);
  const Flow flow = run_block(body, scope);  // an error ends the rendering: out_ is of no use then
  out_ = outer;
  return flow;
}

Interpreter::ScopePtr Interpreter::enter(const Frame& frame, const ScopePtr& around) {
  budget_.spend(kScopeSteps + frame.size);
  auto scope = std::make_shared<Scope>(around, frame.size);
  load(frame, *scope);
  return scope;
}

void Interpreter::load(const Frame& frame, Scope& scope) {
  for (const Load& load : frame.loads) {
    Value& slot = scope.slots[load.index];
    if (load.action == Load::Action::kUnset) {
      slot = Value();
    } else if (load.action == Load::Action::kOuter) {
      Scope* from = &scope;
      for (uint32_t up = load.outer.up; up > 0; --up) from = from->parent.get();
      slot = from->slots[load.outer.index];
    } else {
      const Value* found = context_.as_dict().find(std::string_view(load.name));
      slot = found != nullptr ? *found : find_global(load.name);
    }
  }
}

Interpreter::Flow Interpreter::run_block(const Block& body, const ScopePtr& scope) {
  const Depth guard(depth_);
  for (const Stmt& stmt : body)
    if (const Flow flow = run_stmt(stmt, scope); flow != Flow::kNext) return flow;
  return Flow::kNext;
}

Interpreter::Flow Interpreter::run_stmt(const Stmt& stmt, const ScopePtr& scope) {
  budget_.spend(1);
  line_ = stmt.line;
  switch (stmt.kind) {
    case StmtKind::kText:
      write(stmt.text);
      break;
    case StmtKind::kPrint: {
      const Value value = eval(*stmt.exprs[0], scope);
      if (value.is_string()) {
        write(value.as_string());
      } else {
        write(text_of(value));
      }
      break;
    }
    case StmtKind::kIf:
      return run_if(stmt, scope);
    case StmtKind::kFor:
      return run_for(stmt, scope);
    case StmtKind::kSet:
      check_namespaces(*stmt.exprs[0], scope);
      assign(*stmt.exprs[0], scope, eval(*stmt.exprs[1], scope));
      break;
    case StmtKind::kSetBlock:
      return run_set_block(stmt, scope);
    case StmtKind::kMacro:
      scope->slots[stmt.slot.index] = make_macro(stmt, scope);
      break;
    case StmtKind::kCallBlock:
      run_call_block(stmt, scope);
      break;
    case StmtKind::kFilterBlock:
      return run_filter_block(stmt, scope);
    case StmtKind::kWith:
      return run_with(stmt, scope);
    case StmtKind::kGeneration:
      write(call_macro(*make_macro(stmt, scope), {}).as_string());
      break;
    case StmtKind::kBreak:
      return Flow::kBreak;
    case StmtKind::kContinue:
      return Flow::kContinue;
  }
  return Flow::kNext;
}

Interpreter::Flow Interpreter::run_if(const Stmt& stmt, const ScopePtr& scope) {
  for (const auto& [test, body] : stmt.branches)
    if (!test || eval(*test, scope).truth()) return run_block(body, scope);
  return Flow::kNext;
}

Interpreter::Flow Interpreter::run_for(const Stmt& stmt, const ScopePtr& scope) {
  const Value iterable = eval(*stmt.loop->iterable, scope);
  if (!stmt.loop->recursive) return run_loop(stmt, scope, iterable, 0);
  std::string text;
  std::string* const outer = std::exchange(out_, &text);
  run_loop(stmt, scope, iterable, 0);
  out_ = outer;
  write(text);
  return Flow::kNext;
}

Value Interpreter::recurse(const Loop& loop, const Value& items) {
  SR_CHECK(loop.recurse != nullptr, "loop(...) is called, but the for is not marked 'recursive'");
  const Depth guard(depth_);
  std::string text;
  std::string* const outer = std::exchange(out_, &text);
  run_loop(*loop.recurse, loop.scope, items, loop.depth0 + 1);
  out_ = outer;
  return text;
}

IteratorPtr Interpreter::filtered(const Stmt& stmt, const ScopePtr& scope, const Value& iterable) {
  const ForParts& parts = *stmt.loop;
  return std::make_shared<Iterator>(
      [this, &parts, inside = enter(parts.test_frame, scope), items = iterate(iterable)](Interpreter& in,
                                                                                         Value& out) {
        while (items->next(in, out)) {
          load(parts.test_frame, *inside);
          assign(*parts.test_target, inside, out);
          if (eval(*parts.test, inside).truth()) return true;
        }
        return false;
      },
      0);
}

Interpreter::Flow Interpreter::run_loop(const Stmt& stmt, const ScopePtr& scope, const Value& iterable,
                                        int64_t depth0) {
  const ForParts& parts = *stmt.loop;
  const Value over = parts.test ? Value(filtered(stmt, scope, iterable)) : iterable;
  const ScopePtr inside = enter(parts.body_frame, scope);
  const auto loop =
      std::make_shared<Loop>(over, iterate(over), depth0, parts.recursive ? &stmt : nullptr, scope);
  bool any = false;
  for (Value item; loop->next(*this, item);) {
    budget_.spend(1);
    load(parts.body_frame, *inside);
    assign(*parts.target, inside, std::move(item));
    if (parts.has_loop) inside->slots[parts.loop.index] = loop;
    const Flow flow = run_block(stmt.body, inside);
    if (flow == Flow::kBreak) break;
    any = any || flow == Flow::kNext;  // else runs when no round came to its end, as in jinja2
  }
  loop->forget();
  return any || parts.else_body.empty() ? Flow::kNext
                                        : run_block(parts.else_body, enter(parts.else_frame, scope));
}

Interpreter::Flow Interpreter::run_set_block(const Stmt& stmt, const ScopePtr& scope) {
  const ScopePtr inside = enter(stmt.frame, scope);
  std::string text;
  if (const Flow flow = capture(stmt.body, inside, text); flow != Flow::kNext) return flow;
  Value value(std::move(text));
  if (stmt.exprs[1]) {
    const Value* const outer = std::exchange(block_text_, &value);
    Value made = eval(*stmt.exprs[1], inside);
    block_text_ = outer;
    value = std::move(made);
  }
  check_namespaces(*stmt.exprs[0], scope);
  assign(*stmt.exprs[0], scope, std::move(value));
  return Flow::kNext;
}

Interpreter::Flow Interpreter::run_filter_block(const Stmt& stmt, const ScopePtr& scope) {
  const ScopePtr inside = enter(stmt.frame, scope);
  std::string text;
  if (const Flow flow = capture(stmt.body, inside, text); flow != Flow::kNext) return flow;
  const Value value(std::move(text));
  const Value* const outer = std::exchange(block_text_, &value);
  const Value made = eval(*stmt.exprs[0], inside);
  block_text_ = outer;
  write(text_of(made));
  return Flow::kNext;
}

Interpreter::Flow Interpreter::run_with(const Stmt& stmt, const ScopePtr& scope) {
  const ScopePtr inside = enter(stmt.frame, scope);
  for (size_t i = 0; i < stmt.exprs.size(); i += 2)
    assign(*stmt.exprs[i], inside, eval(*stmt.exprs[i + 1], scope));
  return run_block(stmt.body, inside);
}

std::shared_ptr<Macro> Interpreter::make_macro(const Stmt& stmt, const ScopePtr& scope) {
  budget_.spend(kScopeSteps);
  if (captured_.empty() || captured_.back() != scope) captured_.push_back(scope);
  return std::make_shared<Macro>(stmt.macro, stmt.body, scope);
}

std::shared_ptr<Namespace> Interpreter::make_namespace() {
  budget_.spend(kScopeSteps);
  namespaces_.push_back(std::make_shared<Namespace>());
  return namespaces_.back();
}

void Interpreter::run_call_block(const Stmt& stmt, const ScopePtr& scope) {
  const Expr& call_expr = *stmt.exprs[0];
  const Value callee = eval(*call_expr.items[0], scope);
  Args args = eval_args(call_expr.args.get(), scope);
  args.keyword.emplace_back("caller", make_macro(stmt, scope));
  line_ = stmt.line;
  write(text_of(call(callee, args)));
}

Value Interpreter::call_macro(const Macro& macro, const Args& args) {
  const Depth guard(depth_);
  const MacroDef& def = *macro.definition;
  const size_t count = def.parameters.size(), placed = std::min(count, args.positional.size());
  const ScopePtr scope = enter(def.frame, macro.scope);
  std::vector<Dict::Item> others;
  for (size_t i = 0; i < count; ++i)
    scope->slots[def.slots[i].index] = i < placed ? args.positional[i] : Value();
  Value caller;
  for (const auto& [name, value] : args.keyword) {
    const auto parameter =
        std::find(def.parameters.begin(), def.parameters.end(), name) - def.parameters.begin();
    if (static_cast<size_t>(parameter) < count && static_cast<size_t>(parameter) >= placed) {
      scope->slots[def.slots[static_cast<size_t>(parameter)].index] = value;
    } else if (name == "caller" && def.takes_caller) {
      caller = value;
    } else {
      SR_CHECK(def.takes_kwargs, "macro '{}' takes no argument '{}'", def.name, name);
      others.emplace_back(Value(name), value);
    }
  }
  if (def.takes_caller)
    scope->slots[def.caller.index] =
        given_not_none(caller) ? caller : Value::undefined("no caller is defined");
  if (def.takes_kwargs) scope->slots[def.kwargs.index] = make_dict(std::move(others));
  List rest(args.positional.begin() + static_cast<ptrdiff_t>(placed), args.positional.end());
  SR_CHECK(rest.empty() || def.takes_varargs, "macro '{}' takes {} arguments, {} were given", def.name, count,
           args.positional.size());
  if (def.takes_varargs) scope->slots[def.varargs.index] = Value::tuple(std::move(rest));
  const size_t first_default = count - def.defaults.size();
  for (size_t i = 0; i < count; ++i) {
    Value& slot = scope->slots[def.slots[i].index];
    if (!slot.is_missing()) continue;
    slot = i < first_default ? Value::undefined("parameter '" + def.parameters[i] + "' was not provided")
                             : eval(*def.defaults[i - first_default], scope);
  }
  std::string text;
  capture(macro.body, scope, text);
  return text;
}

void Interpreter::check_namespaces(const Expr& target, const ScopePtr& scope) {
  if (target.kind == ExprKind::kNamespaceRef)
    SR_CHECK(eval_name(target, scope.get()).as<Namespace>() != nullptr,
             "'{}.{}' is assigned to, but '{}' is no namespace()", target.name, target.attribute,
             target.name);
  for (const ExprPtr& item : target.items) check_namespaces(*item, scope);
}

void Interpreter::assign(const Expr& target, const ScopePtr& scope, Value value) {
  if (target.kind == ExprKind::kName) {
    scope->slots[target.slot.index] = std::move(value);
  } else if (target.kind == ExprKind::kNamespaceRef) {
    eval_name(target, scope.get()).as<Namespace>()->set(target.attribute, std::move(value));
  } else {
    const List items = to_list(*this, value);
    SR_CHECK(items.size() == target.items.size(), "{} names are to take {} values", target.items.size(),
             items.size());
    for (size_t i = 0; i < items.size(); ++i) assign(*target.items[i], scope, items[i]);
  }
}

}  // namespace suiren::text::jinja
