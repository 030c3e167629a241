#include "suiren/text/jinja/scopes.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "suiren/text/jinja/builtins.h"

namespace suiren::text::jinja {
namespace {

template <class Visit>
void for_each_child(Expr& expr, Visit visit) {
  for (ExprPtr& item : expr.items)
    if (item) visit(*item);
  if (!expr.args) return;
  for (ExprPtr& arg : expr.args->positional) visit(*arg);
  for (auto& [key, arg] : expr.args->keyword) visit(*arg);
  if (expr.args->star) visit(*expr.args->star);
  if (expr.args->double_star) visit(*expr.args->double_star);
}

bool mentions(Expr& expr, std::string_view name) {
  if (expr.kind == ExprKind::kName && expr.name == name) return true;
  bool found = false;
  for_each_child(expr, [&](Expr& child) { found = found || mentions(child, name); });
  return found;
}

/// Whether a variable is read anywhere in these statements or below them.
bool mentions(Block& body, std::string_view name) {
  const auto expr_does = [&](const ExprPtr& expr) { return expr && mentions(*expr, name); };
  return std::any_of(body.begin(), body.end(), [&](Stmt& stmt) {
    if (std::any_of(stmt.exprs.begin(), stmt.exprs.end(), expr_does) || mentions(stmt.body, name))
      return true;
    for (auto& [test, branch] : stmt.branches)
      if (expr_does(test) || mentions(branch, name)) return true;
    if (stmt.macro && std::any_of(stmt.macro->defaults.begin(), stmt.macro->defaults.end(), expr_does))
      return true;
    if (!stmt.loop) return false;
    ForParts& loop = *stmt.loop;
    return expr_does(loop.iterable) || expr_does(loop.test) || mentions(loop.else_body, name);
  });
}

/// The variables of one frame while they are found out. Branches of an `if` see what was known before it, not
/// each other: each is a layer on top, merged afterwards.
class Symbols {
 public:
  Symbols(const Symbols* parent, Frame& frame) : parent_(parent), frame_(frame), layers_(1) {}

  std::optional<Slot> find(const std::string& name) const {
    if (const auto index = find_here(name)) return Slot{0, *index};
    if (parent_ == nullptr) return std::nullopt;
    auto outer = parent_->find(name);
    if (outer) ++outer->up;
    return outer;
  }

  void load(const std::string& name) {
    if (!find(name)) define(name, Load{Load::Action::kContext, 0, name, {}});
  }
  void store(const std::string& name) {
    top().stores.insert(name);
    if (find_here(name)) return;
    define(name, outer_or(name, Load::Action::kUnset));
  }
  /// A variable that something else sets: a parameter, the target of a loop.
  void declare(const std::string& name) {
    top().stores.insert(name);
    top().loads.erase(define(name, std::nullopt));
  }

  void begin_branch() { layers_.emplace_back(); }
  struct Layer {
    std::map<std::string, uint32_t> refs;
    std::map<uint32_t, Load> loads;
    std::set<std::string> stores;
  };
  Layer end_branch() {
    Layer layer = std::move(layers_.back());
    layers_.pop_back();
    return layer;
  }
  /// What branches assign may or may not be assigned afterwards: it begins with its value outside.
  void merge(std::vector<Layer> branches) {
    std::set<std::string> stores;
    for (Layer& branch : branches) {
      for (const auto& name : branch.stores)
        if (!stored(name)) stores.insert(name);
    }
    for (Layer& branch : branches) {
      for (auto& [name, index] : branch.refs) top().refs[name] = index;
      for (auto& [index, load] : branch.loads) top().loads[index] = std::move(load);
      top().stores.insert(branch.stores.begin(), branch.stores.end());
    }
    for (const auto& name : stores) {
      Load load = outer_or(name, Load::Action::kContext);
      load.index = *find_here(name);
      top().loads[load.index] = std::move(load);
    }
  }

  /// All is known: the frame gets its size and loads.
  void finish() {
    frame_.size = static_cast<uint32_t>(indexes_.size());
    frame_.loads.clear();
    for (auto& [index, load] : layers_[0].loads) frame_.loads.push_back(load);
  }
  /// A variable that was seen too late to be known: its value in the context.
  Slot slot_of(const std::string& name) {
    if (!find(name)) {
      load(name);
      finish();
    }
    return *find(name);
  }

 private:
  Layer& top() { return layers_.back(); }
  bool stored(const std::string& name) const {
    return std::any_of(layers_.begin(), layers_.end(),
                       [&](const Layer& l) { return l.stores.count(name) > 0; });
  }
  std::optional<uint32_t> find_here(const std::string& name) const {
    for (auto layer = layers_.rbegin(); layer != layers_.rend(); ++layer)
      if (const auto found = layer->refs.find(name); found != layer->refs.end()) return found->second;
    return std::nullopt;
  }
  Load outer_or(const std::string& name, Load::Action otherwise) const {
    auto outer = parent_ == nullptr ? std::nullopt : parent_->find(name);
    if (!outer) return {otherwise, 0, name, {}};
    ++outer->up;
    return {Load::Action::kOuter, 0, name, *outer};
  }
  uint32_t define(const std::string& name, std::optional<Load> load) {
    const auto index = indexes_.emplace(name, static_cast<uint32_t>(indexes_.size())).first->second;
    top().refs[name] = index;
    if (load) {
      load->index = index;
      top().loads[index] = std::move(*load);
    }
    return index;
  }

  const Symbols* parent_;
  Frame& frame_;
  std::map<std::string, uint32_t> indexes_;
  std::vector<Layer> layers_;
};

class Resolver {
 public:
  explicit Resolver(Template& made) : made_(made) {}

  void run() {
    Symbols top(nullptr, made_.frame);
    analyze(top, made_.body);
    top.finish();
    bind(top, made_.body, false);
  }

 private:
  // First walk over a frame: which names it reads and assigns. It does not enter the frames inside.

  void analyze(Symbols& frame, Expr& expr) {
    if (expr.kind == ExprKind::kName || expr.kind == ExprKind::kNamespaceRef) return frame.load(expr.name);
    for_each_child(expr, [&](Expr& child) { analyze(frame, child); });
  }
  void analyze(Symbols& frame, const ExprPtr& expr) {
    if (expr) analyze(frame, *expr);
  }
  template <class Assign>
  void analyze_target(Symbols& frame, Expr& target, Assign assign) {
    if (target.kind == ExprKind::kName) (frame.*assign)(target.name);
    if (target.kind == ExprKind::kNamespaceRef) frame.load(target.name);
    for (ExprPtr& item : target.items) analyze_target(frame, *item, assign);
  }
  void analyze(Symbols& frame, Block& body) {
    for (Stmt& stmt : body) analyze(frame, stmt);
  }
  void analyze(Symbols& frame, Stmt& stmt) {
    switch (stmt.kind) {
      case StmtKind::kIf:
        return analyze_if(frame, stmt);
      case StmtKind::kFor:
        return analyze(frame, stmt.loop->iterable);
      case StmtKind::kSet:
        analyze(frame, stmt.exprs[1]);
        return analyze_target(frame, *stmt.exprs[0], &Symbols::store);
      case StmtKind::kSetBlock:
        return analyze_target(frame, *stmt.exprs[0], &Symbols::store);
      case StmtKind::kMacro:
        return frame.store(stmt.macro->name);
      case StmtKind::kWith:
        for (size_t i = 1; i < stmt.exprs.size(); i += 2) analyze(frame, stmt.exprs[i]);
        return;
      default:
        for (const ExprPtr& expr : stmt.exprs) analyze(frame, expr);
    }
  }
  void analyze_if(Symbols& frame, Stmt& stmt) {
    const bool has_else = !stmt.branches.back().first;
    const size_t tests = stmt.branches.size() - has_else;
    const auto branch = [&](size_t i) {
      frame.begin_branch();
      analyze(frame, stmt.branches[i].second);
      return frame.end_branch();
    };
    std::vector<Symbols::Layer> parts;
    analyze(frame, stmt.branches[0].first);
    parts.push_back(branch(0));
    frame.begin_branch();
    for (size_t i = 1; i < tests; ++i) {
      analyze(frame, stmt.branches[i].first);
      std::vector<Symbols::Layer> own;
      own.push_back(branch(i));
      frame.merge(std::move(own));
    }
    parts.push_back(frame.end_branch());
    if (has_else) parts.push_back(branch(tests));
    frame.merge(std::move(parts));
  }

  // Second walk: places of names are known; frames inside are analyzed in their turn. `soft`: directly inside
  // an if.

  void bind(Symbols& frame, Expr& expr, bool soft) {
    if (expr.kind == ExprKind::kName || expr.kind == ExprKind::kNamespaceRef)
      expr.slot = frame.slot_of(expr.name);
    if (expr.kind == ExprKind::kConditional) soft = true;
    if (expr.kind == ExprKind::kFilter || expr.kind == ExprKind::kTest) {
      const bool filter = expr.kind == ExprKind::kFilter;
      expr.builtin = filter ? find_filter(expr.name) : find_test(expr.name);
      if (expr.builtin == nullptr && !soft)
        fail(ErrorCode::kInvalid, "{}:{}: no {} is named '{}'", made_.name, expr.line,
             filter ? "filter" : "test", expr.name);
    }
    for_each_child(expr, [&](Expr& child) { bind(frame, child, soft); });
  }
  void bind(Symbols& frame, const ExprPtr& expr, bool soft) {
    if (expr) bind(frame, *expr, soft);
  }
  void bind_target(Symbols& frame, Expr& target) {
    if (target.kind == ExprKind::kName && target.name == "loop" && loops_ > 0)
      fail(ErrorCode::kInvalid, "{}:{}: 'loop' cannot be assigned to inside a for loop", made_.name,
           target.line);
    if (target.kind != ExprKind::kTuple) target.slot = frame.slot_of(target.name);
    for (ExprPtr& item : target.items) bind_target(frame, *item);
  }
  void bind(Symbols& frame, Block& body, bool soft) {
    for (Stmt& stmt : body) bind(frame, stmt, soft);
  }
  void bind(Symbols& frame, Stmt& stmt, bool soft) {
    switch (stmt.kind) {
      case StmtKind::kIf:
        for (auto& [test, branch] : stmt.branches) {
          bind(frame, test, true);
          bind(frame, branch, true);
        }
        return;
      case StmtKind::kFor:
        return bind_for(frame, stmt, soft);
      case StmtKind::kSet:
        bind_target(frame, *stmt.exprs[0]);
        return bind(frame, stmt.exprs[1], soft);
      case StmtKind::kSetBlock:
      case StmtKind::kFilterBlock:
      case StmtKind::kWith:
        return bind_scope(frame, stmt, soft);
      case StmtKind::kMacro:
        stmt.slot = frame.slot_of(stmt.macro->name);
        return bind_macro(frame, stmt);
      case StmtKind::kCallBlock:
        bind(frame, stmt.exprs[0], soft);
        return bind_macro(frame, stmt);
      case StmtKind::kGeneration:
        return bind_macro(frame, stmt);
      default:
        for (const ExprPtr& expr : stmt.exprs) bind(frame, expr, soft);
    }
  }

  void bind_for(Symbols& frame, Stmt& stmt, bool soft) {
    ForParts& loop = *stmt.loop;
    bind(frame, loop.iterable, soft);
    ++loops_;
    loop.has_loop = loop.recursive || mentions(stmt.body, "loop");
    Symbols inside(&frame, loop.body_frame);
    if (loop.has_loop) inside.declare("loop");
    analyze_target(inside, *loop.target, &Symbols::declare);
    analyze(inside, stmt.body);
    inside.finish();
    if (loop.has_loop) loop.loop = inside.slot_of("loop");
    bind_target(inside, *loop.target);
    bind(inside, stmt.body, false);
    if (loop.test) {
      Symbols test(&frame, loop.test_frame);
      analyze_target(test, *loop.test_target, &Symbols::declare);
      analyze(test, loop.test);
      test.finish();
      bind_target(test, *loop.test_target);
      bind(test, loop.test, false);
    }
    Symbols otherwise(&frame, loop.else_frame);
    analyze(otherwise, loop.else_body);
    otherwise.finish();
    bind(otherwise, loop.else_body, false);
    --loops_;
  }

  void bind_scope(Symbols& frame, Stmt& stmt, bool soft) {
    Symbols inside(&frame, stmt.frame);
    if (stmt.kind == StmtKind::kWith)
      for (size_t i = 0; i < stmt.exprs.size(); i += 2)
        analyze_target(inside, *stmt.exprs[i], &Symbols::declare);
    analyze(inside, stmt.body);
    if (stmt.kind != StmtKind::kWith) analyze(inside, stmt.exprs.back());
    inside.finish();
    if (stmt.kind == StmtKind::kWith) {
      for (size_t i = 0; i < stmt.exprs.size(); i += 2) {
        bind_target(inside, *stmt.exprs[i]);
        bind(frame, stmt.exprs[i + 1], soft);
      }
    } else {
      bind(inside, stmt.exprs.back(), false);
    }
    if (stmt.kind == StmtKind::kSetBlock) bind_target(frame, *stmt.exprs[0]);
    bind(inside, stmt.body, false);
  }

  void bind_macro(Symbols& frame, Stmt& stmt) {
    MacroDef& macro = *stmt.macro;
    Symbols inside(&frame, macro.frame);
    for (const auto& name : macro.parameters) inside.declare(name);
    for (const ExprPtr& value : macro.defaults) analyze(inside, value);
    const auto has = [&](const char* name) {
      return std::find(macro.parameters.begin(), macro.parameters.end(), name) != macro.parameters.end();
    };
    const auto special = [&](const char* name, bool& takes) {
      takes = mentions(stmt.body, name) && !has(name);
      if (takes) inside.declare(name);
    };
    special("caller", macro.takes_caller);
    special("kwargs", macro.takes_kwargs);
    special("varargs", macro.takes_varargs);
    analyze(inside, stmt.body);
    inside.finish();
    for (const auto& name : macro.parameters) macro.slots.push_back(inside.slot_of(name));
    if (macro.takes_caller) macro.caller = inside.slot_of("caller");
    if (macro.takes_kwargs) macro.kwargs = inside.slot_of("kwargs");
    if (macro.takes_varargs) macro.varargs = inside.slot_of("varargs");
    for (const ExprPtr& value : macro.defaults) bind(inside, value, false);
    bind(inside, stmt.body, false);
  }

  Template& made_;
  int loops_ = 0;
};

}  // namespace

void resolve_variables(Template& made) { Resolver(made).run(); }

}  // namespace suiren::text::jinja
