#pragma once
// Runs a template once. For one thread.

#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "suiren/text/jinja/objects.h"

namespace suiren::text::jinja {

class Interpreter {
 public:
  Interpreter(const Template& made, Value context, std::tm now, int64_t max_steps, int64_t max_output);
  ~Interpreter();
  Interpreter(const Interpreter&) = delete;

  std::string run();
  /// The line of the template that is being evaluated, for messages.
  int line() const { return line_; }
  Budget& budget() { return budget_; }
  const std::tm& now() const { return now_; }

  // What filters and methods need.

  Value call(const Value& callee, const Args& args);
  /// Filters and tests by name, for map, select and their like.
  Value call_filter(const std::string& name, const Value& on, const Args& args);
  Value call_test(const std::string& name, const Value& on, const Args& args);
  /// a.name: methods and attributes before keys.
  Value attribute(const Value& on, const std::string& name);
  /// a[key]: keys before methods and attributes.
  Value item(const Value& on, const Value& key);
  Value slice(const Value& on, const Value& start, const Value& stop, const Value& step);
  std::string text_of(const Value& value);  ///< str(value)
  /// a == b and value in container.
  bool equals(const Value& a, const Value& b) { return equal(a, b, budget_); }
  bool contains(const Value& container, const Value& value);
  Value add(const Value& a, const Value& b);
  /// loop(items) of a recursive loop.
  Value recurse(const Loop& loop, const Value& items);
  std::shared_ptr<Namespace> make_namespace();

 private:
  enum class Flow : uint8_t { kNext, kBreak, kContinue };
  /// Counts how deep the interpreter has recursed.
  struct Depth {
    explicit Depth(int& d) : depth(d) {
      SR_CHECK(depth < kMaxDepth, "macros, loops and expressions are nested deeper than {} levels",
               kMaxDepth);
      ++depth;
    }
    ~Depth() { --depth; }
    Depth(const Depth&) = delete;
    static constexpr int kMaxDepth = 1000;  // about 100 macros that call each other
    int& depth;
  };
  using ScopePtr = std::shared_ptr<Scope>;

  // Statements (interpreter.cpp).
  Flow run_block(const Block& body, const ScopePtr& scope);
  Flow run_stmt(const Stmt& stmt, const ScopePtr& scope);
  Flow run_if(const Stmt& stmt, const ScopePtr& scope);
  Flow run_for(const Stmt& stmt, const ScopePtr& scope);
  Flow run_loop(const Stmt& stmt, const ScopePtr& scope, const Value& iterable, int64_t depth0);
  Flow run_set_block(const Stmt& stmt, const ScopePtr& scope);
  Flow run_filter_block(const Stmt& stmt, const ScopePtr& scope);
  Flow run_with(const Stmt& stmt, const ScopePtr& scope);
  void run_call_block(const Stmt& stmt, const ScopePtr& scope);
  IteratorPtr filtered(const Stmt& stmt, const ScopePtr& scope, const Value& iterable);
  Value call_macro(const Macro& macro, const Args& args);
  std::shared_ptr<Macro> make_macro(const Stmt& stmt, const ScopePtr& scope);
  void assign(const Expr& target, const ScopePtr& scope, Value value);
  void check_namespaces(const Expr& target, const ScopePtr& scope);
  ScopePtr enter(const Frame& frame, const ScopePtr& around);
  void load(const Frame& frame, Scope& scope);
  void write(std::string_view text);
  /// Runs statements with the output going to `text`.
  Flow capture(const Block& body, const ScopePtr& scope, std::string& text);

  // Expressions (evaluate.cpp).
  Value eval(const Expr& expr, const ScopePtr& scope);
  Value eval_kind(const Expr& expr, const ScopePtr& scope);
  Value eval_operator(const Expr& expr, const ScopePtr& scope);
  Value eval_call(const Expr& expr, const ScopePtr& scope);
  Value eval_name(const Expr& expr, Scope* scope) const;
  Value eval_dict(const Expr& expr, const ScopePtr& scope);
  Value eval_compare(const Expr& expr, const ScopePtr& scope);
  bool holds(Comparison op, const Value& left, const Value& right);
  Value eval_concat(const Expr& expr, const ScopePtr& scope);
  Value eval_conditional(const Expr& expr, const ScopePtr& scope);
  Value eval_slice(const Expr& expr, const ScopePtr& scope);
  Value eval_filter_or_test(const Expr& expr, const ScopePtr& scope);
  List eval_list(const std::vector<ExprPtr>& items, const ScopePtr& scope);
  Args eval_args(const Arguments* args, const ScopePtr& scope);
  Value missing_item(const Value& on, const Value& key);
  Value index(const Value& on, const Value& key);

  // Arithmetic (operators.cpp).
  Value arithmetic(ExprKind kind, const Value& a, const Value& b);
  Value multiply(const Value& a, const Value& b);
  Value repeat(const Value& sequence, int64_t times);

  const Template& made_;
  Value context_;
  std::tm now_;
  Budget budget_;
  int64_t max_output_;
  int line_ = 1;
  int depth_ = 0;
  std::string* out_ = nullptr;
  const Value* block_text_ = nullptr;  ///< what a filter without an expression filters
  std::vector<std::shared_ptr<Scope>>
      captured_;  ///< scopes that macros hold: emptied at the end, as cycles run through them
  std::vector<std::shared_ptr<Namespace>> namespaces_;  ///< the same
};

}  // namespace suiren::text::jinja
