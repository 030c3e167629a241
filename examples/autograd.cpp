// Gradients of any order: Newton's method on f(x) = sum of (x^2 - a)^2 finds square roots with f' and f''.

#include <cmath>

#include "suiren/suiren.h"

using namespace suiren;

int main() {
  const Tensor a = Tensor::from(std::vector<double>{2, 9, 100}, {3});
  Tensor x = Tensor::from(std::vector<double>{2, 4, 12}, {3});
  for (int step = 0; step < 8; ++step) {
    x = x.detach().set_requires_grad();
    const Tensor f = sum(square(x * x - a));
    // create_graph records the backward pass too, so that it can be differentiated again.
    const Tensor slope = gradients(f, {x}, {.create_graph = true})[0];
    const Tensor curvature = gradients(sum(slope), {x})[0];  // the Hessian is diagonal: its row sums are f''
    const NoGrad off;
    fmt::print("step {}: f = {:.3e}\n", step, f.item());
    x = x - slope / curvature;
  }
  const std::vector<double> roots = x.to_vector<double>();
  fmt::print("square roots of 2, 9, 100: {:.12f} {:.12f} {:.12f}\n", roots[0], roots[1], roots[2]);

  // Activation checkpointing: the inside is run again by the backward pass instead of being kept.
  Tensor w = Tensor::from(roots, {3}).set_requires_grad();
  const auto layer = [](const Tensors& in) { return Tensors{tanh(in[0]) * in[0]}; };
  const Tensor kept = gradients(sum(layer({w})[0]), {w})[0];
  const Tensor rerun = gradients(sum(recompute(layer, {w})[0]), {w})[0];
  const bool same = kept.to_vector<double>() == rerun.to_vector<double>();
  fmt::print("gradient with and without recomputing: {}\n", same ? "the same bits" : "different");
  return std::abs(roots[0] - std::sqrt(2.0)) < 1e-12 && same ? 0 : 1;
}
