#include "suiren/infer/importance.h"

#include <algorithm>
#include <map>

#include "suiren/base/error.h"
#include "suiren/base/threads.h"
#include "suiren/core/autograd.h"
#include "suiren/core/dispatch.h"

namespace suiren::infer {
namespace {

/// Sums over the rows that a matrix met.
struct Met {
  std::string parameter;
  std::vector<double> sums;
  int64_t rows = 0;
};

/// Sees the products with the matrices of layers.
class Collector : public DispatchObserver {
 public:
  explicit Collector(const models::Transformer& model) {
    for (const auto& [name, tensor] : model.named_parameters())
      if (tensor->rank() == 2 && name.starts_with("model.layers.") && name.ends_with(".weight"))
        met_[tensor->storage().get()] = {name, std::vector<double>(static_cast<size_t>(tensor->dim(1)))};
    set_dispatch_observer(this);
  }
  ~Collector() override { set_dispatch_observer(nullptr); }

  Tensors around(const OpInfo&, const void*, std::span<const Tensor> inputs,
                 FunctionRef<Tensors()> run) override {
    if (inputs.size() >= 2)
      if (const auto found = met_.find(inputs[1].storage().get()); found != met_.end())
        add(inputs[0], found->second);
    return run();
  }

  models::ImportanceMatrix result(const models::TransformerConfig& config) const {
    std::map<std::string, std::vector<float>> means;
    for (const auto& [storage, met] : met_)
      for (const models::GgufPlace& place : models::gguf_places(config, met.parameter)) {
        const auto width = static_cast<int64_t>(met.sums.size()), expert = std::max<int64_t>(place.expert, 0);
        const auto rows = static_cast<double>(met.rows);
        std::vector<float>& to = means[place.tensor];
        to.resize(static_cast<size_t>(width * (place.expert < 0 ? 1 : config.moe.experts)));
        if (met.rows > 0)
          std::ranges::transform(met.sums, to.begin() + expert * width,
                                 [&](double sum) { return static_cast<float>(sum / rows); });
      }
    models::ImportanceMatrix out;
    for (auto& [tensor, mean] : means) out.add(tensor, std::move(mean), "the text");
    return out;
  }

 private:
  static void add(const Tensor& x, Met& to) {
    const std::vector<float> values = x.detach().to_vector<float>();
    const auto width = std::ssize(to.sums), rows = std::ssize(values) / width;
    parallel_for(width, 64, [&](int64_t begin, int64_t end) {
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t c = begin; c < end; ++c) {
          const double v = values[static_cast<size_t>(r * width + c)];
          to.sums[static_cast<size_t>(c)] += v * v;
        }
    });
    to.rows += rows;
  }
  std::map<const void*, Met> met_;
};

}  // namespace

models::ImportanceMatrix importance(const models::Transformer& model, std::span<const int64_t> ids,
                                    int64_t window, const std::function<void(int64_t)>& progress) {
  SR_CHECK(window > 0 && std::ssize(ids) >= window,
           "the text has {} tokens, and a window {}: give a longer text", ids.size(), window);
  const NoGrad off;
  Collector collector(model);
  for (int64_t begin = 0; begin + window <= std::ssize(ids); begin += window) {
    model.hidden(model.ids(ids.subspan(static_cast<size_t>(begin), static_cast<size_t>(window))));
    if (progress) progress(begin + window);
  }
  return collector.result(model.config());
}

}  // namespace suiren::infer
