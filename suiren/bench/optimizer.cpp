#include "suiren/optim/optim.h"

#include <nlohmann/json.hpp>

#include "suiren/bench/figures.h"
#include "suiren/ops/random/random.h"

namespace suiren::bench {
namespace {

constexpr int64_t kTensors = 8, kRows = 2048, kColumns = 1024;

struct Subject {
  Tensors weights, grads;
  std::unique_ptr<optim::Optimizer> optimizer;
};

std::function<void()> make() {
  const auto s = std::make_shared<Subject>();
  for (uint64_t i = 0; i < kTensors; ++i) {
    s->weights.push_back(normal({kRows, kColumns}, 0, 0.02, 1, 2 * i));
    s->grads.push_back(normal({kRows, kColumns}, 0, 1e-3, 1, 2 * i + 1));
  }
  optim::NamedParameters parameters;
  for (size_t i = 0; i < kTensors; ++i) parameters.emplace_back(fmt::format("w{}", i), &s->weights[i]);
  s->optimizer = optim::adamw(parameters, {.weight_decay = 0.1});
  return [s] { s->optimizer->step(s->grads, 1e-4, 0.5); };
}

}  // namespace

std::vector<Figure> optimizer_figures() {
  constexpr double kElements = kTensors * kRows * kColumns;
  constexpr double kBytes = 7 * 4 * kElements;  // w, m, v, g are read; w, m, v are written
  return {{.group = "optimizer",
           .name = fmt::format("adamw {:.1f} M", kElements / 1e6),
           .unit = "GB/s",
           .work = 1e-9 * kBytes,
           .roof = Roof::kUpdate,
           .load = kBytes,
           .make = make,
           .peer = std::make_shared<io::Json>(
               io::Json{{"kind", "adamw"}, {"tensors", kTensors}, {"rows", kRows}, {"columns", kColumns}})}};
}

}  // namespace suiren::bench
