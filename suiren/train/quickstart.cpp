#include "suiren/train/quickstart.h"

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "backends/cpu/roof.h"
#include "suiren/base/cpu.h"
#include "suiren/base/file.h"
#include "suiren/base/interrupt.h"
#include "suiren/base/log.h"
#include "suiren/base/threads.h"
#include "suiren/data/shards.h"
#include "suiren/infer/generate.h"
#include "suiren/io/json.h"
#include "suiren/text/bpe_trainer.h"
#include "suiren/train/corpus.h"
#include "suiren/train/evaluate.h"
#include "suiren/train/planner.h"
#include "suiren/train/progress.h"
#include "suiren/train/report.h"
#include "suiren/train/session.h"
#include "suiren/train/trainer.h"

namespace suiren::train {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int64_t kVocabulary = 4096;
constexpr double kHoldout = 0.01;
constexpr double kUsualShare = 0.5;      // of the roof, that training reaches
constexpr double kTrainingShare = 0.96;  // of the minutes; the rest goes to held-out losses and checkpoints
const std::vector<std::string> kPoemPrompts = {"春望\n杜甫\n國破山河在，", "月下獨酌\n李白\n花間一壺酒，",
                                               "山居秋暝\n王維\n空山新雨後，"};

std::string free_output() {
  for (int i = 1;; ++i)
    if (const std::string path = fmt::format("runs/quickstart-{}", i); !fs::exists(path)) return path;
}

class Quickstart {
 public:
  explicit Quickstart(const QuickstartOptions& options)
      : options_(options), output_(options.output.empty() ? free_output() : options.output) {}
  void go();

 private:
  void find_text();
  text::Tokenizer train_tokenizer();
  void build(const text::Tokenizer& tokenizer);
  TrainConfig configure(int64_t vocab_size);
  void write_yaml(const TrainConfig& c) const;
  double evaluate(const models::Transformer& model);
  std::vector<SampleText> write_samples(const models::Transformer& model, const text::Tokenizer& tokenizer);
  std::vector<std::string> prompts_from_heldout(const text::Tokenizer& tokenizer) const;
  void closing(double bits_per_byte) const;
  std::string shards() const { return output_ + "/data"; }

  const QuickstartOptions& options_;
  const std::string output_;
  Corpus corpus_;
  double roof_ = 0;
};

void Quickstart::find_text() {
  if (options_.text.empty()) {
    corpus_ = fetch_poems();
  } else {
    corpus_.name = fmt::format("{}", fmt::join(options_.text, ", "));
    corpus_.inputs = options_.text;
    corpus_.import.json_template = options_.json_template;
  }
  corpus_.import.lossy = options_.lossy;
}

text::Tokenizer Quickstart::train_tokenizer() {
  const auto start = Clock::now();
  text::BpeTrainer trainer({.vocab_size = kVocabulary});
  ProgressLine progress;
  int64_t documents = 0, held_out = 0;
  data::for_each_document(corpus_.inputs, corpus_.import, [&](std::string_view d) {
    check_interrupt("quickstart");
    ++documents;
    if (data::is_held_out(d, kHoldout))
      ++held_out;
    else
      trainer.add_document(d);
    if (progress.due()) progress.show(fmt::format("corpus     {} documents read", format_count(documents)));
  });
  progress.finish(fmt::format("corpus     {} · {} documents, {:.1f} MB · {} held out", corpus_.name,
                              format_count(documents), static_cast<double>(trainer.bytes()) / 1e6,
                              format_count(held_out)));
  const double megabytes = static_cast<double>(trainer.bytes()) / 1e6;
  text::Tokenizer tokenizer = trainer.train();
  tokenizer.save(output_ + "/tokenizer.json");
  info("tokenizer  {} tokens from {:.1f} MB in {:.0f} s", format_count(tokenizer.vocab_size()), megabytes,
       std::chrono::duration<double>(Clock::now() - start).count());
  return tokenizer;
}

void Quickstart::build(const text::Tokenizer& tokenizer) {
  const auto start = Clock::now();
  const auto r = data::build_shards(
      tokenizer,
      {.inputs = corpus_.inputs, .import = corpus_.import, .holdout = kHoldout, .output = shards()});
  info("shards     {} tokens, {:.2f} bytes each · {} held out · {:.0f} s",
       format_short(static_cast<double>(r.train.tokens)),
       static_cast<double>(r.train.bytes) / static_cast<double>(r.train.tokens),
       format_short(static_cast<double>(r.holdout.tokens)),
       std::chrono::duration<double>(Clock::now() - start).count());
}

TrainConfig Quickstart::configure(int64_t vocab_size) {
  const QuickstartShape s = choose_shape(roof_ * 1e9 * kUsualShare * options_.minutes * 60);
  TrainConfig c;
  c.output = output_;
  c.device = options_.device;
  c.model_json = io::Json{
      {"model_type", "qwen3"},
      {"vocab_size", vocab_size},
      {"hidden_size", s.hidden},
      {"num_hidden_layers", s.layers},
      {"num_attention_heads", s.heads},
      {"num_key_value_heads", s.kv_heads},
      {"head_dim", s.hidden / s.heads},
      {"intermediate_size", s.intermediate},
      {"max_position_embeddings", s.sequence_length},
      {"tie_word_embeddings", true},
      {"rms_norm_eps", 1e-6},
      {"rope_theta",
       10000}}.dump();
  c.data.shards = shards();
  c.data.sequence_length = s.sequence_length;
  c.sequences = s.sequences;
  c.optimizer = {.name = "muon",
                 .lr = s.lr,
                 .beta1 = 0.9,
                 .beta2 = 0.95,
                 .eps = 1e-8,
                 .weight_decay = 0.1,
                 .grad_clip = 1.0};
  c.schedule_name = "wsd";
  c.steps = 1;
  const double step_seconds = measure_step_seconds(c);
  c.steps = std::max<int64_t>(4, static_cast<int64_t>(options_.minutes * 60 * kTrainingShare / step_seconds));
  c.schedule = {
      .warmup_steps = std::min<int64_t>(30, c.steps / 10), .decay_steps = c.steps / 2, .final_ratio = 0};
  c.eval_every = std::max<int64_t>(1, c.steps / 10);
  c.eval_sequences = 32;
  c.checkpoint_every = std::max<int64_t>(1, c.steps / 5);
  return c;
}

// The same run by hand: `suiren train --config RUN/config.yaml` goes on with it.
void Quickstart::write_yaml(const TrainConfig& c) const {
  const OptimizerConfig& o = c.optimizer;
  write_file(output_ + "/config.yaml",
             fmt::format("# Written by suiren quickstart. To go on after an interruption: suiren train "
                         "--config {0}/config.yaml\noutput: {0}\nmodel: {1}\n"
                         "data: {{shards: {2}, order: {3}, sequence_length: {4}}}\nbatch: {{sequences: {5}, "
                         "accumulate: {6}}}\nsteps: {7}\n"
                         "optimizer: {{name: {8}, lr: {9}, betas: [{10}, {11}], eps: {12}, weight_decay: "
                         "{13}, grad_clip: {14}, momentum: {15}}}\n"
                         "schedule: {{name: {16}, warmup_steps: {17}, decay_steps: {18}, final_ratio: "
                         "{19}}}\nprecision: {20}\nseed: {21}\n"
                         "checkpoint: {{every: {22}, keep: {23}}}\neval: {{every: {24}, sequences: {25}}}\n",
                         c.output, c.model_json, c.data.shards, c.data.order, c.data.sequence_length,
                         c.sequences, c.accumulate, c.steps, o.name, o.lr, o.beta1, o.beta2, o.eps,
                         o.weight_decay, o.grad_clip, o.momentum, c.schedule_name, c.schedule.warmup_steps,
                         c.schedule.decay_steps, c.schedule.final_ratio, c.precision, c.seed,
                         c.checkpoint_every, c.checkpoint_keep, c.eval_every, c.eval_sequences));
}

double Quickstart::evaluate(const models::Transformer& model) {
  const data::Shards s = data::Shards::open(shards());
  ProgressLine progress;
  const Evaluation e = evaluate_stream(
      model, holdout_stream(s), model.config().max_position_embeddings, 0, [&](int64_t done, int64_t total) {
        if (progress.due())
          progress.show(
              fmt::format("evaluation {}/{} held-out tokens", format_count(done), format_count(total)));
      });
  const double bits = e.bits_per_byte(s.holdout_counts().bytes);
  progress.finish(fmt::format("held-out   {:.3f} nats a token, {:.3f} bits per byte over {} tokens", e.loss(),
                              bits, format_count(e.tokens)));
  return bits;
}

// The opening line or so of some held-out documents: the user's own text, unseen in training.
std::vector<std::string> Quickstart::prompts_from_heldout(const text::Tokenizer& tokenizer) const {
  const data::Shards s = data::Shards::open(shards());
  std::vector<std::string> prompts;
  for (int64_t i = 0; i < s.holdout_counts().documents && prompts.size() < 3; ++i) {
    const auto [begin, end] = s.holdout_document(i);
    std::vector<uint32_t> ids(static_cast<size_t>(std::min<int64_t>(end - begin - 1, 12)));
    if (ids.size() < 6) continue;
    s.holdout()->read(begin, std::span<uint32_t>(ids));
    prompts.push_back(tokenizer.decode(ids));
  }
  return prompts;
}

std::vector<SampleText> Quickstart::write_samples(const models::Transformer& model,
                                                  const text::Tokenizer& tokenizer) {
  std::vector<std::string> prompts = options_.prompts;
  if (prompts.empty()) prompts = options_.text.empty() ? kPoemPrompts : prompts_from_heldout(tokenizer);
  std::vector<SampleText> samples;
  for (const std::string& prompt : prompts) {
    std::vector<int64_t> ids;
    if (model.config().bos_token_id) ids.push_back(*model.config().bos_token_id);
    for (uint32_t id : tokenizer.encode(prompt, false)) ids.push_back(id);
    infer::GenerateOptions g{
        .max_tokens = std::max<int64_t>(1, std::min<int64_t>(120, model.config().max_position_embeddings -
                                                                      static_cast<int64_t>(ids.size()))),
        .sampling = {.temperature = 0.8, .top_k = 50, .top_p = 0.95, .seed = 7},
        .ignore_eos = false,
        .eos_token_ids = model.config().eos_token_ids};
    const infer::Generation out = infer::generate(model, ids, g);
    samples.push_back(
        {prompt, tokenizer.decode(std::vector<uint32_t>(out.ids.begin(), out.ids.end()), true)});
    fmt::print("\n{}{}\n", samples.back().prompt, samples.back().text);
  }
  fmt::print("\n");
  std::fflush(stdout);
  return samples;
}

void Quickstart::closing(double bits) const {
  const std::string prompt = options_.text.empty() ? "靜夜思\\n李白\\n" : "...";
  info(
      "made       a model of {:.2f} bits per byte in {}/model (Hugging Face layout), its report in "
      "{}/report.html",
      bits, output_, output_);
  std::error_code unknown;
  const fs::path self = fs::read_symlink("/proc/self/exe", unknown);
  const std::string program = unknown ? "suiren" : fs::proximate(self, unknown).string();
  info("next       {} generate --model {}/model --prompt $'{}' --temperature 0.8", program, output_, prompt);
  info("           {} eval --model {}/model --shards {}/data --json", program, output_, output_);
  info("           {} quickstart --minutes 30{}", program,
       options_.text.empty() ? "" : fmt::format(" --text {}", fmt::join(options_.text, " ")));
}

void Quickstart::go() {
  SR_CHECK(options_.minutes > 0 && options_.minutes <= 1e5, "--minutes is {}, expected more than 0",
           options_.minutes);
  SR_CHECK(!fs::exists(output_ + "/run.json"), "{} already holds a run; give another --output", output_);
  make_directories(output_);
  roof_ = cpu::measure_fma_peak_f32();
  info("suiren {} · {} · roof {:.0f} GFLOP/s, {:.0f} GB/s", SUIREN_VERSION, machine_line(), roof_,
       cpu::measure_dram_read());
  find_text();
  const text::Tokenizer tokenizer = train_tokenizer();
  build(tokenizer);
  const TrainConfig config = configure(tokenizer.vocab_size());
  write_yaml(config);
  train(config, {.resume = "never", .roof_gflops = roof_});
  const auto model = models::Transformer::load(output_ + "/model", {.device = Device(options_.device)});
  const double bits = evaluate(*model);
  const auto samples = write_samples(*model, tokenizer);
  write_report(output_, samples, {{"held-out bits per byte · 每字节比特", fmt::format("{:.3f}", bits)}});
  closing(bits);
}

}  // namespace

QuickstartShape choose_shape(double flops) {
  // Found on two cores (docs/decisions/0006-quickstart-defaults.md); each row serves from its budget on.
  struct Row {
    double flops;
    QuickstartShape shape;
  };
  static const Row rows[] = {
      {0, {128, 4, 2, 2, 352, 256, 2, 4e-3}},  // a minute or less on two cores
      {1e13, {192, 4, 3, 3, 512, 256, 4, 3e-3}},
      {2e13, {256, 4, 4, 4, 704, 256, 4, 2e-3}},      // five minutes
      {2e14, {384, 6, 6, 6, 1024, 256, 8, 2e-3}},     // half an hour
      {2e15, {512, 8, 8, 8, 1408, 256, 16, 1.5e-3}},  // five hours
  };
  const Row* best = rows;
  for (const Row& r : rows)
    if (flops >= r.flops) best = &r;
  return best->shape;
}

void quickstart(const QuickstartOptions& options) {
  catch_interrupts();
  Quickstart(options).go();
}

}  // namespace suiren::train
