#include "suiren/train/evaluate.h"

#include <algorithm>

#include "suiren/base/interrupt.h"
#include "suiren/core/autograd.h"

namespace suiren::train {
namespace {

// Nats of the targets in one window of n + 1 tokens. Losses are summed in f64 in their order.
double score(const models::Transformer& model, std::span<const int32_t> window) {
  const auto n = static_cast<int64_t>(window.size()) - 1;
  const Tensor ids = Tensor::from(window.first(static_cast<size_t>(n)), {1, n}, model.device());
  const Tensor targets = Tensor::from(window.subspan(1), {1, n}, model.device());
  double sum = 0;
  for (float loss : model.token_losses(ids, targets).to_vector<float>()) sum += loss;
  return sum;
}

void check_length(const models::Transformer& model, int64_t length) {
  const int64_t positions = model.positions();
  SR_CHECK(length >= 1 && length <= positions,
           "sequence length {} is out of range; the model has {} positions", length, positions);
}

}  // namespace

Evaluation evaluate_windows(const models::Transformer& model, const data::Tokens& tokens, int64_t length,
                            int64_t limit, const EvalProgress& progress) {
  check_length(model, length);
  int64_t windows = (tokens.size() - 1) / length;
  SR_CHECK(windows >= 1,
           "{} holds {} tokens, fewer than one window of {} + 1; give a smaller --sequence-length",
           tokens.name(), tokens.size(), length);
  if (limit > 0) windows = std::min(windows, limit);
  const NoGrad off;
  Evaluation e;
  std::vector<int32_t> window(static_cast<size_t>(length + 1));
  for (int64_t w = 0; w < windows; ++w) {
    check_interrupt("the evaluation");
    tokens.read(w * length, std::span<int32_t>(window));
    e.nats += score(model, window);
    e.tokens += length;
    if (progress) progress(e.tokens, windows * length);
  }
  return e;
}

Evaluation evaluate_stream(const models::Transformer& model, std::span<const int32_t> stream, int64_t length,
                           int64_t limit, const EvalProgress& progress) {
  check_length(model, length);
  SR_CHECK(stream.size() >= 2, "there is nothing to score: {} tokens", stream.size());
  const NoGrad off;
  Evaluation e;
  const auto n = static_cast<int64_t>(stream.size()),
             total = limit > 0 ? std::min(n - 1, limit * length) : n - 1;
  for (int64_t begin = 0; begin < total; begin += length) {
    check_interrupt("the evaluation");
    const int64_t targets = std::min(length, total - begin);
    e.nats += score(model, stream.subspan(static_cast<size_t>(begin), static_cast<size_t>(targets + 1)));
    e.tokens += targets;
    if (progress) progress(e.tokens, total);
  }
  return e;
}

}  // namespace suiren::train
