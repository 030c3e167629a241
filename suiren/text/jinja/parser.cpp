#include "suiren/text/jinja/parser.h"

#include <algorithm>
#include <array>

#include "suiren/text/jinja/expression_parser.h"
#include "suiren/text/jinja/scopes.h"

namespace suiren::text::jinja {
namespace {

using enum TokenKind;
using Names = std::initializer_list<std::string_view>;

class StatementParser {
 public:
  StatementParser(std::string_view source, const std::string& name) : in_(source, name) {}

  Block whole() {
    Block body;
    statements({}, body);
    return body;
  }

 private:
  /// Statements up to a tag of one of these names, whose name is taken; "" at the end of the template.
  std::string statements(Names ends, Block& body) {
    for (;;) {
      const int line = in_.line();
      if (in_.current().is(kEnd)) {
        if (ends.size() > 0) in_.unexpected(list_of(ends));
        return "";
      }
      if (in_.current().is(kData)) {
        body.push_back(Stmt{.kind = StmtKind::kText, .line = line, .text = in_.take().text});
      } else if (in_.current().is(kPrintBegin)) {
        in_.take();
        print(in_.tuple(), line, body);
        if (!in_.current().is(kPrintEnd)) in_.unexpected("'}}'");
        in_.take();
      } else {
        in_.take();  // kTagBegin: the lexer gives nothing else here
        for (const auto name : ends)
          if (in_.skip_name(name)) return std::string(name);
        const Nesting guard = in_.nest();
        statement(ends, body);
        in_.expect_tag_end();
      }
    }
  }

  static std::string list_of(Names names) {
    std::string text;
    for (const auto name : names) text += (text.empty() ? "{% " : " or {% ") + std::string(name) + " %}";
    return text;
  }

  static void print(ExprPtr expr, int line, Block& body) {
    Stmt stmt{.kind = StmtKind::kPrint, .line = line};
    stmt.exprs.push_back(std::move(expr));
    body.push_back(std::move(stmt));
  }

  /// The statements of a tag whose own text ends here, up to the tag of one of these names.
  std::string body_of(Names ends, Block& body) {
    in_.skip_operator(":");
    in_.expect_tag_end();
    return statements(ends, body);
  }

  void statement(Names ends, Block& body) {
    using Parse = Stmt (StatementParser::*)(int);
    static constexpr std::array<std::pair<std::string_view, Parse>, 10> kTags = {{
        {"if", &StatementParser::parse_if},
        {"for", &StatementParser::parse_for},
        {"set", &StatementParser::parse_set},
        {"macro", &StatementParser::parse_macro},
        {"call", &StatementParser::parse_call},
        {"filter", &StatementParser::parse_filter},
        {"with", &StatementParser::parse_with},
        {"generation", &StatementParser::parse_generation},
        {"break", &StatementParser::parse_break},
        {"continue", &StatementParser::parse_continue},
    }};
    static constexpr std::array<std::string_view, 6> kOthers = {"include", "import", "from",
                                                                "extends", "block",  "autoescape"};
    const int line = in_.line();
    if (!in_.current().is(kName)) in_.unexpected("the name of a tag");
    for (const auto& [name, parse] : kTags) {
      if (!in_.current().is_name(name)) continue;
      in_.take();
      body.push_back((this->*parse)(line));
      return;
    }
    if (in_.skip_name("print")) {
      for (bool first = true; !in_.current().is(kTagEnd); first = false) {
        if (!first) in_.expect_operator(",");
        print(in_.expression(), line, body);
      }
      return;
    }
    const std::string name = in_.current().text;
    if (std::find(kOthers.begin(), kOthers.end(), name) != kOthers.end())
      in_.error(line, "the tag '" + name + "' is not available to chat templates");
    std::vector<std::string_view> known(ends);
    for (const auto& tag : kTags) known.push_back(tag.first);
    const std::string near = nearest(name, known);
    in_.error(line,
              fmt::format("unknown tag '{}'{}{}", name, near.empty() ? "" : "; did you mean '" + near + "'?",
                          ends.size() == 0 ? "" : "; expected " + list_of(ends)));
  }

  Stmt parse_if(int line) {
    Stmt stmt{.kind = StmtKind::kIf, .line = line};
    for (std::string end = "elif"; end == "elif";) {
      stmt.branches.emplace_back(in_.tuple(false), Block{});
      end = body_of({"elif", "else", "endif"}, stmt.branches.back().second);
      if (end == "else") {
        stmt.branches.emplace_back(nullptr, Block{});
        body_of({"endif"}, stmt.branches.back().second);
      }
    }
    return stmt;
  }

  static ExprPtr copy_target(const Expr& target) {
    auto made = std::make_unique<Expr>(Expr{.kind = target.kind, .line = target.line, .depth = target.depth});
    made->name = target.name;
    for (const ExprPtr& item : target.items) made->items.push_back(copy_target(*item));
    return made;
  }

  Stmt parse_for(int line) {
    Stmt stmt{.kind = StmtKind::kFor, .line = line};
    stmt.loop = std::make_unique<ForParts>();
    ForParts& loop = *stmt.loop;
    loop.target = in_.target(false, "in");
    in_.expect_name("in");
    loop.iterable = in_.tuple(false, "recursive");
    if (in_.skip_name("if")) {
      loop.test = in_.expression();
      loop.test_target = copy_target(*loop.target);
    }
    loop.recursive = in_.skip_name("recursive");
    ++loops_;
    const std::string end = body_of({"endfor", "else"}, stmt.body);
    --loops_;
    if (end == "else") body_of({"endfor"}, loop.else_body);
    return stmt;
  }

  Stmt parse_set(int line) {
    Stmt stmt{.kind = StmtKind::kSet, .line = line};
    stmt.exprs.push_back(in_.target(true));
    if (in_.skip_operator("=")) {
      stmt.exprs.push_back(in_.tuple());
      return stmt;
    }
    stmt.kind = StmtKind::kSetBlock;
    stmt.exprs.push_back(in_.filters(nullptr));
    body_of({"endset"}, stmt.body);
    return stmt;
  }

  void signature(MacroDef& macro) {
    in_.expect_operator("(");
    while (!in_.current().is_operator(")")) {
      if (!macro.parameters.empty()) in_.expect_operator(",");
      const int line = in_.line();
      std::string name = in_.expect_identifier();
      if (std::find(macro.parameters.begin(), macro.parameters.end(), name) != macro.parameters.end())
        in_.error(line, "the parameter '" + name + "' stands twice");
      macro.parameters.push_back(std::move(name));
      if (in_.skip_operator("=")) {
        macro.defaults.push_back(in_.expression());
      } else if (!macro.defaults.empty()) {
        in_.error(line, "the parameter '" + macro.parameters.back() +
                            "' has no default but stands after one that has");
      }
    }
    in_.expect_operator(")");
  }

  /// A body that is run by itself: break and continue do not reach out of it.
  Stmt with_macro(StmtKind kind, int line, std::string name, bool has_signature, std::string_view end) {
    Stmt stmt{.kind = kind, .line = line};
    stmt.macro = std::make_shared<MacroDef>();
    stmt.macro->name = std::move(name);
    if (has_signature) signature(*stmt.macro);
    if (kind == StmtKind::kCallBlock) {
      stmt.exprs.push_back(in_.expression());
      if (stmt.exprs[0]->kind != ExprKind::kCall)
        in_.error(line, "expected the call of a macro after 'call'");
    }
    const int outer = std::exchange(loops_, 0);
    body_of({end}, stmt.body);
    loops_ = outer;
    return stmt;
  }
  Stmt parse_macro(int line) {
    std::string name = in_.expect_identifier();
    return with_macro(StmtKind::kMacro, line, std::move(name), true, "endmacro");
  }
  Stmt parse_call(int line) {
    return with_macro(StmtKind::kCallBlock, line, "caller", in_.current().is_operator("("), "endcall");
  }
  Stmt parse_generation(int line) {
    return with_macro(StmtKind::kGeneration, line, "generation", false, "endgeneration");
  }

  Stmt parse_filter(int line) {
    Stmt stmt{.kind = StmtKind::kFilterBlock, .line = line};
    stmt.exprs.push_back(in_.filters(nullptr, true));
    body_of({"endfilter"}, stmt.body);
    return stmt;
  }

  Stmt parse_with(int line) {
    Stmt stmt{.kind = StmtKind::kWith, .line = line};
    while (!in_.current().is(kTagEnd) && !in_.current().is_operator(":")) {
      if (!stmt.exprs.empty()) in_.expect_operator(",");
      stmt.exprs.push_back(in_.target(false));
      in_.expect_operator("=");
      stmt.exprs.push_back(in_.expression());
    }
    body_of({"endwith"}, stmt.body);
    return stmt;
  }

  Stmt inside_loop(StmtKind kind, int line, const char* name) {
    if (loops_ == 0) in_.error(line, fmt::format("'{}' stands outside of a for loop", name));
    return Stmt{.kind = kind, .line = line};
  }
  Stmt parse_break(int line) { return inside_loop(StmtKind::kBreak, line, "break"); }
  Stmt parse_continue(int line) { return inside_loop(StmtKind::kContinue, line, "continue"); }

  ExpressionParser in_;
  int loops_ = 0;
};

}  // namespace

Template parse_template(std::string_view source, const std::string& name) {
  Template made{.name = name, .body = StatementParser(source, name).whole()};
  resolve_variables(made);
  return made;
}

}  // namespace suiren::text::jinja
