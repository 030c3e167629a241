#include "suiren/nn/recurrent.h"

#include <fmt/format.h>

#include "suiren/ops/concat/concat.h"
#include "suiren/ops/full/full.h"
#include "suiren/ops/gru/gru.h"
#include "suiren/ops/lstm/lstm.h"
#include "suiren/ops/view/view.h"

namespace suiren::nn {

Recurrent::Recurrent(int64_t gates, int64_t input, int64_t hidden, int64_t layers, bool bias,
                     const Placement& at)
    : layers_(static_cast<size_t>(layers)), hidden_(hidden) {
  for (size_t i = 0; i < layers_.size(); ++i) {
    Layer& l = layers_[i];
    const auto add = [&](const char* what, Tensor& slot, const Shape& shape, Init init) {
      add_parameter(fmt::format("{}_l{}", what, i), slot, shape, init, at);
    };
    add("weight_ih", l.w_ih, {gates * hidden, i == 0 ? input : hidden}, Init::kNormal);
    add("weight_hh", l.w_hh, {gates * hidden, hidden}, Init::kNormal);
    if (!bias) continue;
    add("bias_ih", l.b_ih, {gates * hidden}, Init::kZeros);
    add("bias_hh", l.b_hh, {gates * hidden}, Init::kZeros);
  }
}

Tensor Recurrent::state_of(const Tensor& state, int64_t i, const Tensor& x) const {
  if (!state.defined()) return zeros({x.dim(0), hidden_}, x.dtype(), x.device());
  SR_CHECK_AS(kShape, state.shape() == (Shape{layers(), x.dim(0), hidden_}),
              "a state has shape {}, expected [layers, B, H] = {}", state.shape(),
              Shape{layers(), x.dim(0), hidden_});
  return squeeze(slice(state, 0, i, i + 1), 0);
}

Lstm::Lstm(int64_t input, int64_t hidden, int64_t layers, bool bias, const Placement& at)
    : Recurrent(4, input, hidden, layers, bias, at) {}

Lstm::Output Lstm::operator()(const Tensor& x, const Tensor& h, const Tensor& c) const {
  Tensor y = x;
  Tensors hs, cs;
  for (int64_t i = 0; i < layers(); ++i) {
    const Layer& l = layers_[static_cast<size_t>(i)];
    const Tensors out = lstm(y, state_of(h, i, x), state_of(c, i, x), l.w_ih, l.w_hh, l.b_ih, l.b_hh);
    y = out[0];
    hs.push_back(unsqueeze(out[1], 0));
    cs.push_back(unsqueeze(out[2], 0));
  }
  return {y, concat(hs, 0), concat(cs, 0)};
}

Gru::Gru(int64_t input, int64_t hidden, int64_t layers, bool bias, const Placement& at)
    : Recurrent(3, input, hidden, layers, bias, at) {}

Gru::Output Gru::operator()(const Tensor& x, const Tensor& h) const {
  Tensor y = x;
  Tensors hs;
  for (int64_t i = 0; i < layers(); ++i) {
    const Layer& l = layers_[static_cast<size_t>(i)];
    const Tensors out = gru(y, state_of(h, i, x), l.w_ih, l.w_hh, l.b_ih, l.b_hh);
    y = out[0];
    hs.push_back(unsqueeze(out[1], 0));
  }
  return {y, concat(hs, 0)};
}

}  // namespace suiren::nn
