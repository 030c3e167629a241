#pragma once
// The tree of a template: read-only after parsing, shared by renderings on any thread.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "suiren/text/jinja/value.h"

namespace suiren::text::jinja {

struct Expr;
struct Stmt;
struct Builtin;
using ExprPtr = std::unique_ptr<Expr>;
using Block = std::vector<Stmt>;

/// Where a variable is: so many scopes up, at this place in it.
struct Slot {
  uint32_t up = 0, index = 0;
};

enum class ExprKind : uint8_t {
  kConst,         ///< value
  kName,          ///< name, slot
  kNamespaceRef,  ///< name.attribute as the target of set: slot, name, attribute
  kTuple,
  kList,  ///< items
  kDict,  ///< items: key, value, key, value ...
  kPositive,
  kNegative,
  kNot,  ///< items[0]
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kFloorDivide,
  kModulo,
  kPower,
  kAnd,
  kOr,           ///< items[0], items[1]
  kCompare,      ///< items[i] ops[i] items[i + 1] ...
  kConcat,       ///< items
  kConditional,  ///< items[0] if items[1] else items[2], which may be null
  kAttribute,    ///< items[0].name
  kItem,         ///< items[0][items[1]]
  kSlice,        ///< items[0][items[1]:items[2]:items[3]], each of the three may be null
  kCall,         ///< items[0](args)
  kFilter,       ///< items[0] | name(args); items[0] is null where a block is filtered
  kTest,         ///< items[0] is name(args)
};

enum class Comparison : uint8_t { kEq, kNe, kLt, kLe, kGt, kGe, kIn, kNotIn };

struct Arguments {
  std::vector<ExprPtr> positional;
  std::vector<std::pair<std::string, ExprPtr>> keyword;
  ExprPtr star, double_star;
};

struct Expr {
  ExprKind kind;
  int line = 0;
  int depth = 1;  ///< of the tree below: what evaluation and destruction recurse through
  std::string name, attribute;
  Value value;
  std::vector<ExprPtr> items;
  std::vector<Comparison> ops;
  std::unique_ptr<Arguments> args;
  Slot slot;
  const Builtin* builtin = nullptr;  ///< of a filter or test; null for one that is not known
};

/// How a variable of a scope begins.
struct Load {
  enum class Action : uint8_t { kUnset, kContext, kOuter } action;
  uint32_t index;    ///< in the scope
  std::string name;  ///< kContext: what the caller or the globals call it
  Slot outer;        ///< kOuter: seen from the scope itself
};

/// The variables of a scope.
struct Frame {
  uint32_t size = 0;
  std::vector<Load> loads;
};

enum class StmtKind : uint8_t {
  kText,
  kPrint,
  kIf,
  kFor,
  kSet,
  kSetBlock,
  kMacro,
  kCallBlock,
  kFilterBlock,
  kWith,
  kGeneration,
  kBreak,
  kContinue
};

/// A macro, or the body of a call block.
struct MacroDef {
  std::string name;
  std::vector<std::string> parameters;
  std::vector<Slot> slots;        ///< of the parameters, in `frame`
  std::vector<ExprPtr> defaults;  ///< of the last ones
  bool takes_caller = false, takes_kwargs = false, takes_varargs = false;
  Slot caller, kwargs, varargs;
  Frame frame;
};

struct ForParts {
  ExprPtr target, iterable, test;
  ExprPtr test_target;  ///< the target again, in the scope of the test
  bool recursive = false;
  bool has_loop = false;
  Slot loop;
  Frame body_frame, test_frame, else_frame;
  Block else_body;
};

struct Stmt {
  StmtKind kind;
  int line = 0;
  std::string text;  ///< kText
  std::vector<ExprPtr>
      exprs;  ///< kPrint: one; kSet: target, value; kSetBlock: target, filter or null; kWith: targets and
              ///< values by turns; kFilterBlock: filter; kCallBlock: the call
  std::vector<std::pair<ExprPtr, Block>> branches;  ///< kIf; the last test is null for else
  Block body;
  Frame frame;                      ///< kSetBlock, kFilterBlock, kWith
  Slot slot;                        ///< kMacro: where it is kept
  std::unique_ptr<ForParts> loop;   ///< kFor
  std::shared_ptr<MacroDef> macro;  ///< kMacro, kCallBlock, kGeneration
};

struct Template {
  std::string name;
  Block body;
  Frame frame;
};

}  // namespace suiren::text::jinja
