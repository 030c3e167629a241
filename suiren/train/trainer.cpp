#include "suiren/train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "backends/cpu/roof.h"
#include "suiren/base/cpu.h"
#include "suiren/base/file.h"
#include "suiren/base/interrupt.h"
#include "suiren/base/log.h"
#include "suiren/base/threads.h"
#include "suiren/io/json.h"
#include "suiren/train/checkpoint.h"
#include "suiren/train/evaluate.h"
#include "suiren/train/model_folder.h"
#include "suiren/train/planner.h"
#include "suiren/train/profiled_steps.h"
#include "suiren/train/progress.h"
#include "suiren/train/report.h"
#include "suiren/train/run_directory.h"
#include "suiren/train/session.h"
#include "suiren/train/tensorboard.h"

namespace suiren::train {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// One run from its folder's lock to its report.
class Run {
 public:
  Run(const TrainConfig& config, const TrainOptions& options)
      : config_(config),
        options_(options),
        start_(Clock::now()),
        folder_(config.output),
        data_(open_data(config)),
        shape_(model_config(config, data_)),
        loader_(make_loader(config, data_, shape_)) {
    tokens_per_step_ = config.sequences_per_step() * loader_.config().sequence_length;
  }
  TrainResult go();

 private:
  std::optional<Checkpoint> find_checkpoint();
  void check_unchanged(const RunRecord& before) const;
  void begin(const std::optional<Checkpoint>& from);
  void fix_steps();
  void restore(const Checkpoint& from);
  void loop();
  std::optional<StepRunner::Step> one_step(double lr);
  void end_profile();
  LogRow step_row(const StepRunner::Step& s, double lr, double seconds);
  void after_step(LogRow row);
  void save();
  void finish();
  std::string line(const LogRow& row) const;

  const TrainConfig& config_;
  const TrainOptions& options_;
  Clock::time_point start_;
  RunDirectory folder_;
  DataSource data_;
  models::TransformerConfig shape_;
  data::Loader loader_;
  std::unique_ptr<models::Transformer> model_;
  std::unique_ptr<optim::Optimizer> optimizer_;
  std::unique_ptr<StepRunner> runner_;
  std::unique_ptr<ProfiledSteps> profile_;  // until its last step is done
  std::optional<LogFile> log_;
  std::optional<TensorBoardWriter> board_;
  RunRecord record_;
  ProgressLine progress_;
  std::vector<double> losses_;
  double speed_ = 0;  // tokens a second, smoothed
  int64_t step_ = 0, saved_ = -1, first_step_ = 0, tokens_per_step_ = 0;
  TrainResult result_;
};

// Which checkpoint to go on from; none: start anew. Throws where the folder's run must not be touched.
std::optional<Checkpoint> Run::find_checkpoint() {
  const bool has_run = folder_.has_run();
  if (options_.resume == "never") {
    SR_CHECK(!has_run, "{} already holds a run; give another output, or let it go on with --resume auto",
             config_.output);
    return std::nullopt;
  }
  if (has_run) record_ = folder_.read_record();
  if (options_.resume == "auto") {
    auto latest = load_latest(config_.output);
    // With nothing to go on from, the run starts anew, whatever was asked for before.
    if (has_run && (latest || record_.finished)) check_unchanged(record_);
    return latest;
  }
  if (has_run && record_.finished) check_unchanged(record_);
  const std::string& from = options_.resume;
  SR_CHECK(std::filesystem::is_directory(from),
           "--resume {}: there is no such folder; expected auto, never, a run or a checkpoint", from);
  if (std::filesystem::exists(from + "/manifest.json")) return load_checkpoint(from);
  const auto steps = list_checkpoints(from);
  SR_CHECK(!steps.empty(), "--resume {}: it holds no checkpoint", from);
  return load_checkpoint(checkpoint_path(from, steps.back()));
}

void Run::check_unchanged(const RunRecord& before) const {
  auto changes = changed_settings(before.settings, settings_of(config_));
  if (before.data_digest != data_.digest) changes.push_back("the data itself: its digest differs");
  SR_CHECK(changes.empty(),
           "{} holds a run with other settings; give another output, or undo these changes:\n  {}",
           config_.output, fmt::join(changes, "\n  "));
}

void Run::fix_steps() {
  record_ = {.settings = settings_of(config_),
             .steps = config_.steps,
             .sequence_length = loader_.config().sequence_length,
             .parameters = shape_.parameter_count(),
             .data_digest = data_.digest,
             .machine = machine_line(),
             .roof_gflops = options_.roof_gflops > 0 ? options_.roof_gflops : cpu::measure_fma_peak_f32(),
             .finished = false};
  if (config_.minutes > 0) {
    const double step_seconds = measure_step_seconds(config_);
    record_.steps = std::max<int64_t>(
        1, static_cast<int64_t>((config_.minutes * 60 - seconds_since(start_)) / step_seconds));
    info("a step takes {:.3f} s here, so {} minutes are {} steps", step_seconds, config_.minutes,
         format_count(record_.steps));
  }
  make_schedule(config_, record_.steps);  // refuses a warm-up longer than the run before anything is written
}

void Run::restore(const Checkpoint& from) {
  const io::Json state = io::parse_json(from.state, "state.json");
  step_ = from.step;
  SR_CHECK(step_ <= record_.steps, "the checkpoint is at step {}, the run has {} steps", step_,
           record_.steps);
  auto changes = std::vector<std::string>{};
  Settings before;
  for (const auto& [key, value] : state.at("settings").items())
    before.emplace_back(key, value.get<std::string>());
  changes = changed_settings(before, settings_of(config_));
  SR_CHECK(changes.empty(), "the checkpoint was made with other settings:\n  {}", fmt::join(changes, "\n  "));
  restore_parameters(*model_, from.model);
  optimizer_->load_state_dict(from.optimizer, step_);
  info("resuming {} at step {} of {}", config_.output, format_count(step_), format_count(record_.steps));
}

void Run::begin(const std::optional<Checkpoint>& from) {
  const int64_t T = loader_.config().sequence_length;
  if (Device(config_.device).is_cpu())
    check_memory(
        plan_memory(shape_, T, optimizer_states(config_),
                    sequences_together(shape_, T, optimizer_states(config_), config_.sequences_per_step())));
  if (!folder_.has_run() || !from) {
    fix_steps();
    folder_.write_record(record_);
    if (!options_.settings_file.empty())
      write_file(config_.output + "/config.yaml", read_file(options_.settings_file));
  }
  model_ = make_model(config_, shape_);
  optimizer_ = make_optimizer(config_, *model_);
  if (from) restore(*from);
  if (config_.precision == "bfloat16" && Device(config_.device).is_cpu() && !cpu_info().has("avx512_bf16") &&
      !cpu_info().has("amx_bf16"))
    warn("precision: bfloat16 on a CPU without bf16 units; float32 is faster here");
  runner_ = std::make_unique<StepRunner>(config_, *model_, *optimizer_, loader_);
  if (options_.profile.on)
    profile_ = std::make_unique<ProfiledSteps>(
        options_.profile,
        options_.profile.trace.empty() ? config_.output + "/profile.json" : options_.profile.trace,
        model_->device());
  log_.emplace(config_.output + "/log.jsonl", step_);
  board_.emplace(config_.output + "/tensorboard");
  for (const LogRow& r : read_log(config_.output + "/log.jsonl")) losses_.push_back(r.loss);
  first_step_ = saved_ = step_;
  if (!from) saved_ = -1;
  info(
      "model      {} parameters (hidden {}, {} layers, {} heads, vocabulary {}) · {} tokens a step · {} "
      "tokens of data",
      format_short(static_cast<double>(record_.parameters)), shape_.hidden_size, shape_.num_hidden_layers,
      shape_.num_attention_heads, format_count(shape_.vocab_size), format_count(tokens_per_step_),
      format_short(static_cast<double>(data_.tokens->size())));
}

LogRow Run::step_row(const StepRunner::Step& s, double lr, double seconds) {
  const double rate = static_cast<double>(tokens_per_step_) / seconds;
  speed_ = speed_ > 0 ? speed_ + 0.1 * (rate - speed_) : rate;
  losses_.push_back(s.loss);
  return {.step = step_,
          .loss = s.loss,
          .grad_norm = s.grad_norm,
          .lr = lr,
          .tokens = (step_ + 1) * tokens_per_step_,
          .tokens_per_second = rate};
}

std::string Run::line(const LogRow& r) const {
  const double share = speed_ * training_flops_per_token(shape_, loader_.config().sequence_length) /
                       (record_.roof_gflops * 1e9);
  const double left = static_cast<double>((record_.steps - step_) * tokens_per_step_) / speed_;
  std::string text = fmt::format("training   {}  step {}/{}  loss {:.3f}", sparkline(losses_, 12),
                                 format_count(step_), format_count(record_.steps), r.loss);
  if (result_.heldout_loss >= 0) text += fmt::format("  held-out {:.3f}", result_.heldout_loss);
  return text + fmt::format("  {} tok/s  {:.0f}% of roof  {}  {} left",
                            format_count(static_cast<int64_t>(speed_)), 100 * share,
                            format_bytes(static_cast<double>(memory_resident())), format_duration(left));
}

// Evaluation, log, checkpoint; in that order, so that a checkpoint never knows more than the log.
void Run::after_step(LogRow row) {
  ++step_;
  const bool last = step_ == record_.steps;
  if (!data_.heldout.empty() && config_.eval_every > 0 && (last || step_ % config_.eval_every == 0)) {
    row.heldout_loss =
        evaluate_stream(*model_, data_.heldout, loader_.config().sequence_length, config_.eval_sequences)
            .loss();
    result_.heldout_loss = row.heldout_loss;
  }
  log_->append(row);
  std::vector<std::pair<std::string, double>> scalars{{"loss", row.loss},
                                                      {"grad_norm", row.grad_norm},
                                                      {"lr", row.lr},
                                                      {"tokens_per_second", row.tokens_per_second}};
  if (row.heldout_loss >= 0) scalars.emplace_back("heldout_loss", row.heldout_loss);
  board_->scalars(row.step, scalars);
  if (progress_.due()) progress_.show(line(row));
  if (!last && config_.checkpoint_every > 0 && step_ % config_.checkpoint_every == 0) save();
  result_.loss = row.loss;
}

void Run::save() {
  if (saved_ == step_) return;
  Checkpoint c;
  c.step = step_;
  for (const auto& [name, t] : model_->named_parameters()) c.model.emplace_back(name, *t);
  c.optimizer = optimizer_->state_dict();
  io::Json settings = io::Json::object();
  for (const auto& [key, value] : settings_of(config_)) settings[key] = value;
  // The data position and every random number follow from the step: nothing else needs to be kept.
  c.state = io::Json{{"step", step_},
                     {"next_sequence", step_ * config_.sequences_per_step()},
                     {"tokens", step_ * tokens_per_step_},
                     {"seed", config_.seed},
                     {"steps", record_.steps},
                     {"settings", settings}}
                .dump(1) +
            "\n";
  save_checkpoint(config_.output, c, config_.checkpoint_keep);
  saved_ = step_;
}

std::optional<StepRunner::Step> Run::one_step(double lr) {
  if (!profile_) return runner_->run(step_, lr);
  std::optional<StepRunner::Step> done;
  {
    const auto watch = profile_->watch(step_);
    done = runner_->run(step_, lr);
  }
  if (profile_->complete()) end_profile();
  return done;
}

void Run::end_profile() {
  if (!profile_) return;
  progress_.finish();
  profile_->end();
  profile_.reset();
}

void Run::loop() {
  const optim::Schedule schedule = make_schedule(config_, record_.steps);
  while (step_ < record_.steps) {
    const auto begin = Clock::now();
    const double lr = schedule.at(step_);
    const auto done = one_step(lr);
    if (!done || interrupted()) {
      if (done) after_step(step_row(*done, lr, seconds_since(begin)));
      if (step_ == record_.steps) break;
      save();
      end_profile();
      progress_.finish();
      fail(ErrorCode::kInterrupted,
           "stopped at step {} of {}, all saved; the same command goes on from there", step_, record_.steps);
    }
    after_step(step_row(*done, lr, seconds_since(begin)));
  }
  end_profile();
}

void Run::finish() {
  if (config_.checkpoint_every > 0) save();
  write_model_folder(config_.output + "/model", *model_, data_.tokenizer);
  record_.finished = true;
  folder_.write_record(record_);
  write_report(config_.output, {});
}

TrainResult Run::go() {
  const auto from = find_checkpoint();
  if (record_.finished && folder_.has_run()) {
    info("{} is finished: {} steps; its model is in {}/model", config_.output, record_.steps, config_.output);
    result_.already_finished = true;
    result_.steps = record_.steps;
    return result_;
  }
  begin(from);
  const auto loop_start = Clock::now();
  reset_fallback_ledger();
  loop();
  result_.seconds = seconds_since(loop_start);
  result_.fallbacks = fallback_ledger();
  std::stable_sort(result_.fallbacks.begin(), result_.fallbacks.end(),
                   [](const Fallback& a, const Fallback& b) { return a.milliseconds > b.milliseconds; });
  result_.steps = step_;
  result_.tokens = step_ * tokens_per_step_;
  result_.tokens_per_second =
      static_cast<double>((step_ - first_step_) * tokens_per_step_) / std::max(result_.seconds, 1e-9);
  finish();
  progress_.finish(
      fmt::format("trained    {} steps, {} tokens in {} · {} tok/s · loss {:.4f}{}", format_count(step_),
                  format_count(result_.tokens), format_duration(result_.seconds),
                  format_count(static_cast<int64_t>(result_.tokens_per_second)), result_.loss,
                  result_.heldout_loss >= 0 ? fmt::format(" · held-out {:.4f}", result_.heldout_loss) : ""));
  return result_;
}

}  // namespace

TrainResult train(const TrainConfig& config, const TrainOptions& options) {
  catch_interrupts();
  return Run(config, options).go();
}

std::string machine_line() {
  return fmt::format("{}, {} threads, {}", cpu_info().model, thread_count(), isa_name(isa()));
}

double measure_step_seconds(const TrainConfig& config) {
  const DataSource data = open_data(config);
  const auto shape = model_config(config, data);
  const auto loader = make_loader(config, data, shape);
  const auto model = make_model(config, shape);
  const auto optimizer = make_optimizer(config, *model);
  StepRunner runner(config, *model, *optimizer, loader);
  runner.run(0, 0);  // the first step pays for memory and caches
  const auto start = Clock::now();
  int64_t steps = 0;
  while (steps < 2 || (seconds_since(start) < 4 && steps < 50)) {
    check_interrupt("the measurement");
    runner.run(++steps, 0);
  }
  return seconds_since(start) / static_cast<double>(steps);
}

void describe_run(const TrainConfig& config, const TrainOptions& options) {
  const DataSource data = open_data(config);
  const auto shape = model_config(config, data);
  const auto loader = make_loader(config, data, shape);
  const int64_t T = loader.config().sequence_length, per_step = T * config.sequences_per_step();
  const int64_t together =
      sequences_together(shape, T, optimizer_states(config), config.sequences_per_step());
  const MemoryPlan plan = plan_memory(shape, T, optimizer_states(config), together);
  const auto size = [](int64_t b) { return format_bytes(static_cast<double>(b)); };
  const double step_seconds = measure_step_seconds(config);
  const int64_t steps = config.minutes > 0
                            ? std::max<int64_t>(1, static_cast<int64_t>(config.minutes * 60 / step_seconds))
                            : config.steps;
  make_schedule(config, steps);
  fmt::print("machine    {}\n", machine_line());
  fmt::print(
      "model      {} · {} parameters · hidden {} · layers {} · heads {} ({} for keys) · intermediate {} · "
      "vocabulary {}{}\n",
      shape.model_type, format_count(shape.parameter_count()), shape.hidden_size, shape.num_hidden_layers,
      shape.num_attention_heads, shape.num_key_value_heads, shape.intermediate_size, shape.vocab_size,
      shape.tie_word_embeddings ? " tied" : "");
  fmt::print(
      "tokens     {} in the data · {} a step ({} x {} sequences of {}) · {} in all, {:.2f} times the data\n",
      format_count(data.tokens->size()), format_count(per_step), config.sequences, config.accumulate, T,
      format_count(per_step * steps),
      static_cast<double>(per_step * steps) / static_cast<double>(data.tokens->size()));
  fmt::print(
      "memory     {} = weights {} + gradients {} + optimizer {} + packed weights {} + {} sequences in flight "
      "{} · {} "
      "free\n",
      size(plan.total()), size(plan.weights), size(plan.gradients), size(plan.optimizer), size(plan.packed),
      together, size(plan.activations), size(memory_available()));
  fmt::print("time       {:.3f} s a step, measured · {} steps · {}\n", step_seconds, format_count(steps),
             format_duration(step_seconds * static_cast<double>(steps)));
  fmt::print("output     {}{}\n", config.output,
             options.resume == "never" ? "" : " (goes on if a run is there)");
  check_memory(plan);
}

}  // namespace suiren::train
