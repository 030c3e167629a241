#pragma once
// Optimizers over named parameters. All arithmetic is ops, so it runs where the parameters live, and its bits
// do not depend on threads. One optimizer is used from one thread.

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "suiren/core/op.h"
#include "suiren/core/tensor.h"

namespace suiren::optim {

/// As nn::Module::named_parameters() gives them; the pointers must outlive the optimizer.
using NamedParameters = std::vector<std::pair<std::string, Tensor*>>;
using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  double weight_decay = 0;  ///< decoupled, on matrices (rank >= 2) only
};
struct SgdOptions {
  double momentum = 0, weight_decay = 0;
  bool nesterov = false;
};
struct MuonOptions {
  double momentum = 0.95;
  bool nesterov = true;
  double weight_decay = 0;  ///< of the matrices that Muon updates
  AdamWOptions adamw;       ///< for embeddings, the head and vectors; its own weight_decay
};

class Optimizer {
 public:
  virtual ~Optimizer() = default;
  /// One update in place. grads[i] belongs to parameters()[i] and is multiplied by `grad_scale` (clipping,
  /// 1/n) on the way. Throws Error{kShape} when counts or shapes differ.
  void step(std::span<const Tensor> grads, double lr, double grad_scale = 1);
  const NamedParameters& parameters() const { return parameters_; }
  int64_t steps() const { return steps_; }  ///< updates done

  /// Everything but steps() that the next update depends on: "exp_avg.NAME", "exp_avg_sq.NAME",
  /// "momentum.NAME". The handles share the optimizer's memory.
  NamedTensors state_dict() const;
  /// Copies a state in, so that the next update is bitwise that of the optimizer that gave it. Throws
  /// Error{kInvalid} naming what is missing, unexpected or of another shape or dtype; nothing is changed
  /// then.
  void load_state_dict(const NamedTensors& state, int64_t steps);

 protected:
  explicit Optimizer(NamedParameters parameters) : parameters_(std::move(parameters)) {}
  /// Updates parameter i and its state; `step` counts from 1. Called under NoGrad, for distinct parameters
  /// from several threads at once.
  virtual void update(size_t i, const Tensor& grad, double lr, double grad_scale, int64_t step) = 0;
  /// A state tensor of zeros shaped as parameter i, registered as "KIND.NAME".
  Tensor add_state(const std::string& kind, size_t i);
  Tensor& parameter(size_t i) { return *parameters_[i].second; }

 private:
  NamedParameters parameters_;
  NamedTensors state_;
  int64_t steps_ = 0;
};

/// Loshchilov & Hutter 2019, as torch.optim.AdamW.
std::unique_ptr<Optimizer> adamw(NamedParameters parameters, const AdamWOptions& options);
/// As torch.optim.SGD without dampening; weight decay is added to the gradient of every parameter.
std::unique_ptr<Optimizer> sgd(NamedParameters parameters, const SgdOptions& options);
/// Jordan et al. 2024: the momentum of each hidden matrix is orthogonalized by five Newton-Schulz steps. The
/// update is scaled by 0.2 sqrt(max(rows, columns)) (Liu et al. 2025, "Muon is scalable for LLM training"),
/// which gives it the size of an AdamW update, so that one learning rate and one weight decay serve both
/// kinds.
std::unique_ptr<Optimizer> muon(NamedParameters parameters, const MuonOptions& options);
/// True for the parameters that muon() orthogonalizes: matrices other than embeddings and the output head.
bool muon_applies(const std::string& name, const Tensor& parameter);
/// The orthogonalization itself: x [m, n] -> about U V^T of its singular value decomposition.
Tensor newton_schulz(const Tensor& x);

}  // namespace suiren::optim
