#pragma once
// Mixture of experts (Shazeer et al. 2017; Fedus et al. 2021): each token takes a few of many MLPs, and
// perhaps a shared one that every token takes (DeepSeek-AI 2024).

#include <memory>
#include <optional>
#include <vector>

#include "suiren/models/config.h"
#include "suiren/models/mlp.h"
#include "suiren/nn/layers.h"

namespace suiren::models {

class Moe : public nn::Module {
 public:
  Moe(const TransformerConfig& config, const nn::Placement& at);
  /// x [B, T, hidden] -> [B, T, hidden]. The tokens of an expert run as one product; a token's experts are
  /// added in the order of its choice, so its bits do not depend on other tokens. Gradients flow through the
  /// weights of the chosen experts, not through the choice.
  Tensor operator()(const Tensor& x) const;

 private:
  struct Choice {
    Tensor experts, weights;  // [N, k]: i64, and of the dtype of x
  };
  Choice route(const Tensor& x) const;
  Tensor open_groups(const Tensor& scores) const;
  Tensor mix(const Tensor& x, const Choice& choice) const;
  MoeConfig shape_;
  nn::Linear router_;
  Tensor choice_bias_;  // [experts]; undefined without
  std::vector<std::unique_ptr<Mlp>> experts_;
  std::optional<Mlp> shared_;
  std::optional<nn::Linear> shared_gate_;
};

}  // namespace suiren::models
