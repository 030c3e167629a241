#pragma once
// Self-attention with grouped key and value heads (Vaswani et al. 2017; Ainslie et al. 2023), rotary or no
// positions, norms of queries and keys, biases, a window, soft caps and sinks, as the description says.

#include <optional>

#include "suiren/models/config.h"
#include "suiren/models/kv_store.h"
#include "suiren/models/norm.h"
#include "suiren/models/rope_tables.h"
#include "suiren/nn/layers.h"

namespace suiren::models {

class Attention : public nn::Module {
 public:
  Attention(const TransformerConfig& config, int64_t layer, const nn::Placement& at);
  /// x [B, T, hidden] -> [B, T, hidden]; `rope` holds the positions of x, or is null where none turn.
  Tensor operator()(const Tensor& x, const RopeTables::Slice* rope, KvStore* store) const;

 private:
  int64_t layer_, heads_, kv_heads_, head_dim_, window_;
  double scale_, softcap_;
  bool interleaved_;
  QkNorm qk_norm_;
  nn::Linear q_, k_, v_, o_;
  std::optional<Norm> q_norm_, k_norm_;
  Tensor sinks_;  // [heads]; undefined without
};

}  // namespace suiren::models
