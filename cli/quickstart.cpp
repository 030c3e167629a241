// suiren quickstart: from raw text to a model that writes.

#include "suiren/train/quickstart.h"
#include "cli/command.h"

namespace suiren::cli {

void add_quickstart(CLI::App& app, Globals& g) {
  static train::QuickstartOptions o;
  CLI::App* c =
      add_command(app, "quickstart", "raw text to a model that writes, in five minutes",
                  "  suiren quickstart                              330,000 classical Chinese poems\n"
                  "  suiren quickstart --minutes 30 --prompt $'靜夜思\\n李白\\n'\n"
                  "  suiren quickstart --text notes/ book.txt       your own text; no network is used");
  c->add_option("--minutes", o.minutes, "minutes of training")->capture_default_str();
  c->add_option("--text", o.text, "files and folders: .txt .jsonl .json, also .zst and .gz");
  c->add_option("--template", o.json_template, "how a JSON record of --text becomes text");
  c->add_flag("--lossy", o.lossy, "read bytes that are not UTF-8 as U+FFFD");
  c->add_option("--output", o.output, "the run's folder (default: runs/quickstart-1, -2, ...)");
  c->add_option("--prompt", o.prompts, "what the model continues at the end (may be repeated)");
  c->callback([&g] {
    g.run = [&g] {
      o.device = g.device;
      train::quickstart(o);
    };
  });
}

}  // namespace suiren::cli
