// suiren conform: what the chip interface promises, asked of one chip.

#include <unistd.h>

#include "cli/command.h"
#include "suiren/base/error.h"
#include "suiren/base/file.h"
#include "suiren/conform/kit.h"

namespace suiren::cli {
namespace {

struct ConformOptions {
  std::string target, json, html;
  std::vector<std::string> only;
  double silence = 60;
};

void conform_chip(const Globals& g, const ConformOptions& o) {
  conform::Options options{o.target, o.only, o.silence, {}, {}};
  const bool tty = isatty(STDERR_FILENO) != 0;
  if (!g.quiet) {
    options.starting = [tty](const std::string& group, const std::string& check) {
      if (tty) fmt::print(stderr, "\r\x1b[K{} {} ...", group, check);
    };
    options.finished = [tty](const conform::Result& r) {
      if (tty) fmt::print(stderr, "\r\x1b[K");
      if (r.outcome == conform::Outcome::kFail || (!tty && r.group != "ops"))
        fmt::print(stderr, "{} {} {} ({:.1f} s)\n", conform::outcome_name(r.outcome), r.group, r.check,
                   r.seconds);
    };
  }
  const conform::Report report = conform::run(options);
  if (!o.json.empty()) write_file(o.json, conform::as_json(report));
  if (!o.html.empty()) write_file(o.html, conform::as_page(report));
  fmt::print("{}", g.json ? conform::as_json(report) : conform::as_table(report, isatty(STDOUT_FILENO) != 0));
  std::fflush(stdout);
  if (!report.passed())
    fail(ErrorCode::kDevice, "{} of {} checks failed", report.count(conform::Outcome::kFail),
         report.results.size());
}

}  // namespace

void add_conform(CLI::App& app, Globals& g) {
  CLI::App* c = add_command(
      app, "conform", "does a chip keep what the interface promises? memory, order, values, speed",
      "  suiren conform ./my_chip.so\n"
      "  suiren conform ./my_chip.so --only memory,streams\n"
      "  suiren conform ./my_chip.so --only ops/matmul,ops/add,memory/leaks\n"
      "  suiren conform cpu --html report.html --json report.json\n"
      "Exits with 0 when nothing failed, with 1 otherwise. Each check runs in a process of its own:\n"
      "a crash or a hang is reported by name and the rest goes on.");
  auto o = std::make_shared<ConformOptions>();
  c->add_option("chip", o->target, "a plug-in (.so) or a device's name")->required();
  c->add_option(
       "--only", o->only,
       "groups (abi, memory, streams, ops, gradients, training, roofline) or single checks, as ops/add")
      ->delimiter(',');
  c->add_option("--json", o->json, "write the report as JSON to this file");
  c->add_option("--html", o->html, "write the report as one HTML page to this file");
  c->add_option("--patience", o->silence, "seconds without a sign of life after which a check has hung")
      ->capture_default_str()
      ->check(CLI::Range(1.0, 86400.0));
  c->callback([&g, o] { g.run = [&g, o] { conform_chip(g, *o); }; });
}

}  // namespace suiren::cli
