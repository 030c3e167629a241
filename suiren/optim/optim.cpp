#include "suiren/optim/optim.h"

#include <algorithm>
#include <map>

#include "suiren/base/threads.h"
#include "suiren/core/autograd.h"
#include "suiren/ops/adamw/adamw.h"
#include "suiren/ops/copy/copy.h"
#include "suiren/ops/sgd/sgd.h"

namespace suiren::optim {

void Optimizer::step(std::span<const Tensor> grads, double lr, double grad_scale) {
  SR_CHECK_AS(kShape, grads.size() == parameters_.size(), "{} gradients for {} parameters", grads.size(),
              parameters_.size());
  for (size_t i = 0; i < grads.size(); ++i)
    SR_CHECK_AS(kShape, grads[i].defined() && grads[i].shape() == parameter(i).shape(),
                "the gradient of {} has shape {}, expected {}", parameters_[i].first,
                grads[i].defined() ? grads[i].shape() : Shape{}, parameter(i).shape());
  // Parameters do not depend on each other: each is one thread's work, whichever.
  parallel_tasks(static_cast<int64_t>(grads.size()), [&](int64_t task) {
    const NoGrad off;
    const auto i = static_cast<size_t>(task);
    update(i, grads[i], lr, grad_scale, steps_ + 1);
  });
  ++steps_;
}

NamedTensors Optimizer::state_dict() const { return state_; }

void Optimizer::load_state_dict(const NamedTensors& state, int64_t steps) {
  SR_CHECK(steps >= 0, "the optimizer's step count is {}, expected at least 0", steps);
  std::map<std::string, Tensor> given(state.begin(), state.end());
  for (const auto& [name, own] : state_) {
    const auto found = given.find(name);
    SR_CHECK(found != given.end(), "the optimizer's state lacks {}", name);
    SR_CHECK(found->second.shape() == own.shape() && found->second.dtype() == own.dtype(),
             "the optimizer's state {} is {} {}, expected {} {}", name, found->second.dtype(),
             found->second.shape(), own.dtype(), own.shape());
  }
  for (const auto& [name, tensor] : given)
    SR_CHECK(
        std::any_of(state_.begin(), state_.end(), [&, n = name](const auto& own) { return own.first == n; }),
        "the optimizer's state holds {}, which this optimizer does not have", name);
  const NoGrad off;
  for (const auto& [name, own] : state_) assign(own, given.at(name).to(own.device()));
  steps_ = steps;
}

Tensor Optimizer::add_state(const std::string& kind, size_t i) {
  const Tensor t = Tensor::zeros(parameter(i).spec());
  state_.emplace_back(kind + "." + parameters_[i].first, t);
  return t;
}

namespace {

class AdamW : public Optimizer {
 public:
  AdamW(NamedParameters p, const AdamWOptions& options) : Optimizer(std::move(p)), options_(options) {
    for (size_t i = 0; i < parameters().size(); ++i) {
      mean_.push_back(add_state("exp_avg", i));
      square_.push_back(add_state("exp_avg_sq", i));
    }
  }

 protected:
  void update(size_t i, const Tensor& grad, double lr, double grad_scale, int64_t step) override {
    Tensor& p = parameter(i);
    const double decay = p.rank() >= 2 ? options_.weight_decay : 0;
    suiren::adamw(p, mean_[i], square_[i], grad,
                  {lr, options_.beta1, options_.beta2, options_.eps, decay, step, grad_scale});
  }

 private:
  AdamWOptions options_;
  Tensors mean_, square_;
};

class Sgd : public Optimizer {
 public:
  Sgd(NamedParameters p, const SgdOptions& options) : Optimizer(std::move(p)), options_(options) {
    for (size_t i = 0; i < parameters().size(); ++i) velocity_.push_back(add_state("momentum", i));
  }

 protected:
  void update(size_t i, const Tensor& grad, double lr, double grad_scale, int64_t) override {
    suiren::sgd(parameter(i), velocity_[i], grad,
                {lr, options_.momentum, options_.weight_decay, options_.nesterov, grad_scale});
  }

 private:
  SgdOptions options_;
  Tensors velocity_;
};

}  // namespace

std::unique_ptr<Optimizer> adamw(NamedParameters parameters, const AdamWOptions& options) {
  return std::make_unique<AdamW>(std::move(parameters), options);
}
std::unique_ptr<Optimizer> sgd(NamedParameters parameters, const SgdOptions& options) {
  return std::make_unique<Sgd>(std::move(parameters), options);
}

}  // namespace suiren::optim
