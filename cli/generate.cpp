// suiren generate: a model continues a prompt.

#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>

#include "cli/command.h"
#include "cli/sampling.h"
#include "suiren/base/interrupt.h"
#include "suiren/infer/generate.h"
#include "suiren/infer/language_model.h"
#include "suiren/infer/text_stream.h"

namespace suiren::cli {
namespace {

struct Args {
  std::string model, prompt, ids, cache_type;
  bool has_prompt = false, no_bos = false;
  int64_t context = 0;
  SamplingArgs sampling;
  infer::GenerateOptions generate;
};

std::vector<int64_t> prompt_ids(const Args& a, const infer::LanguageModel& model) {
  if (!a.has_prompt) return parse_ids(a.ids);
  SR_CHECK(model.tokenizer, "{} has no tokenizer, which --prompt needs; use --ids", a.model);
  const std::vector<int64_t> ids = a.no_bos ? model.encode_rendered(a.prompt) : model.encode(a.prompt);
  SR_CHECK(!ids.empty(), "the prompt is empty, and nothing is put before it to begin with");
  return ids;
}

void print_json(const infer::Generation& out, const std::string* text, const Args& a) {
  nlohmann::json j{{"text", nullptr}, {"ids", out.ids}, {"finish_reason", out.finish_reason}};
  if (text) j["text"] = *text;
  if (a.generate.logprobs) j["logprobs"] = out.logprobs;
  if (a.generate.prompt_logprobs) j["prompt_logprobs"] = out.prompt_logprobs;
  if (a.generate.speculate > 0) j["drafted"] = out.drafted, j["accepted"] = out.accepted;
  // A text that ends inside a character is no UTF-8: the broken tail becomes U+FFFD.
  fmt::print("{}\n", j.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

// The continuation, shown as it comes unless it is to be JSON.
void write(const Args& a, const Globals& g, const infer::LanguageModel& model,
           const std::vector<int64_t>& ids) {
  std::optional<infer::TextStream> stream;
  const auto prompt = a.has_prompt ? std::span(ids) : std::span<const int64_t>();  // given ids are not shown
  if (model.tokenizer) stream.emplace(*model.tokenizer, a.sampling.stop, prompt);
  std::string text;
  bool prompt_due = stream && a.has_prompt;  // with the first token: a prompt that is refused prints nothing
  const auto show = [&](const std::string& more) {
    text += more;
    if (g.json || !stream) return;
    fmt::print("{}{}", prompt_due ? a.prompt : "", more);
    prompt_due = false;
    std::fflush(stdout);
  };
  const infer::Generation out = infer::generate(*model.transformer, ids, a.generate, [&](int64_t id) {
    if (stream) show(stream->push(id));
    return !(stream && stream->stopped()) && !interrupted();
  });
  if (stream) show(stream->finish());
  if (g.json)
    print_json(out, stream ? &text : nullptr, a);
  else if (stream)
    fmt::print("\n");
  else
    fmt::print("{}\n", fmt::join(out.ids, ","));
}

void run(Args& a, const Globals& g) {
  SR_CHECK(a.has_prompt != !a.ids.empty(), "give either --prompt S or --ids 1,2,3");
  SR_CHECK(g.json || !(a.generate.logprobs || a.generate.prompt_logprobs),
           "--logprobs and --prompt-logprobs need --json");
  a.sampling.over({});  // what is wrong is said before the model is read
  catch_interrupts();
  const auto model = infer::LanguageModel::load(a.model, {.device = Device(g.device)});
  SR_CHECK(model.tokenizer || a.sampling.stop.empty(), "{} has no tokenizer, which --stop needs", a.model);
  const std::vector<int64_t> ids = prompt_ids(a, model);
  constexpr int64_t kMost = int64_t{1} << 40;
  const int64_t wanted = static_cast<int64_t>(ids.size()) + std::min(a.generate.max_tokens, kMost);
  model.transformer->set_context(a.context > 0 ? a.context : wanted);
  set_cache_type(*model.transformer, a.cache_type);
  a.generate.eos_token_ids = model.end_tokens;
  a.generate.sampling = a.sampling.over(model.settings.sampling);
  write(a, g, model, ids);
  check_interrupt("the generation");
}

}  // namespace

void add_generate(CLI::App& app, Globals& g) {
  static Args a;
  CLI::App* c = add_command(
      app, "generate", "continue a prompt",
      "  suiren generate --model runs/quickstart-1/model --prompt $'春望\\n杜甫\\n國破山河在，'\n"
      "  suiren generate --model m --prompt 'Q: 1 + 1?' --stop Q: --temperature 0.7 --min-p 0.05\n"
      "  suiren generate --model m --ids 1,2,3 --max-tokens 20 --temperature 0 --json");
  c->add_option("--model", a.model, "a model folder or a GGUF file")->required();
  CLI::Option* prompt = c->add_option("--prompt", a.prompt, "text to continue");
  c->add_option("--ids", a.ids, "token ids to continue, with commas; nothing is added before them");
  c->add_option("--max-tokens", a.generate.max_tokens, "new tokens at most")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  c->add_option(
       "--context", a.context,
       "the length for which rotary positions are scaled, where that matters (default: the prompt and "
       "--max-tokens)")
      ->check(CLI::PositiveNumber);
  add_cache_option(*c, a.cache_type);
  c->add_option("--speculate", a.generate.speculate, kSpeculateHelp)
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  c->add_flag("--ignore-eos", a.generate.ignore_eos, "go on past the end token");
  c->add_flag("--no-bos", a.no_bos, "put nothing before --prompt");
  c->add_flag("--logprobs", a.generate.logprobs, "with --json: the log-probability of each new token");
  c->add_flag("--prompt-logprobs", a.generate.prompt_logprobs,
              "with --json: those of the prompt's, from the second on");
  add_sampling_options(*c, a.sampling);
  c->callback([&g, prompt] {
    a.has_prompt = prompt->count() > 0;
    g.run = [&g] { run(a, g); };
  });
}

}  // namespace suiren::cli
