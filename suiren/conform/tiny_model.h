#pragma once
// A Llama of two layers from a seed, with text that it can learn.

#include <memory>
#include <vector>

#include "suiren/core/autograd.h"
#include "suiren/models/transformer.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/reduce/reduce.h"
#include "suiren/optim/optim.h"

namespace suiren::conform {

inline models::TransformerConfig tiny_config() {
  models::TransformerConfig c;
  c.vocab_size = 61, c.hidden_size = 32, c.intermediate_size = 48, c.num_hidden_layers = 2;
  c.num_attention_heads = 4, c.num_key_value_heads = 2, c.head_dim = 8, c.max_position_embeddings = 64;
  c.initializer_range = 0.1;
  return c;
}

struct TinyModel {
  static constexpr int64_t kLength = 24, kBatch = 2;
  models::Transformer model;
  std::unique_ptr<optim::Optimizer> optimizer;

  TinyModel(const Device& device, DType dtype, uint64_t seed = 1)
      : model(tiny_config(), seed, {device, dtype}),
        optimizer(optim::adamw(model.named_parameters(), {0.9, 0.95, 1e-8, 0.1})) {}

  std::vector<int64_t> tokens(int64_t sequence, int64_t from) const {
    std::vector<int64_t> list;
    for (int64_t i = from; i < from + kLength; ++i) list.push_back((i * i % 11 + i * 3 + sequence * 5) % 61);
    return list;
  }
  Tensor ids(int64_t sequence) const { return model.ids(tokens(sequence, 0)); }
  /// One update; the loss before it.
  double step(int64_t step) {
    double loss = 0;
    Tensors grads;
    for (int64_t i = 0; i < kBatch; ++i) {
      const int64_t s = (step * kBatch + i) % 6;
      const Tensor mean =
          sum(model.token_losses(ids(s), model.ids(tokens(s, 1)))) * (1.0 / (kBatch * kLength));
      loss += mean.item();
      accumulate_gradients(mean, model.parameters(), grads);
    }
    optimizer->step(grads, 5e-3);
    return loss;
  }
};

}  // namespace suiren::conform
