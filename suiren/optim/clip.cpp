#include "suiren/optim/clip.h"

#include <algorithm>
#include <cmath>

#include "suiren/core/autograd.h"
#include "suiren/ops/reduce/reduce.h"

namespace suiren::optim {

double global_norm(std::span<const Tensor> grads) {
  const NoGrad off;
  double sum = 0;
  for (const Tensor& g : grads) sum += sum_squares(g).item();
  return std::sqrt(sum);
}

double clip_coefficient(double norm, double limit) {
  return limit > 0 ? std::min(1.0, limit / (norm + 1e-6)) : 1;
}

}  // namespace suiren::optim
