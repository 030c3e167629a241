#include "suiren/train/session.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "suiren/base/digest.h"
#include "suiren/base/file.h"
#include "suiren/base/interrupt.h"
#include "suiren/base/threads.h"
#include "suiren/core/autograd.h"
#include "suiren/core/backend.h"
#include "suiren/io/json.h"
#include "suiren/ops/accumulate/accumulate.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/full/full.h"
#include "suiren/ops/linear_cross_entropy/linear_cross_entropy.h"
#include "suiren/ops/reduce/reduce.h"
#include "suiren/ops/view/view.h"
#include "suiren/optim/clip.h"
#include "suiren/text/tokenizer.h"
#include "suiren/train/planner.h"

namespace suiren::train {
namespace {

std::string file_digest(const std::string& path) { return sha256(MappedFile(path).text()); }

// A model folder's tokenizer must be the one that the shards were made with.
void check_tokenizer(const TrainConfig& c, const DataSource& data) {
  const std::string path = c.init_from + "/tokenizer.json";
  if (c.init_from.empty() || data.tokenizer_digest.empty() || !std::filesystem::exists(path)) return;
  const std::string digest = text::Tokenizer::load(path).digest();
  SR_CHECK(digest == data.tokenizer_digest,
           "the shards in {} were made with another tokenizer ({:.12}) than {} ({:.12}); build them again "
           "with suiren data build --tokenizer {}",
           c.data.shards, data.tokenizer_digest, c.init_from, digest, path);
}

}  // namespace

std::vector<int32_t> holdout_stream(const data::Shards& shards) {
  const data::Tokens& held = *shards.holdout();
  std::vector<int32_t> stream(static_cast<size_t>(held.size()) + 1);
  stream[0] = static_cast<int32_t>(shards.end_id());
  held.read(0, std::span<int32_t>(stream).subspan(1));
  return stream;
}

DataSource open_data(const TrainConfig& c) {
  DataSource d;
  if (!c.data.tokens.empty()) {
    d.tokens = std::make_shared<data::Tokens>(data::Tokens::open(c.data.tokens));
    d.digest = file_digest(c.data.tokens);
    const std::string path = c.init_from + "/tokenizer.json";
    if (!c.init_from.empty() && std::filesystem::exists(path)) d.tokenizer = path;
    return d;
  }
  const data::Shards shards = data::Shards::open(c.data.shards);
  d.tokens = shards.train();
  d.digest = file_digest(c.data.shards + "/index.json");
  d.tokenizer = c.data.shards + "/tokenizer.json";
  d.tokenizer_digest = shards.tokenizer_digest();
  d.vocab_size = shards.vocab_size();
  d.end_token = shards.end_id();
  if (shards.holdout_counts().documents > 0) d.heldout = holdout_stream(shards);
  check_tokenizer(c, d);
  return d;
}

models::TransformerConfig model_config(const TrainConfig& c, const DataSource& data) {
  models::TransformerConfig m = c.init_from.empty() ? models::TransformerConfig::from_json(
                                                          io::parse_json(c.model_json, "model"), "model")
                                                    : models::TransformerConfig::load(c.init_from);
  if (data.end_token) {
    SR_CHECK(data.vocab_size <= m.vocab_size,
             "the tokenizer has {} tokens, the model only {}; set model.vocab_size to {} or more",
             data.vocab_size, m.vocab_size, data.vocab_size);
    m.bos_token_id = *data.end_token;
    m.eos_token_ids = {*data.end_token};
  } else if (c.init_from.empty()) {  // raw tokens say nothing of special ids; LlamaConfig's may lie beyond a
                                     // small vocabulary
    if (m.bos_token_id && *m.bos_token_id >= m.vocab_size) m.bos_token_id.reset();
    std::erase_if(m.eos_token_ids, [&](int64_t id) { return id >= m.vocab_size; });
  }
  m.validate();
  return m;
}

int64_t sequence_length(const TrainConfig& c, const models::TransformerConfig& m) {
  const int64_t T = c.data.sequence_length > 0 ? c.data.sequence_length : m.max_position_embeddings;
  SR_CHECK(T <= m.max_position_embeddings,
           "data.sequence_length is {}, longer than the model's {} positions; shorten it or raise "
           "model.max_position_embeddings",
           T, m.max_position_embeddings);
  return T;
}

data::Loader make_loader(const TrainConfig& c, const DataSource& d, const models::TransformerConfig& m) {
  return data::Loader(d.tokens, {.sequence_length = sequence_length(c, m),
                                 .order = data::parse_order(c.data.order),
                                 .seed = c.seed,
                                 .vocab_size = m.vocab_size,
                                 .sequences_per_step = c.sequences_per_step()});
}

std::unique_ptr<models::Transformer> make_model(const TrainConfig& c, const models::TransformerConfig& m) {
  const nn::Placement at{.device = Device(c.device)};
  if (!c.init_from.empty()) return models::Transformer::load(c.init_from, at);
  return std::make_unique<models::Transformer>(m, c.seed, at);
}

std::unique_ptr<optim::Optimizer> make_optimizer(const TrainConfig& c, models::Transformer& model) {
  const OptimizerConfig& o = c.optimizer;
  const optim::AdamWOptions adam{
      .beta1 = o.beta1, .beta2 = o.beta2, .eps = o.eps, .weight_decay = o.weight_decay};
  if (o.name == "sgd")
    return optim::sgd(model.named_parameters(),
                      {.momentum = o.momentum, .weight_decay = o.weight_decay, .nesterov = o.nesterov});
  if (o.name == "muon")
    return optim::muon(
        model.named_parameters(),
        {.momentum = o.momentum, .nesterov = o.nesterov, .weight_decay = o.weight_decay, .adamw = adam});
  return optim::adamw(model.named_parameters(), adam);
}

int optimizer_states(const TrainConfig& c) { return c.optimizer.name == "adamw" ? 2 : 1; }

optim::Schedule make_schedule(const TrainConfig& c, int64_t steps) {
  optim::Schedule s = c.schedule;
  s.kind = optim::Schedule::parse(c.schedule_name);
  s.lr = c.optimizer.lr;
  s.steps = steps;
  s.validate();
  return s;
}

StepRunner::StepRunner(const TrainConfig& config, models::Transformer& model, optim::Optimizer& optimizer,
                       const data::Loader& loader)
    : config_(config),
      model_(model),
      rounded_(config.precision == "bfloat16" ? model.placed({model.device(), kBF16}) : nullptr),
      optimizer_(optimizer),
      loader_(loader),
      together_(model.device().context().info().concurrent_stream
                    ? sequences_together(model.config(), loader.config().sequence_length,
                                         optimizer_states(config), config.sequences_per_step())
                    : 1),
      parameters_(worker().parameters()),
      head_(static_cast<size_t>(
          std::find_if(parameters_.begin(), parameters_.end(),
                       [&](const Tensor& p) { return p.storage() == worker().head_weight().storage(); }) -
          parameters_.begin())) {}

// Loss of one sequence as its share of the step's mean. Its gradients are added to `sums`, but for that of
// the head's products, which is added to `head` or, when that is undefined, becomes it; a head with a soft
// cap leaves it alone.
double StepRunner::sequence(int64_t index, Tensors& sums, Tensor& head) const {
  const int64_t T = loader_.config().sequence_length;
  const std::vector<int32_t> window = loader_.sequence(index);
  const std::span<const int32_t> ids(window);
  const Tensor inputs = Tensor::from(ids.first(static_cast<size_t>(T)), {1, T}, model_.device());
  const Tensor targets = Tensor::from(ids.subspan(1), {T}, model_.device());
  const double share = 1.0 / static_cast<double>(T * config_.sequences_per_step());
  if (!worker().linear_head()) {
    const Tensor loss = sum(worker().token_losses(inputs, reshape(targets, {1, T}))) * share;
    accumulate_gradients(loss, parameters_, sums);
    return loss.item();
  }
  const Tensor states =
      worker().head_input(reshape(worker().hidden(inputs), {T, model_.config().hidden_size}));
  Tensor losses, grad;
  {  // the loss is the end of the step: its gradient is formed with it, while the logits are there
    const NoGrad off;
    const Tensor shares = full({T}, share, kF32, model_.device()), &w = worker().head_weight();
    Tensors found;
    if (head.defined()) {
      found = linear_cross_entropy_accumulate(head, states, w, targets, shares);
    } else {
      found = linear_cross_entropy_gradients(states, w, targets, shares);
      head = found[2];
    }
    losses = found[0], grad = found[1];
  }
  accumulate_gradients(states, parameters_, sums, grad);
  return sum(losses).item() * share;
}

void StepRunner::add(size_t parameter, const Tensor& grad) {
  Tensor& s = sums_[parameter];
  if (!grad.defined()) return;
  if (s.defined())
    accumulate(s, grad);
  else
    s = cast(grad, kF32);
}

// One sequence, every op on all threads. Large gradients are not formed apart from their sums.
void StepRunner::alone(int64_t index, Step& step) {
  const bool large = large_gradients(model_.config());
  Tensor& own = sums_[head_];
  if (large && !own.defined()) own = Tensor::zeros({kF32, parameters_[head_].shape(), model_.device()});
  Tensor head = large ? own : Tensor();
  step.loss += sequence(index, sums_, head);
  for (Tensor& s : sums_)
    if (s.defined()) s = cast(s, kF32);
  const NoGrad off;
  if (!large) add(head_, head);
}

// As many sequences as threads, every op inside one. Their gradients are added in the order of the sequences:
// the bits are those of one after another.
void StepRunner::side_by_side(int64_t first, int64_t count, Step& step) {
  std::vector<Tensors> grads(static_cast<size_t>(count));
  Tensors heads(grads.size());
  std::vector<double> losses(grads.size());
  parallel_region([&](int thread, int threads) {
    for (int64_t i = thread; i < count; i += threads) {
      const auto at = static_cast<size_t>(i);
      losses[at] = sequence(first + i, grads[at], heads[at]);
    }
  });
  const NoGrad off;
  for (size_t i = 0; i < grads.size(); ++i) {
    step.loss += losses[i];
    for (size_t p = 0; p < sums_.size(); ++p) add(p, grads[i][p]);
    add(head_, heads[i]);
    grads[i].clear();
    heads[i] = Tensor();
  }
}

std::optional<StepRunner::Step> StepRunner::run(int64_t step, double lr) {
  sums_.assign(parameters_.size(), Tensor());
  const int64_t n = config_.sequences_per_step(), first = step * n;
  Step s{0, 0};
  for (int64_t i = 0; i < n; i += together_) {
    if (interrupted()) return std::nullopt;
    const int64_t count = std::min(together_, n - i);
    count == 1 ? alone(first + i, s) : side_by_side(first + i, count, s);
  }
  for (size_t p = 0; p < sums_.size(); ++p)
    if (!sums_[p].defined()) sums_[p] = Tensor::zeros({kF32, parameters_[p].shape(), model_.device()});
  s.grad_norm = optim::global_norm(sums_);
  SR_CHECK_AS(
      kNumeric, std::isfinite(s.loss) && std::isfinite(s.grad_norm),
      "{} is {} at step {} (sequences {} to {} of the data); nothing was updated. Lower optimizer.lr, "
      "or look at that data",
      std::isfinite(s.loss) ? "the gradient's norm" : "the loss",
      std::isfinite(s.loss) ? s.grad_norm : s.loss, step, first, first + n - 1);
  optimizer_.step(sums_, lr, optim::clip_coefficient(s.grad_norm, config_.optimizer.grad_clip));
  if (rounded_) rounded_->copy_from(model_);
  return s;
}

}  // namespace suiren::train
