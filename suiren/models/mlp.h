#pragma once
// The feed-forward block: gated (Shazeer 2020) or plain.

#include <optional>

#include "suiren/models/config.h"
#include "suiren/nn/layers.h"

namespace suiren::models {

/// down(act(gate(x)) * up(x)), or down(act(up(x))) without a gate.
class Mlp : public nn::Module {
 public:
  Mlp(const TransformerConfig& config, int64_t intermediate_size, bool bias, const nn::Placement& at);
  Tensor operator()(const Tensor& x) const;

 private:
  Activation activation_;
  double limit_, alpha_;
  std::optional<nn::Linear> gate_;
  nn::Linear up_, down_;
};

}  // namespace suiren::models
