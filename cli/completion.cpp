// suiren completion: shell completion, made from the commands themselves.

#include "cli/command.h"
#include "suiren/base/error.h"

namespace suiren::cli {
namespace {

// The words that may follow the commands typed so far: subcommands and long options.
std::string words_of(const CLI::App& app, const std::string& globals) {
  std::string words;
  for (const CLI::App* sub : app.get_subcommands({})) words += sub->get_name() + " ";
  for (const CLI::Option* o : app.get_options())
    for (const std::string& name : o->get_lnames()) words += "--" + name + " ";
  return words + globals;
}

void cases(const CLI::App& app, const std::string& path, const std::string& globals, std::string& out) {
  out += fmt::format("    '{}') words='{}';;\n", path, words_of(app, globals));
  for (const CLI::App* sub : app.get_subcommands({}))
    cases(*sub, path.empty() ? sub->get_name() : path + " " + sub->get_name(), globals, out);
}

std::string global_options(const CLI::App& app) {
  std::string words;
  for (const CLI::Option* o : app.get_options())
    for (const std::string& name : o->get_lnames()) words += "--" + name + " ";
  return words;
}

void print(const CLI::App& app, const std::string& shell) {
  const std::string globals = global_options(app);
  std::string table;
  cases(app, "", globals, table);
  if (shell == "zsh") fmt::print("autoload -Uz bashcompinit && bashcompinit\n");
  fmt::print(R"(_suiren() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" path="" word words=""
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case "$word" in -*) ;; tokenizer|data) path="$word";; train|encode|decode|build) path="${{path:+$path }}$word";; doctor|ops|eval|generate|chat|inspect|convert|quantize|compare|conform|bench|quickstart|completion) path="$word";; esac
  done
  case "$path" in
{}  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  [[ "$current" == -* ]] || COMPREPLY+=($(compgen -f -- "$current"))
}}
complete -o filenames -F _suiren suiren
)",
             table);
}

}  // namespace

void add_completion(CLI::App& app, Globals& g) {
  static std::string shell = "bash";
  CLI::App* c = add_command(app, "completion", "print a completion script for bash or zsh",
                            "  eval \"$(suiren completion bash)\"\n  suiren completion zsh >> ~/.zshrc");
  c->add_option("shell", shell, "bash or zsh")->check(CLI::IsMember({"bash", "zsh"}))->capture_default_str();
  c->callback([&app, &g] { g.run = [&app] { print(app, shell); }; });
}

}  // namespace suiren::cli
