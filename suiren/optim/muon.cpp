#include <algorithm>
#include <cmath>

#include "suiren/core/autograd.h"
#include "suiren/ops/adamw/adamw.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/copy/copy.h"
#include "suiren/ops/matmul/matmul.h"
#include "suiren/ops/reduce/reduce.h"
#include "suiren/ops/view/view.h"
#include "suiren/optim/optim.h"

namespace suiren::optim {
namespace {

class Muon : public Optimizer {
 public:
  Muon(NamedParameters p, const MuonOptions& options) : Optimizer(std::move(p)), options_(options) {
    for (size_t i = 0; i < parameters().size(); ++i) {
      const bool matrix = muon_applies(parameters()[i].first, parameter(i));
      first_.push_back(add_state(matrix ? "momentum" : "exp_avg", i));
      second_.push_back(matrix ? Tensor() : add_state("exp_avg_sq", i));
    }
  }

 protected:
  void update(size_t i, const Tensor& grad, double lr, double grad_scale, int64_t step) override {
    Tensor& p = parameter(i);
    if (second_[i].defined()) {
      const AdamWOptions& o = options_.adamw;
      suiren::adamw(p, first_[i], second_[i], grad,
                    {lr, o.beta1, o.beta2, o.eps, p.rank() >= 2 ? o.weight_decay : 0, step, grad_scale});
      return;
    }
    const double mu = options_.momentum;
    const Tensor g = grad * grad_scale;
    const Tensor average = first_[i] * mu + g * (1 - mu);
    assign(first_[i], average);
    const Tensor direction = newton_schulz(options_.nesterov ? g * (1 - mu) + average * mu : average);
    const double size = 0.2 * std::sqrt(static_cast<double>(std::max(p.dim(0), p.dim(1))));
    assign(p, p * (1 - lr * options_.weight_decay) - direction * (lr * size));
  }

 private:
  MuonOptions options_;
  Tensors first_, second_;  // momentum and nothing, or AdamW's two
};

}  // namespace

bool muon_applies(const std::string& name, const Tensor& parameter) {
  return parameter.rank() == 2 && name.find("embed") == std::string::npos &&
         name.find("lm_head") == std::string::npos;
}

// X <- a X + (b A + c A^2) X with A = X X^T drives the singular values of X towards 1. Coefficients: Jordan
// et al. 2024. A tall matrix is iterated as its transpose, so that A is the smaller of the two products.
Tensor newton_schulz(const Tensor& x) {
  constexpr double kA = 3.4445, kB = -4.7750, kC = 2.0315, kTiny = 1e-7;
  constexpr int kSteps = 5;
  SR_CHECK_AS(kShape, x.rank() == 2, "newton_schulz: x has shape {}, expected a matrix", x.shape());
  const bool tall = x.dim(0) > x.dim(1);
  const double norm = std::sqrt(sum_squares(x).item());
  Tensor y = contiguous(tall ? transpose(x) : x) * (1 / std::max(norm, kTiny));  // [m, n], m <= n
  for (int i = 0; i < kSteps; ++i) {
    const Tensor a = matmul(y, transpose(y));     // [m, m]
    const Tensor b = a * kB + matmul(a, a) * kC;  // [m, m]
    y = y * kA + matmul(b, y);
  }
  return tall ? transpose(y) : y;
}

std::unique_ptr<Optimizer> muon(NamedParameters parameters, const MuonOptions& options) {
  return std::make_unique<Muon>(std::move(parameters), options);
}

}  // namespace suiren::optim
