#pragma once
// Recurrent layers over whole sequences. Parameters are named as PyTorch names them: weight_ih_l0 [G H, in],
// weight_hh_l0 [G H, H], bias_ih_l0 and bias_hh_l0 [G H] for layer 0 and its G gates; layer i + 1 reads layer
// i.

#include <vector>

#include "suiren/nn/module.h"

namespace suiren::nn {

/// What both layers are made of.
class Recurrent : public Module {
 public:
  int64_t hidden() const { return hidden_; }
  int64_t layers() const { return static_cast<int64_t>(layers_.size()); }

 protected:
  struct Layer {
    Tensor w_ih, w_hh, b_ih, b_hh;  ///< biases are undefined without them
  };
  Recurrent(int64_t gates, int64_t input, int64_t hidden, int64_t layers, bool bias, const Placement& at);
  /// Layer i's part [B, H] of a state [layers, B, H]; zeros when the state is undefined.
  Tensor state_of(const Tensor& state, int64_t i, const Tensor& x) const;

  std::vector<Layer> layers_;

 private:
  int64_t hidden_;
};

/// Long short-term memory: see suiren/ops/lstm/lstm.h.
class Lstm : public Recurrent {
 public:
  struct Output {
    Tensor y;     ///< [B, T, H], of the last layer
    Tensor h, c;  ///< [layers, B, H], after the last step
  };
  Lstm(int64_t input, int64_t hidden, int64_t layers = 1, bool bias = true, const Placement& at = {});
  /// x [B, T, input]; h and c [layers, B, H], zeros when undefined.
  Output operator()(const Tensor& x, const Tensor& h = {}, const Tensor& c = {}) const;
};

/// Gated recurrent unit: see suiren/ops/gru/gru.h.
class Gru : public Recurrent {
 public:
  struct Output {
    Tensor y;  ///< [B, T, H], of the last layer
    Tensor h;  ///< [layers, B, H], after the last step
  };
  Gru(int64_t input, int64_t hidden, int64_t layers = 1, bool bias = true, const Placement& at = {});
  Output operator()(const Tensor& x, const Tensor& h = {}) const;
};

}  // namespace suiren::nn
