#pragma once
// Latent attention (DeepSeek-AI 2024, section 2.1): keys and values of all heads are linear in one vector of
// a position, and that vector is what a cache holds.

#include <optional>

#include "suiren/models/config.h"
#include "suiren/models/kv_store.h"
#include "suiren/models/norm.h"
#include "suiren/models/rope_tables.h"
#include "suiren/nn/layers.h"

namespace suiren::models {

/// With c [kv_rank] the normed latent of a position and r its rotated key, a head's key is (Wk c, r) and its
/// value Wv c. So a score is (Wk^T q, q_r) . (c, r), and an output Wv (sum of p c): attention with one key
/// head, whose keys and values are the cached vectors (c, r) themselves, in training and generation alike.
class LatentAttention : public nn::Module {
 public:
  LatentAttention(const TransformerConfig& config, int64_t layer, const nn::Placement& at);
  /// x [B, T, hidden] -> [B, T, hidden]; `rope` holds the positions of x.
  Tensor operator()(const Tensor& x, const RopeTables::Slice& rope, KvStore* store) const;

 private:
  Tensor queries(const Tensor& x) const;
  LatentConfig shape_;
  int64_t layer_, heads_;
  double scale_;
  bool interleaved_;
  std::optional<nn::Linear> q_, q_a_, q_b_;
  std::optional<Norm> q_a_norm_;
  nn::Linear kv_a_;
  Norm kv_a_norm_;
  nn::Linear kv_b_, o_;
};

}  // namespace suiren::models
