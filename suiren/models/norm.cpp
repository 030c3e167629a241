#include "suiren/models/norm.h"

#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/norms/norms.h"
#include "suiren/ops/rms_norm/rms_norm.h"

namespace suiren::models {

Norm::Norm(const TransformerConfig& c, int64_t width, const nn::Placement& at)
    : kind_(c.norm), offset_(c.norm_offset), eps_(c.rms_norm_eps) {
  add_parameter("weight", weight_, {width}, offset_ ? nn::Init::kZeros : nn::Init::kOnes, at);
  if (kind_ == NormKind::kLayer) add_parameter("bias", bias_, {width}, nn::Init::kZeros, at);
}

Norm::Norm(int64_t width, double eps, const nn::Placement& at) : eps_(eps) {
  add_parameter("weight", weight_, {width}, nn::Init::kOnes, at);
}

Tensor Norm::operator()(const Tensor& x) const {
  if (kind_ == NormKind::kLayer) return layer_norm(x, weight_, bias_, eps_);
  return rms_norm(x, offset_ ? weight_ + 1.0 : weight_, eps_);
}

}  // namespace suiren::models
