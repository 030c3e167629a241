#pragma once
// Layers one after another.

#include <concepts>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "suiren/nn/module.h"

namespace suiren::nn {

/// y = last(...(second(first(x)))):  Sequential net{Conv2d(1, 32, {.kernel = 3}), Relu(), Flatten()};
/// A layer is any module without children, or another Sequential, that is called with one tensor. Names are
/// "0.weight", "1.bias", ...
class Sequential : public Module {
 public:
  template <std::derived_from<Module>... L>
  requires(sizeof...(L) > 0 &&
           !(sizeof...(L) == 1 && (std::same_as<L, Sequential> && ...))) explicit Sequential(L&&... layers) {
    (add(std::forward<L>(layers)), ...);
  }
  Sequential() = default;
  Sequential(Sequential&& other) : layers_(std::move(other.layers_)) { register_from(0); }

  /// Appends a layer, which moves in.
  template <std::derived_from<Module> L>
  void add(L&& layer) {
    const auto module = std::make_shared<L>(std::move(layer));
    layers_.push_back({module, [m = module.get()](const Tensor& x) { return (*m)(x); }});
    register_from(layers_.size() - 1);
  }
  Tensor operator()(const Tensor& x) const {
    Tensor y = x;
    for (const Layer& layer : layers_) y = layer.call(y);
    return y;
  }

 private:
  struct Layer {
    std::shared_ptr<Module> module;
    std::function<Tensor(const Tensor&)> call;
  };
  void register_from(size_t first) {
    for (size_t i = first; i < layers_.size(); ++i) add_child(std::to_string(i), *layers_[i].module);
  }
  std::vector<Layer> layers_;
};

}  // namespace suiren::nn
