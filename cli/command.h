#pragma once
// The frame of every subcommand: a file each, that adds its options and says what to run.

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "suiren/core/tensor.h"

namespace suiren::data {
struct ImportOptions;
}

namespace suiren::cli {

/// Options that every command takes, before or after its name.
struct Globals {
  int threads = 0;
  std::string device = "cpu";
  bool strict_device = false, quiet = false, json = false;
  std::function<void()> run;  ///< what the chosen command does; called once the options are in force
};

void add_doctor(CLI::App& app, Globals& g);
void add_ops(CLI::App& app, Globals& g);
void add_tokenizer(CLI::App& app, Globals& g);
void add_data(CLI::App& app, Globals& g);
void add_train(CLI::App& app, Globals& g);
void add_eval(CLI::App& app, Globals& g);
void add_generate(CLI::App& app, Globals& g);
void add_chat(CLI::App& app, Globals& g);
void add_embed(CLI::App& app, Globals& g);
void add_quickstart(CLI::App& app, Globals& g);
void add_compare(CLI::App& app, Globals& g);
void add_conform(CLI::App& app, Globals& g);
void add_bench(CLI::App& app, Globals& g);
void add_inspect(CLI::App& app, Globals& g);
void add_convert(CLI::App& app, Globals& g);
void add_quantize(CLI::App& app, Globals& g);
void add_completion(CLI::App& app, Globals& g);

/// A subcommand with its examples under the help text.
CLI::App* add_command(CLI::App& app, const std::string& name, const std::string& description,
                      const std::string& examples);

/// --template, --document-separator and --lossy, for the commands that read people's files (data.cpp).
void add_import_options(CLI::App& command, data::ImportOptions& to);

/// "1,2,3" -> ids. Error{kInvalid} names the option and the entry that is no id.
std::vector<int64_t> parse_ids(const std::string& text, const char* option = "--ids");

}  // namespace suiren::cli
