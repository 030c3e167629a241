// The `suiren` command: options that all commands share, and exit codes.

#include <cstdio>

#include "cli/command.h"
#include "suiren/base/error.h"
#include "suiren/base/log.h"
#include "suiren/base/threads.h"
#include "suiren/core/dispatch.h"

namespace suiren::cli {
namespace {

void add_globals(CLI::App& app, Globals& g) {
  app.set_version_flag("--version", std::string("suiren ") + SUIREN_VERSION);
  app.add_option("--threads", g.threads, "CPU threads (default: the CPUs this process may use)")
      ->check(CLI::Range(1, 1024));
  app.add_option("--device", g.device, "device by name, or a plug-in by its path (suiren doctor lists them)")
      ->capture_default_str();
  app.add_flag("--strict-device", g.strict_device, "stop when an op would leave the device");
  app.add_flag("--quiet", g.quiet, "no progress, only results and errors");
  app.add_flag("--json", g.json, "results as JSON on stdout");
}

void apply(const Globals& g) {
  if (g.threads > 0) set_thread_count(g.threads);
  if (g.quiet) set_log_level(LogLevel::kQuiet);
  if (g.device != "cpu") Device{g.device};  // an absent device is an error before any work
  set_strict_device(g.strict_device);
}

// A word that is no command is named, with the nearest one; otherwise the parser's own message stands.
void check_command(const CLI::App& app) {
  const std::vector<std::string> words = app.remaining();
  if (!app.get_subcommands().empty() || words.empty() || words[0].starts_with("-")) return;
  std::vector<std::string> names;
  for (const CLI::App* c : app.get_subcommands({})) names.push_back(c->get_name());
  const std::string near = nearest(words[0], names);
  fail(ErrorCode::kInvalid, "there is no command '{}'{}", words[0],
       near.empty() ? "; suiren --help lists them" : "; did you mean '" + near + "'?");
}

int run(int argc, char** argv) {
  CLI::App app{"Suiren 燧人: a complete AI stack, from raw text to a model that talks, on any CPU.",
               "suiren"};
  Globals g;
  add_globals(app, g);
  app.require_subcommand(1);
  app.footer(
      "Examples:\n  suiren quickstart                       learn from 330,000 poems in five minutes\n"
      "  suiren quickstart --text my-notes/      the same from your own files\n  suiren doctor               "
      "            what this machine can do\n"
      "suiren COMMAND --help explains each command.");
  for (auto* add : {add_quickstart, add_doctor, add_ops, add_tokenizer, add_data, add_train, add_eval,
                    add_generate, add_chat, add_embed, add_inspect, add_convert, add_quantize, add_compare,
                    add_conform, add_bench, add_completion})
    add(app, g);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    check_command(app);
    const int code = app.exit(e);
    return code == 0 ? 0 : 2;
  }
  apply(g);
  if (g.run) g.run();
  // A full disk behind a redirection is found out only when the last bytes go.
  SR_CHECK_AS(kIo, std::fflush(stdout) == 0 && !std::ferror(stdout),
              "cannot write the result to standard output");
  return 0;
}

}  // namespace

CLI::App* add_command(CLI::App& app, const std::string& name, const std::string& description,
                      const std::string& examples) {
  CLI::App* c = app.add_subcommand(name, description);
  c->fallthrough();
  if (!examples.empty()) c->footer("Examples:\n" + examples);
  return c;
}

std::vector<int64_t> parse_ids(const std::string& text, const char* option) {
  std::vector<int64_t> ids;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t comma = std::min(text.find(',', begin), text.size());
    const std::string part = text.substr(begin, comma - begin);
    char* end = nullptr;
    const int64_t id = std::strtoll(part.c_str(), &end, 10);
    SR_CHECK(!part.empty() && *end == 0 && id >= 0 && id <= 0xffffffffLL,
             "{}: '{}' is no token id; expected numbers with commas, as in 1,2,3", option, part);
    ids.push_back(id);
    begin = comma + 1;
  }
  return ids;
}

}  // namespace suiren::cli

int main(int argc, char** argv) {
  try {
    return suiren::cli::run(argc, argv);
  } catch (const suiren::Error& e) {
    std::fprintf(stderr, "suiren: %s\n", e.what());
    return suiren::exit_code(e.code());
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "suiren: out of memory\n");
    return 1;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "suiren: %s\n", e.what());
    return 1;
  }
}
