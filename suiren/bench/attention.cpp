#include "suiren/ops/attention/attention.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "suiren/bench/figures.h"
#include "suiren/ops/random/random.h"

namespace suiren::bench {

std::vector<Figure> attention_figures(DType dtype) {
  constexpr int64_t kLength = 2048, kHeads = 12, kHead = 64;
  // 2 products forward and 5 backward, of which the mask leaves half.
  const double flops = 3.5 * 2 * static_cast<double>(kLength * kLength * kHead * kHeads);
  const auto make = [dtype] {
    const Shape shape{1, kLength, kHeads, kHead};
    const Tensor q = normal(shape, 0, 1, 1, 0, dtype), k = normal(shape, 0, 1, 1, 1, dtype),
                 v = normal(shape, 0, 1, 1, 2, dtype), g = normal(shape, 0, 1, 1, 3, dtype),
                 g_lse = Tensor::zeros({kF32, {1, kHeads, kLength}, {}});
    return [=] {
      const double scale = 1 / std::sqrt(static_cast<double>(kHead));
      const std::vector<Tensor> y = attention(q, k, v, scale);
      attention_backward(q, k, v, y[0], y[1], g, g_lse, scale, true);
    };
  };
  return {{.group = "attention",
           .name = "attention 2048x64 causal y+dx" + suffix(dtype),
           .unit = "GFLOP/s",
           .work = 1e-9 * flops,
           .roof = roof_of(dtype),
           .load = flops,
           .make = make,
           .peer = std::make_shared<io::Json>(io::Json{{"kind", "attention"},
                                                       {"length", kLength},
                                                       {"heads", kHeads},
                                                       {"head", kHead},
                                                       {"dtype", dtype.name()}})}};
}

}  // namespace suiren::bench
