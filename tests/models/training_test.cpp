// Twenty AdamW steps retrace what torch and transformers computed in float64 (tests/golden/training).

#include "suiren/base/threads.h"
#include "suiren/io/safetensors.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/reduce/reduce.h"
#include "suiren/optim/clip.h"
#include "suiren/optim/optim.h"
#include "suiren/optim/schedule.h"
#include "tests/models/support.h"

namespace suiren::models {
namespace {

constexpr int64_t kBatch = 4, kLength = 64, kSteps = 20;
const std::string kFolder = "tests/golden/training/";

std::vector<int64_t> tokens() {
  const std::string bytes = read_file(kFolder + "tokens.u16");
  std::vector<int64_t> ids;
  for (size_t i = 0; i + 1 < bytes.size(); i += 2)
    ids.push_back(static_cast<uint8_t>(bytes[i]) | static_cast<uint8_t>(bytes[i + 1]) << 8);
  return ids;
}

struct Step {
  double loss, grad_norm;
};

// One update over `kBatch` sequences, one after the other: the unit in which sums are formed.
Step train_step(Transformer& model, optim::Optimizer& optimizer, const std::vector<int64_t>& ids,
                int64_t step, double lr) {
  double loss = 0;
  Tensors grads;
  for (int64_t i = step * kBatch; i < (step + 1) * kBatch; ++i) {
    const auto window = std::span(ids).subspan(static_cast<size_t>(i * kLength), kLength + 1);
    const Tensor total =
        sum(model.token_losses(model.ids(window.first(kLength)), model.ids(window.last(kLength)))) *
        (1.0 / (kBatch * kLength));
    loss += total.item();
    accumulate_gradients(total, model.parameters(), grads);
  }
  const double norm = optim::global_norm(grads);
  optimizer.step(grads, lr, optim::clip_coefficient(norm, 1.0));
  return {loss, norm};
}

TEST(Training, RetracesTheGolden) {
  const auto model = Transformer::load(kFolder + "init");
  const auto optimizer = optim::adamw(model->named_parameters(), {0.9, 0.95, 1e-8, 0.1});
  const optim::Schedule schedule{optim::Schedule::kCosine, 3e-3, kSteps, 4, 0, 0.1};
  const auto ids = tokens();
  const auto trace = golden("training/trace.json")["float64"];
  double worst_loss = 0, worst_norm = 0, worst_weight = 0;
  for (int64_t s = 0; s < kSteps; ++s) {
    const Step got = train_step(*model, *optimizer, ids, s, schedule.at(s));
    const auto& row = trace[static_cast<size_t>(s)];
    const double loss = row["loss"], norm = row["grad_norm"];
    EXPECT_NEAR(got.loss, loss, 1e-5 * loss) << "step " << s;
    EXPECT_NEAR(got.grad_norm, norm, 1e-4 * norm) << "step " << s;
    worst_loss = std::max(worst_loss, std::abs(got.loss - loss) / loss);
    worst_norm = std::max(worst_norm, std::abs(got.grad_norm - norm) / norm);
  }
  const io::SafeTensors last = io::SafeTensors::open(kFolder + "final.safetensors");
  for (const auto& [name, tensor] : model->named_parameters()) {
    const io::TensorEntry& e = last.entry(name);
    const auto want = Tensor::from_bytes(e.bytes, tensor->shape(), e.dtype).to_vector<float>();
    const auto got = tensor->to_vector<float>();
    double difference = 0, size = 0;
    for (size_t i = 0; i < want.size(); ++i)
      difference += std::pow(double{got[i]} - want[i], 2), size += std::pow(double{want[i]}, 2);
    const double relative = std::sqrt(difference / size);
    EXPECT_LT(relative, 1e-4) << name;
    worst_weight = std::max(worst_weight, relative);
  }
  fmt::print("worst relative: loss {:.1e}, gradient norm {:.1e}, weights {:.1e}\n", worst_loss, worst_norm,
             worst_weight);
}

TEST(Training, WeightsHaveTheSameBitsWithAnyNumberOfThreads) {
  const auto ids = tokens();
  const int before = thread_count();
  std::vector<std::vector<uint8_t>> want;
  for (const int threads : {1, 2, 3, 4, 8}) {
    set_thread_count(threads);
    const auto model = Transformer::load(kFolder + "init");
    const auto optimizer = optim::adamw(model->named_parameters(), {0.9, 0.95, 1e-8, 0.1});
    for (int64_t s = 0; s < kSteps; ++s) train_step(*model, *optimizer, ids, s, 3e-3);
    std::vector<std::vector<uint8_t>> got;
    for (const Tensor& t : model->parameters()) got.push_back(t.to_bytes());
    if (want.empty()) want = got;
    EXPECT_TRUE(got == want) << threads << " threads";
  }
  set_thread_count(before);
}

TEST(Training, MuonAndSgdLowerTheLoss) {
  for (const bool muon : {true, false}) {
    const auto model = Transformer::load(kFolder + "init");
    const auto optimizer =
        muon ? optim::muon(model->named_parameters(), {0.95, true, 0.1, {0.9, 0.95, 1e-8, 0.1}})
             : optim::sgd(model->named_parameters(), {0.9, 0, true});
    const auto ids = tokens();
    const double first = train_step(*model, *optimizer, ids, 0, muon ? 3e-3 : 0.3).loss;
    double last = first;
    for (int64_t s = 1; s < kSteps; ++s)
      last = train_step(*model, *optimizer, ids, s, muon ? 3e-3 : 0.3).loss;
    EXPECT_LT(last, first - 0.3) << (muon ? "muon" : "sgd");
  }
}

}  // namespace
}  // namespace suiren::models
