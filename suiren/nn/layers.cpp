#include "suiren/nn/layers.h"

#include <cmath>

#include "suiren/ops/embedding/embedding.h"
#include "suiren/ops/matmul/matmul.h"
#include "suiren/ops/rms_norm/rms_norm.h"

namespace suiren::nn {

Linear::Linear(int64_t in, int64_t out, bool with_bias, const Placement& at) {
  const double bound = 1 / std::sqrt(static_cast<double>(in));
  add_matrix("weight", weight, {out, in}, Init::kNormal, at, bound);
  if (with_bias) add_parameter("bias", bias, {out}, Init::kZeros, at, bound);
}
Tensor Linear::operator()(const Tensor& x) const { return linear(x, weight, bias); }

Embedding::Embedding(int64_t count, int64_t width, const Placement& at) {
  add_matrix("weight", weight, {count, width}, Init::kNormal, at);
}
Tensor Embedding::operator()(const Tensor& ids) const { return embedding(weight, ids); }

RmsNorm::RmsNorm(int64_t width, double eps, const Placement& at) : eps_(eps) {
  add_parameter("weight", weight, {width}, Init::kOnes, at);
}
Tensor RmsNorm::operator()(const Tensor& x) const { return rms_norm(x, weight, eps_); }

}  // namespace suiren::nn
