// suiren generate: a model continues a prompt.

#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/command.h"
#include "suiren/base/interrupt.h"
#include "suiren/infer/generate.h"
#include "suiren/text/tokenizer.h"

namespace suiren::cli {
namespace {

struct Args {
  std::string model, prompt, ids;
  bool has_prompt = false, no_bos = false;
  int64_t context = 0;
  infer::GenerateOptions generate;
};

std::vector<int64_t> prompt_ids(const Args& a, const models::Transformer& model,
                                const std::optional<text::Tokenizer>& tokenizer) {
  if (!a.has_prompt) return parse_ids(a.ids);
  SR_CHECK(tokenizer, "{} has no tokenizer.json, which --prompt needs; use --ids", a.model);
  std::vector<int64_t> ids;
  if (!a.no_bos && model.config().bos_token_id) ids.push_back(*model.config().bos_token_id);
  for (uint32_t id : tokenizer->encode(a.prompt)) ids.push_back(id);
  SR_CHECK(!ids.empty(), "the prompt is empty, and --no-bos leaves nothing to begin with");
  return ids;
}

void print_json(const infer::Generation& out, const std::optional<text::Tokenizer>& tokenizer) {
  nlohmann::json j{{"text", nullptr}, {"ids", out.ids}, {"finish_reason", out.finish_reason}};
  if (tokenizer) j["text"] = tokenizer->decode(std::vector<uint32_t>(out.ids.begin(), out.ids.end()), true);
  // A text that ends inside a character is no UTF-8: the broken tail becomes U+FFFD.
  fmt::print("{}\n", j.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

void run(Args& a, const Globals& g) {
  SR_CHECK(a.has_prompt != !a.ids.empty(), "give either --prompt S or --ids 1,2,3");
  a.generate.sampling.validate();
  catch_interrupts();
  const auto model = models::Transformer::load(a.model, {.device = Device(g.device)});
  std::optional<text::Tokenizer> tokenizer;
  if (std::filesystem::exists(a.model + "/tokenizer.json")) tokenizer = text::Tokenizer::load(a.model);
  const std::vector<int64_t> ids = prompt_ids(a, *model, tokenizer);
  constexpr int64_t kMost = int64_t{1} << 40;
  const int64_t wanted = static_cast<int64_t>(ids.size()) + std::min(a.generate.max_tokens, kMost);
  model->set_context(a.context > 0 ? a.context : wanted);
  a.generate.eos_token_ids = infer::end_tokens(a.model, model->config());
  std::optional<text::StreamDecoder> stream;
  if (!g.json && tokenizer) stream.emplace(*tokenizer);
  bool prompt_due =
      stream && a.has_prompt;  // shown with the first token: a prompt that is refused prints nothing
  const infer::Generation out = infer::generate(*model, ids, a.generate, [&](int64_t id) {
    if (stream) {
      fmt::print("{}{}", prompt_due ? a.prompt : "", stream->push(static_cast<uint32_t>(id)));
      prompt_due = false;
      std::fflush(stdout);
    }
    return !interrupted();
  });
  if (prompt_due) fmt::print("{}", a.prompt);
  if (g.json)
    print_json(out, tokenizer);
  else if (stream)
    fmt::print("{}\n", stream->finish());
  else
    fmt::print("{}\n", fmt::join(out.ids, ","));
  check_interrupt("the generation");
}

}  // namespace

void add_generate(CLI::App& app, Globals& g) {
  static Args a;
  CLI::App* c =
      add_command(app, "generate", "continue a prompt",
                  "  suiren generate --model runs/quickstart-1/model --prompt $'春望\\n杜甫\\n國破山河在，'\n"
                  "  suiren generate --model m --ids 1,2,3 --max-tokens 20 --temperature 0 --json");
  c->add_option("--model", a.model, "a model folder")->required();
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
  c->add_option("--temperature", a.generate.sampling.temperature, "0 takes the likeliest token")
      ->capture_default_str();
  c->add_option("--top-k", a.generate.sampling.top_k, "keep the k likeliest (0: all)")->capture_default_str();
  c->add_option("--top-p", a.generate.sampling.top_p, "keep the likeliest whose probabilities reach p")
      ->capture_default_str();
  c->add_option("--seed", a.generate.sampling.seed, "equal seeds give equal texts")->capture_default_str();
  c->add_flag("--ignore-eos", a.generate.ignore_eos, "go on past the end token");
  c->add_flag("--no-bos", a.no_bos, "put nothing before --prompt");
  c->callback([&g, prompt] {
    a.has_prompt = prompt->count() > 0;
    g.run = [&g] { run(a, g); };
  });
}

}  // namespace suiren::cli
