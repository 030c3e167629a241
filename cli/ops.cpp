// suiren ops: every op, from its definition.

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "suiren/ops/catalog.h"

namespace suiren::cli {
namespace {

void print_table(const std::vector<OpRow>& rows) {
  size_t name = 0, dtypes = 0, gradient = 0;
  for (const OpRow& r : rows) {
    name = std::max(name, r.name.size());
    dtypes = std::max(dtypes, r.dtypes.size());
    gradient = std::max(gradient, r.gradient.size());
  }
  for (const OpRow& r : rows)
    fmt::print("{:{}}  {:{}}  {:{}}  {}\n", r.name, name, r.dtypes, dtypes, r.gradient, gradient, r.kernels);
  fmt::print("{} ops\n", rows.size());
}

}  // namespace

void add_ops(CLI::App& app, Globals& g) {
  static bool markdown = false;
  CLI::App* c = add_command(app, "ops", "every op: dtypes, gradient, kernels of each chip",
                            "  suiren ops\n  suiren ops --json\n  suiren ops --markdown > docs/ops.md");
  c->add_flag("--markdown", markdown, "the table of docs/ops.md");
  c->callback([&g] {
    g.run = [&g] {
      if (markdown) {
        fmt::print("{}", ops_table_markdown());
      } else if (g.json) {
        nlohmann::json list = nlohmann::json::array();
        for (const OpRow& r : ops_rows())
          list.push_back({{"name", r.name},
                          {"room", r.room},
                          {"formula", r.doc},
                          {"attributes", r.attributes},
                          {"dtypes", r.dtypes},
                          {"gradient", r.gradient},
                          {"kernels", r.kernels},
                          {"calls", r.calls},
                          {"errors", r.errors}});
        fmt::print("{}\n", list.dump(1));
      } else {
        print_table(ops_rows());
      }
    };
  });
}

}  // namespace suiren::cli
