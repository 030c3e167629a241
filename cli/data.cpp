// suiren data build: documents to token shards.

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "suiren/base/interrupt.h"
#include "suiren/base/log.h"
#include "suiren/data/shards.h"
#include "suiren/train/progress.h"

namespace suiren::cli {
namespace {

struct Args {
  std::string tokenizer;
  data::BuildOptions build;
};

void build(Args& a, const Globals& g) {
  catch_interrupts();
  train::ProgressLine progress;
  a.build.import.progress = [&](int64_t done, int64_t total) {
    check_interrupt("the build");
    if (progress.due())
      progress.show(fmt::format("shards     read {} of {}", train::format_bytes(static_cast<double>(done)),
                                train::format_bytes(static_cast<double>(total))));
  };
  const data::BuildResult r = data::build_shards(text::Tokenizer::load(a.tokenizer), a.build);
  progress.finish();
  const auto part = [](const data::SplitCounts& c) {
    return nlohmann::json{{"documents", c.documents}, {"tokens", c.tokens}, {"bytes", c.bytes}};
  };
  if (g.json) {
    fmt::print(
        "{}\n",
        nlohmann::json{{"train", part(r.train)}, {"holdout", part(r.holdout)}, {"output", a.build.output}}
            .dump());
    return;
  }
  const auto line = [](const char* name, const data::SplitCounts& c) {
    fmt::print("{:9}  {} documents, {} tokens, {} bytes\n", name, train::format_count(c.documents),
               train::format_count(c.tokens), train::format_count(c.bytes));
  };
  line("train", r.train);
  line("held out", r.holdout);
}

}  // namespace

void add_import_options(CLI::App& command, data::ImportOptions& to) {
  command.add_option("--template", to.json_template,
                     "how a JSON record becomes text, as in '{title}\\n{author}\\n{paragraphs}'");
  command.add_option("--document-separator", to.separator,
                     "a line that parts text documents (default: blank lines)");
  command.add_flag("--lossy", to.lossy, "read bytes that are not UTF-8 as U+FFFD");
}

void add_data(CLI::App& app, Globals& g) {
  CLI::App* c = add_command(app, "data", "documents to token shards", "");
  c->require_subcommand(1);
  static Args a;
  CLI::App* b =
      add_command(*c, "build", "import, split, encode and write shards that any program can map",
                  "  suiren data build --tokenizer tokenizer.json --input corpus.txt --output data/corpus\n"
                  "  suiren data build --tokenizer t.json --input poems/ --template "
                  "'{title|rhythmic}\\n{author}\\n{paragraphs}' --output data/poems");
  b->add_option("--tokenizer", a.tokenizer, "a tokenizer.json, or a folder that holds one")->required();
  b->add_option("--input", a.build.inputs, "files and folders: .txt .jsonl .json, also .zst and .gz")
      ->required();
  add_import_options(*b, a.build.import);
  b->add_option("--holdout", a.build.holdout, "share of the documents held out, by a hash of their text")
      ->capture_default_str();
  b->add_option("--end-token", a.build.end_token,
                "the token that ends a document (default: the first special)");
  b->add_option("--output", a.build.output, "the folder to write")->required();
  b->callback([&g] { g.run = [&g] { build(a, g); }; });
}

}  // namespace suiren::cli
