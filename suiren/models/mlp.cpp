#include "suiren/models/mlp.h"

#include <limits>

#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/clamp/clamp.h"
#include "suiren/ops/swiglu/swiglu.h"
#include "suiren/ops/unary/unary.h"

namespace suiren::models {

Mlp::Mlp(const TransformerConfig& c, int64_t width, bool bias, const nn::Placement& at)
    : activation_(c.activation),
      limit_(c.swiglu_limit),
      alpha_(c.swiglu_alpha),
      up_(c.hidden_size, width, bias, at),
      down_(width, c.hidden_size, bias, at) {
  if (c.mlp_gated) add_child("gate_proj", gate_.emplace(c.hidden_size, width, bias, at));
  add_child("up_proj", up_);
  add_child("down_proj", down_);
}

Tensor Mlp::operator()(const Tensor& x) const {
  const auto act = [&](const Tensor& y) { return activation_ == Activation::kSilu ? silu(y) : gelu_tanh(y); };
  if (!gate_) return down_(act(up_(x)));
  const Tensor gate = (*gate_)(x), up = up_(x);
  if (activation_ == Activation::kSilu) return down_(swiglu(gate, up));
  if (activation_ == Activation::kGeluTanh) return down_(gelu_tanh(gate) * up);
  const Tensor below = clamp(gate, -std::numeric_limits<double>::infinity(), limit_);
  return down_((clamp(up, -limit_, limit_) + 1.0) * (below * sigmoid(below * alpha_)));
}

}  // namespace suiren::models
