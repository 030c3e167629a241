// suiren eval: the loss of a model on text or tokens, or its logits.

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/sampling.h"
#include "suiren/base/interrupt.h"
#include "suiren/base/log.h"
#include "suiren/core/autograd.h"
#include "suiren/data/documents.h"
#include "suiren/data/shards.h"
#include "suiren/infer/language_model.h"
#include "suiren/io/npy.h"
#include "suiren/train/evaluate.h"
#include "suiren/train/progress.h"
#include "suiren/train/session.h"

namespace suiren::cli {
namespace {

struct Args {
  std::string model, tokens, shards, ids, logits_out, cache_type;
  std::vector<std::string> text;
  data::ImportOptions import;
  int64_t sequence_length = 0, limit = 0, context = 0;
};

struct Scored {
  train::Evaluation e;
  int64_t bytes = 0;  // of the documents; 0: unknown
};

train::EvalProgress show_progress(train::ProgressLine& line) {
  return [&line](int64_t done, int64_t total) {
    if (line.due())
      line.show(
          fmt::format("evaluation {}/{} tokens", train::format_count(done), train::format_count(total)));
  };
}

Scored score_text(const Args& a, const infer::LanguageModel& model, int64_t length,
                  const train::EvalProgress& progress) {
  SR_CHECK(model.tokenizer, "{} has no tokenizer, which --text needs; use --tokens", a.model);
  const auto& eos = model.transformer->config().eos_token_ids;
  SR_CHECK(!eos.empty(), "{} names no end token, which separates documents", a.model);
  const auto end = static_cast<int32_t>(eos.front());
  Scored s;
  std::vector<int32_t> stream{end};
  data::for_each_document(a.text, a.import, [&](std::string_view d) {
    s.bytes += static_cast<int64_t>(d.size());
    for (uint32_t id : model.tokenizer->encode(d, false)) stream.push_back(static_cast<int32_t>(id));
    stream.push_back(end);
  });
  s.e = train::evaluate_stream(*model.transformer, stream, length, a.limit, progress);
  if (s.e.tokens + 1 < static_cast<int64_t>(stream.size()))
    s.bytes = 0;  // --limit: the bytes scored are not known
  return s;
}

Scored score_shards(const Args& a, const infer::LanguageModel& model, int64_t length,
                    const train::EvalProgress& progress) {
  const data::Shards shards = data::Shards::open(a.shards);
  SR_CHECK(shards.holdout_counts().documents > 0, "{} holds nothing out; build it with --holdout 0.01",
           a.shards);
  if (model.tokenizer) {
    const std::string digest = model.tokenizer->digest();
    SR_CHECK(digest == shards.tokenizer_digest(),
             "{} was built with another tokenizer ({:.12}) than {} ({:.12}); build it again with suiren data "
             "build --tokenizer {}/tokenizer.json",
             a.shards, shards.tokenizer_digest(), a.model, digest, a.model);
  }
  const int64_t known = model.transformer->config().vocab_size;
  SR_CHECK(shards.vocab_size() <= known, "{} has ids up to {}, the model knows {}", a.shards,
           shards.vocab_size() - 1, known);
  Scored s;
  s.e = train::evaluate_stream(*model.transformer, train::holdout_stream(shards), length, a.limit, progress);
  if (s.e.tokens == shards.holdout_counts().tokens) s.bytes = shards.holdout_counts().bytes;
  return s;
}

Scored score_tokens(const Args& a, const models::Transformer& model, int64_t length,
                    const train::EvalProgress& progress) {
  const data::Tokens tokens = data::Tokens::open(a.tokens);
  tokens.check_ids(model.config().vocab_size);
  return {train::evaluate_windows(model, tokens, length, a.limit, progress), 0};
}

void write_logits(const Args& a, models::Transformer& model) {
  const std::vector<int64_t> ids = parse_ids(a.ids);
  model.set_context(a.context > 0 ? a.context : std::max<int64_t>(1, static_cast<int64_t>(ids.size())));
  const NoGrad off;
  const Tensor logits = model.logits(model.ids(ids));
  const int64_t shape[] = {static_cast<int64_t>(ids.size()), model.config().vocab_size};
  io::write_npy(a.logits_out, shape, logits.to_vector<float>());
}

void run(const Args& a, const Globals& g) {
  const int sources = !a.text.empty() + !a.tokens.empty() + !a.shards.empty() + !a.ids.empty();
  SR_CHECK(sources == 1, "give one of --text, --tokens, --shards, or --ids with --logits-out");
  SR_CHECK(a.ids.empty() == a.logits_out.empty(), "--ids and --logits-out go together");
  catch_interrupts();
  const infer::LanguageModel whole = infer::LanguageModel::load(a.model, {.device = Device(g.device)});
  models::Transformer* const model = whole.transformer.get();
  set_cache_type(*model, a.cache_type);
  if (!a.ids.empty()) return write_logits(a, *model);
  const int64_t length = a.sequence_length > 0 ? a.sequence_length : model->config().max_position_embeddings;
  model->set_context(a.context > 0 ? a.context : length);
  train::ProgressLine line;
  const auto progress = show_progress(line);
  const Scored s = !a.text.empty()     ? score_text(a, whole, length, progress)
                   : !a.shards.empty() ? score_shards(a, whole, length, progress)
                                       : score_tokens(a, *model, length, progress);
  line.finish();
  if (g.json) {
    nlohmann::json j{{"loss", s.e.loss()}, {"perplexity", std::exp(s.e.loss())}, {"tokens", s.e.tokens}};
    if (s.bytes > 0) j["bits_per_byte"] = s.e.bits_per_byte(s.bytes);
    fmt::print("{}\n", j.dump());
    return;
  }
  fmt::print("loss {:.4f} nats a token · perplexity {:.2f} · {} tokens", s.e.loss(), std::exp(s.e.loss()),
             train::format_count(s.e.tokens));
  if (s.bytes > 0) fmt::print(" · {:.4f} bits per byte", s.e.bits_per_byte(s.bytes));
  fmt::print("\n");
}

}  // namespace

void add_eval(CLI::App& app, Globals& g) {
  static Args a;
  CLI::App* c = add_command(app, "eval", "loss, perplexity and bits per byte of a model; or its logits",
                            "  suiren eval --model runs/a/model --text book.txt --json\n  suiren eval "
                            "--model runs/a/model --shards data/corpus\n"
                            "  suiren eval --model runs/a/model --ids 1,2,3 --logits-out logits.npy");
  c->add_option("--model", a.model, "a model folder or a GGUF file")->required();
  c->add_option("--text", a.text, "files and folders; every document is scored after an end token");
  add_import_options(*c, a.import);
  c->add_option("--tokens", a.tokens, "a raw .u16 or .u32 file");
  c->add_option("--shards", a.shards, "a folder made by suiren data build; its held-out part is scored");
  c->add_option("--sequence-length", a.sequence_length,
                "targets in a window (default: the model's positions)")
      ->check(CLI::PositiveNumber);
  c->add_option("--context", a.context,
                "the length for which rotary positions are scaled, where that matters (default: the ids, or "
                "--sequence-length)")
      ->check(CLI::PositiveNumber);
  add_cache_option(*c, a.cache_type);
  c->add_option("--limit", a.limit, "score so many windows only")->check(CLI::NonNegativeNumber);
  c->add_option("--ids", a.ids, "ids with commas, for --logits-out");
  c->add_option("--logits-out", a.logits_out, "write float32 [ids, vocabulary] as .npy");
  c->callback([&g] { g.run = [&g] { run(a, g); }; });
}

}  // namespace suiren::cli
