// suiren chat: a conversation with a model in the terminal, or line by line from a pipe.

#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <limits>

#include "cli/command.h"
#include "cli/line_input.h"
#include "cli/sampling.h"
#include "suiren/base/file.h"
#include "suiren/base/log.h"
#include "suiren/infer/conversation.h"

namespace suiren::cli {
namespace {

constexpr const char* kHelp =
    "/system TEXT   what the model is told before all else (nothing: forget it)\n"
    "/reset         begin anew; the system message stays\n"
    "/regen         another answer to the last message\n"
    "/save FILE     write the messages, a line of JSON each\n"
    "/help          this list\n"
    "/exit          leave, as Ctrl-D does\n"
    "A line that ends in \\ goes on in the next; \"\"\" begins and ends a text of several "
    "lines,\nor one that begins with /.\n"
    "Ctrl-C stops an answer.\n";

struct Args {
  std::string model, system, chat_template, cache_type;
  int64_t context = 0, max_tokens = std::numeric_limits<int64_t>::max(), speculate = 0;
  bool ignore_eos = false;
  SamplingArgs sampling;
};

volatile sig_atomic_t stop_asked = 0;

// In a terminal Ctrl-C stops an answer; while a line is typed it is a key (line_input.cpp).
void catch_stop() {
  struct sigaction action {};
  action.sa_handler = [](int) { stop_asked = 1; };
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
}

double rate(int64_t tokens, double seconds) { return static_cast<double>(tokens) / std::max(seconds, 1e-9); }

class Session {
 public:
  Session(infer::Conversation& conversation, LineInput& input) : conversation_(conversation), input_(input) {}
  void loop() {
    while (!done_) {
      stop_asked = 0;
      const std::optional<LineInput::Message> message = input_.message();
      if (!message) return;
      const std::string& text = message->text;
      if (text.find_first_not_of(" \t\n") == text.npos) continue;
      try {
        if (text.starts_with('/') && !message->fenced)
          command(text);
        else
          answer([&](const auto& show) { return conversation_.say(text, show); });
      } catch (const Error& e) {
        // Who types can go on; what comes through a pipe cannot know.
        if (!input_.interactive()) throw;
        fmt::print(stderr, "{}\n", e.what());
      }
    }
  }

 private:
  template <class Ask>
  void answer(Ask ask) {
    const infer::Answer a = ask([](std::string_view text) {
      fmt::print("{}", text);
      std::fflush(stdout);
      return !stop_asked;
    });
    fmt::print("\n");
    std::fflush(stdout);
    const infer::Generation& g = a.generation;
    const std::string guessed =
        g.drafted > 0 ? fmt::format(" · {} of {} guesses came true", g.accepted, g.drafted) : "";
    const auto written = static_cast<int64_t>(g.ids.size());
    info("prompt {} tokens, {} of them computed at {:.1f} tok/s · answer {} tokens at {:.1f} tok/s{}",
         a.prompt_tokens, g.computed, rate(g.computed, g.prefill_seconds), written,
         rate(written, g.decode_seconds), guessed);
  }

  void command(const std::string& text) {
    const size_t space = std::min(text.find_first_of(" \t\n"), text.size());
    const std::string name = text.substr(0, space);
    const size_t begin = text.find_first_not_of(" \t\n", space);
    const std::string rest = begin == text.npos ? "" : text.substr(begin);
    if (name == "/system") {
      conversation_.set_system(rest);
    } else if (name == "/save") {
      SR_CHECK(!rest.empty(), "/save needs the name of a file");
      write_file(rest, conversation_.to_jsonl());
      info("{}: {} messages", rest, conversation_.messages().size());
    } else {
      SR_CHECK(rest.empty(), "{} takes nothing after it", name);
      plain_command(name);
    }
  }

  void plain_command(const std::string& name) {
    if (name == "/reset")
      conversation_.reset();
    else if (name == "/regen")
      answer([&](const auto& show) { return conversation_.again(show); });
    else if (name == "/help")
      fmt::print("{}", kHelp);
    else if (name == "/exit")
      done_ = true;
    else
      fail(ErrorCode::kInvalid, "there is no command '{}'; /help lists them", name);
  }

  infer::Conversation& conversation_;
  LineInput& input_;
  bool done_ = false;
};

void run(Args& a, const Globals& g) {
  a.sampling.over({});  // what is wrong is said before the model is read
  auto model = infer::LanguageModel::load(a.model, {.device = Device(g.device)});
  if (!a.chat_template.empty()) {
    model.settings.chat_template = read_file(a.chat_template);
    model.settings.chat_template_name = a.chat_template;
  }
  SR_CHECK(!model.settings.chat_template.empty(),
           "{} has no chat template, so it is no model to talk with; continue texts with suiren generate, or "
           "give a Jinja template with --template FILE",
           a.model);
  if (a.context > 0) model.transformer->set_context(a.context);
  set_cache_type(*model.transformer, a.cache_type);
  infer::ConversationOptions options{.stop = a.sampling.stop, .context = a.context};
  options.generate.max_tokens = a.max_tokens;
  options.generate.ignore_eos = a.ignore_eos;
  options.generate.speculate = a.speculate;
  options.generate.sampling = a.sampling.over(model.settings.sampling);
  options.generate.go_on = [] { return !stop_asked; };
  infer::Conversation conversation(model, std::move(options));
  conversation.set_system(a.system);
  LineInput input;
  if (input.interactive()) {
    catch_stop();
    info("{} · {} positions · /help lists the commands", a.model, model.transformer->positions());
  }
  Session(conversation, input).loop();
}

}  // namespace

void add_chat(CLI::App& app, Globals& g) {
  static Args a;
  CLI::App* c =
      add_command(app, "chat", "talk with a model",
                  "  suiren chat models/smollm2\n"
                  "  suiren chat models/smollm2 --system 'Answer in one sentence.' --temperature 0.7\n"
                  "  echo 'Why is the sky blue?' | suiren chat models/smollm2 --quiet");
  c->add_option("model", a.model, "a model folder or a GGUF file")->required();
  c->add_option("--system", a.system, "what the model is told before all else");
  c->add_option("--template", a.chat_template, "a chat template in Jinja, in place of the model's");
  c->add_option("--context", a.context, "tokens of the conversation at most (default: the model's positions)")
      ->check(CLI::PositiveNumber);
  c->add_option("--max-tokens", a.max_tokens, "tokens of an answer at most (default: what the context holds)")
      ->check(CLI::PositiveNumber);
  add_cache_option(*c, a.cache_type);
  c->add_option("--speculate", a.speculate, kSpeculateHelp)
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  c->add_flag("--ignore-eos", a.ignore_eos, "go on past the end token");
  add_sampling_options(*c, a.sampling);
  c->callback([&g] { g.run = [&g] { run(a, g); }; });
}

}  // namespace suiren::cli
