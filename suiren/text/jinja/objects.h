#pragma once
// What only a template makes: iterators, ranges, views of dicts, functions, macros, namespaces, the `loop`.
// Each belongs to the one rendering that made it.

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "suiren/text/jinja/ast.h"
#include "suiren/text/jinja/builtins.h"

namespace suiren::text::jinja {

/// Variables at run time.
struct Scope {
  Scope(std::shared_ptr<Scope> outer, uint32_t size) : parent(std::move(outer)), slots(size) {}
  std::shared_ptr<Scope> parent;
  std::vector<Value> slots;
};

/// Gives values once, one after another, made as they are asked for (a generator).
class Iterator : public Object {
 public:
  /// False at the end.
  using Next = std::function<bool(Interpreter&, Value& out)>;
  /// `depth`: of iterators that it reads from in turn.
  Iterator(Next next, int depth, const char* type = "generator");
  bool next(Interpreter& in, Value& out) { return next_(in, out); }
  std::string type_name() const override { return type_; }
  int depth() const override { return depth_; }

 private:
  Next next_;
  int depth_;
  const char* type_;
};
using IteratorPtr = std::shared_ptr<Iterator>;

/// Python's iter(value). Error{kInvalid} for what cannot be iterated.
IteratorPtr iterate(const Value& value);
/// Python's reversed(list) and its like: each item once.
IteratorPtr iterator_over(List items);
/// Python's len(value), or -1 for what has none.
int64_t size_of(const Value& value);
/// Python's list(value): a step for each item.
List to_list(Interpreter& in, const Value& value);

class Range : public Object {
 public:
  Range(int64_t start, int64_t stop, int64_t step);
  int64_t size() const { return size_; }
  int64_t at(int64_t index) const { return start_ + index * step_; }
  int64_t start() const { return start_; }
  int64_t step() const { return step_; }
  std::string type_name() const override { return "range"; }
  std::string repr(Budget&) const override;
  bool truth() const override { return size_ > 0; }

 private:
  int64_t start_, stop_, step_, size_ = 0;
};

/// dict.keys(), values(), items().
class DictView : public Object {
 public:
  enum class Part { kKeys, kValues, kItems };
  DictView(Value dict, Part part) : dict_(std::move(dict)), part_(part) {}
  int64_t size() const { return static_cast<int64_t>(dict_.as_dict().items().size()); }
  Value at(size_t index) const;
  std::string type_name() const override;
  std::string repr(Budget&) const override;
  bool truth() const override { return size() > 0; }
  int depth() const override { return dict_.depth() + 1; }

 private:
  Value dict_;
  Part part_;
};

/// A global function, or a method with its object.
class Function : public Object {
 public:
  Function(const Builtin& builtin, Value self) : builtin_(builtin), self_(std::move(self)) {}
  /// Methods of Python's own types take no named arguments, but for a few.
  Value call(Interpreter& in, const Args& args) const;
  std::string type_name() const override { return "builtin_function_or_method"; }
  int depth() const override { return self_.depth() + 1; }

 private:
  const Builtin& builtin_;
  Value self_;
};

class Macro : public Object {
 public:
  Macro(std::shared_ptr<const MacroDef> macro, const Block& macro_body, std::shared_ptr<Scope> around)
      : definition(std::move(macro)), body(macro_body), scope(std::move(around)) {}
  std::string type_name() const override { return "Macro"; }
  std::string repr(Budget&) const override;
  Value attribute(Interpreter&, std::string_view name) override;

  std::shared_ptr<const MacroDef> definition;
  const Block& body;
  std::shared_ptr<Scope> scope;
};

/// namespace(): the only thing that a template may change.
class Namespace : public Object {
 public:
  std::string type_name() const override { return "Namespace"; }
  std::string repr(Budget&) const override;
  Value attribute(Interpreter&, std::string_view name) override;
  /// Error{kInvalid} for a name that begins with an underscore.
  void set(const std::string& name, Value value);
  void clear() { attributes_.clear(); }

 private:
  std::vector<std::pair<std::string, Value>> attributes_;
};

/// cycler(a, b ...): one after another, and again.
class Cycler : public Object {
 public:
  explicit Cycler(List items);
  Value next();
  void reset() { at_ = 0; }
  std::string type_name() const override { return "Cycler"; }
  Value attribute(Interpreter&, std::string_view name) override;
  int depth() const override { return depth_; }

 private:
  List items_;
  size_t at_ = 0;
  int depth_ = 1;
};

/// joiner(separator): "" the first time it is called.
class Joiner : public Object {
 public:
  explicit Joiner(Value separator) : separator_(std::move(separator)) {}
  Value next() { return std::exchange(used_, true) ? separator_ : Value(""); }
  std::string type_name() const override { return "Joiner"; }

 private:
  Value separator_;
  bool used_ = false;
};

/// `loop` inside a for.
class Loop : public Object {
 public:
  /// `recurse`: the statement and its scope, where loop(...) may be called.
  Loop(const Value& iterable, IteratorPtr items, int64_t depth0, const Stmt* recurse,
       std::shared_ptr<Scope> scope);
  bool next(Interpreter& in, Value& out);
  std::string type_name() const override { return "LoopContext"; }
  Value attribute(Interpreter& in, std::string_view name) override;
  Value cycle(const List& items) const;
  bool changed(Interpreter& in, List values);
  /// The loop is over: nothing that changed() kept is needed, and it may hold the loop itself.
  void forget() { changed_ = Value(); }

  int64_t depth0;
  const Stmt* recurse;
  std::shared_ptr<Scope> scope;

 private:
  int64_t length(Interpreter& in);
  bool peek(Interpreter& in);
  IteratorPtr items_;
  int64_t index0_ = -1, length_;
  bool has_next_ = false, at_end_ = false;
  Value before_, current_, next_, changed_;
};

}  // namespace suiren::text::jinja
