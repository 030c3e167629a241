#include "suiren/models/moe.h"

#include <limits>

#include "suiren/core/autograd.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/compare/compare.h"
#include "suiren/ops/concat/concat.h"
#include "suiren/ops/full/full.h"
#include "suiren/ops/gather/gather.h"
#include "suiren/ops/reduce/reduce.h"
#include "suiren/ops/scatter/scatter.h"
#include "suiren/ops/softmax/softmax.h"
#include "suiren/ops/sort/sort.h"
#include "suiren/ops/unary/unary.h"
#include "suiren/ops/view/view.h"
#include "suiren/ops/where/where.h"

namespace suiren::models {

Moe::Moe(const TransformerConfig& c, const nn::Placement& at)
    : shape_(c.moe), router_(c.hidden_size, c.moe.experts, c.moe.bias, at) {
  add_child("gate", router_);
  if (shape_.choice_bias)  // trained by another rule than gradients (Wang et al. 2024): a buffer
    add_buffer("gate.e_score_correction_bias", choice_bias_, {shape_.experts}, nn::Init::kZeros, at);
  for (int64_t e = 0; e < shape_.experts; ++e) {
    experts_.push_back(std::make_unique<Mlp>(c, shape_.intermediate_size, shape_.bias, at));
    add_child(fmt::format("experts.{}", e), *experts_.back());
  }
  if (shape_.shared_intermediate_size)
    add_child("shared_experts", shared_.emplace(c, shape_.shared_intermediate_size, c.mlp_bias, at));
  if (shape_.shared_gate) add_child("shared_expert_gate", shared_gate_.emplace(c.hidden_size, 1, false, at));
}

Tensor Moe::operator()(const Tensor& x) const {
  const Tensor rows = reshape(x, {-1, x.dim(-1)});
  Tensor y = mix(rows, route(rows));
  if (shared_) {
    const Tensor shared = (*shared_)(rows);
    y = y + (shared_gate_ ? sigmoid((*shared_gate_)(rows)) * shared : shared);
  }
  return reshape(y, x.shape());
}

// Scores [N, experts] with -inf for the experts of groups that are not among the best.
Tensor Moe::open_groups(const Tensor& scores) const {
  const int64_t n = scores.dim(0), size = shape_.experts / shape_.groups;
  const Tensor grouped = reshape(scores, {n, shape_.groups, size});
  const Tensor worth = sum(topk(grouped, shape_.group_score == GroupScore::kTwoBest ? 2 : 1).first, {2});
  const Tensor kept = topk(worth, shape_.groups_kept).second;
  const Tensor marks = scatter(zeros(worth.shape(), scores.dtype(), scores.device()), 1, kept,
                               ones(kept.shape(), scores.dtype(), scores.device()));
  const Tensor closed = eq(reshape(marks, {n, shape_.groups, 1}), zeros({}, scores.dtype(), scores.device()));
  return reshape(
      masked_fill(grouped, broadcast_to(closed, grouped.shape()), -std::numeric_limits<double>::infinity()),
      scores.shape());
}

Moe::Choice Moe::route(const Tensor& x) const {
  const Tensor logits = router_(x);  // [N, experts]
  const Tensor scores = shape_.routing == Routing::kSoftmax   ? softmax(logits)
                        : shape_.routing == Routing::kSigmoid ? sigmoid(logits)
                                                              : logits;
  Choice choice;
  {
    const NoGrad off;
    Tensor order = shape_.choice_bias ? scores + choice_bias_ : scores;
    if (shape_.groups > 1) order = open_groups(order);
    choice.experts = topk(order, shape_.experts_per_token).second;
  }
  choice.weights = gather(scores, 1, choice.experts);
  if (shape_.routing == Routing::kSoftmaxOfChosen) choice.weights = softmax(choice.weights);
  if (shape_.normalize) choice.weights = choice.weights / (sum(choice.weights, {1}, true) + 1e-20);
  if (shape_.scale != 1) choice.weights = choice.weights * shape_.scale;
  return choice;
}

// y[n] = sum over the choices j of weights[n, j] expert(x[n]).
Tensor Moe::mix(const Tensor& x, const Choice& choice) const {
  const int64_t k = shape_.experts_per_token;
  const std::vector<int64_t> chosen = choice.experts.to_vector<int64_t>();  // [N, k]
  std::vector<std::vector<int64_t>> tokens(experts_.size());
  std::vector<int64_t> place(chosen.size());  // of a choice among its expert's, then among all
  for (size_t i = 0; i < chosen.size(); ++i) {
    auto& list = tokens[static_cast<size_t>(chosen[i])];
    place[i] = static_cast<int64_t>(list.size());
    list.push_back(static_cast<int64_t>(i) / k);
  }
  std::vector<Tensor> outputs;
  std::vector<int64_t> first(experts_.size());
  int64_t rows = 0;
  for (size_t e = 0; e < experts_.size(); ++e) {
    first[e] = rows;
    if (tokens[e].empty()) continue;
    const auto count = static_cast<int64_t>(tokens[e].size());
    outputs.push_back((*experts_[e])(index_select(x, 0, Tensor::from(tokens[e], {count}, x.device()))));
    rows += count;
  }
  for (size_t i = 0; i < chosen.size(); ++i) place[i] += first[static_cast<size_t>(chosen[i])];
  const Tensor all = concat(outputs, 0);  // [N k, hidden], by expert
  const Tensor mine = index_select(all, 0, Tensor::from(place, {rows}, x.device()));
  return sum(reshape(mine, {x.dim(0), k, -1}) * unsqueeze(choice.weights, 2), {1});
}

}  // namespace suiren::models
