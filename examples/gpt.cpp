// A GPT in a hundred lines of ops. It begins with the weights of tests/golden/training, sees the batches that
// `suiren train` sees there, and must retrace the losses of torch in float64 within 1e-5 of them.
#include <cmath>
#include <map>
#include <string>

#include "suiren/base/file.h"
#include "suiren/io/safetensors.h"
#include "suiren/suiren.h"

using namespace suiren;
constexpr int64_t kBatch = 4, kLength = 64, kSteps = 20, kLayers = 2, kHeads = 4, kKvHeads = 2, kHeadDim = 16;
constexpr double kEps = 1e-5, kTheta = 10000;

struct Gpt {
  std::map<std::string, Tensor> weights;
  Tensor cos, sin;  // [T, head_dim / 2]

  explicit Gpt(const std::string& file) {
    const io::SafeTensors tensors = io::SafeTensors::open(file);
    for (const io::TensorEntry& e : tensors.entries()) {
      weights[e.name] = Tensor::from_bytes(e.bytes, Shape(std::span<const int64_t>(e.shape)), e.dtype);
      weights[e.name].set_requires_grad();
    }
    const Tensor pairs = arange(0, kHeadDim / 2, 1, kF64), positions = arange(0, kLength, 1, kF64);
    const Tensor angles = outer(positions, exp(pairs * (-2 * std::log(kTheta) / kHeadDim)));
    cos = cast(suiren::cos(angles), kF32), sin = cast(suiren::sin(angles), kF32);
  }

  const Tensor& weight(const std::string& name) const { return weights.at(name + ".weight"); }
  Tensor project(const Tensor& x, const std::string& name) const { return linear(x, weight(name)); }

  Tensor attend(const Tensor& x, const std::string& layer) const {
    const int64_t b = x.dim(0), t = x.dim(1);
    const auto heads = [&](const char* name, int64_t count) {
      return reshape(project(x, layer + name), {b, t, count, kHeadDim});
    };
    const Tensor q = rope(heads("q_proj", kHeads), cos, sin), k = rope(heads("k_proj", kKvHeads), cos, sin);
    const Tensor out = scaled_dot_product_attention(q, k, heads("v_proj", kKvHeads),
                                                    {.scale = 1 / std::sqrt(double{kHeadDim})});
    return project(reshape(out, {b, t, kHeads * kHeadDim}), layer + "o_proj");
  }

  // ids [B, T] -> logits [B, T, V]
  Tensor operator()(const Tensor& ids) const {
    Tensor x = embedding(weight("model.embed_tokens"), ids);
    for (int64_t i = 0; i < kLayers; ++i) {
      const std::string layer = fmt::format("model.layers.{}.", i);
      x = x + attend(rms_norm(x, weight(layer + "input_layernorm"), kEps), layer + "self_attn.");
      const Tensor h = rms_norm(x, weight(layer + "post_attention_layernorm"), kEps);
      const Tensor gate = silu(project(h, layer + "mlp.gate_proj"));
      x = x + project(gate * project(h, layer + "mlp.up_proj"), layer + "mlp.down_proj");
    }
    return project(rms_norm(x, weight("model.norm"), kEps), "lm_head");
  }
};

// The losses of the float64 run, in order.
std::vector<double> golden_losses(const std::string& text) {
  std::vector<double> losses;
  const std::string key = "\"loss\": ";
  for (size_t at = text.find(key, text.find("\"float64\"")); losses.size() < kSteps;
       at = text.find(key, at + 1))
    losses.push_back(std::stod(text.substr(at + key.size())));
  return losses;
}

int main(int argc, char** argv) {
  const std::string folder = argc > 1 ? argv[1] : "tests/golden/training";
  Gpt model(folder + "/init/model.safetensors");
  const std::string tokens = read_file(folder + "/tokens.u16");
  const std::vector<double> golden = golden_losses(read_file(folder + "/trace.json"));

  optim::NamedParameters parameters;
  Tensors leaves;
  for (auto& [name, tensor] : model.weights) parameters.emplace_back(name, &tensor), leaves.push_back(tensor);
  const auto adam = optim::adamw(parameters, {.beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .weight_decay = 0.1});
  const optim::Schedule schedule{optim::Schedule::kCosine, 3e-3, kSteps, 4, 0, 0.1};
  double worst = 0;
  for (int64_t step = 0; step < kSteps; ++step) {
    std::vector<int64_t> inputs, targets;
    for (int64_t i = 0; i < kBatch; ++i)
      for (int64_t t = 0; t <= kLength; ++t) {
        const auto at = static_cast<size_t>(2 * ((step * kBatch + i) * kLength + t));
        const int64_t id = static_cast<uint8_t>(tokens[at]) | static_cast<uint8_t>(tokens[at + 1]) << 8;
        if (t < kLength) inputs.push_back(id);
        if (t > 0) targets.push_back(id);
      }
    const Tensor logits = model(Tensor::from(inputs, {kBatch, kLength}));
    const Tensor loss = mean(
        cross_entropy(reshape(logits, {kBatch * kLength, -1}), Tensor::from(targets, {kBatch * kLength})));
    const double got = loss.item(), want = golden[static_cast<size_t>(step)];
    worst = std::max(worst, std::abs(got - want) / want);
    if (step % 4 == 0 || step == kSteps - 1)
      fmt::print("step {:2}  loss {:.6f}  golden {:.6f}\n", step, got, want);
    const Tensors grads = gradients(loss, leaves);
    adam->step(grads, schedule.at(step), optim::clip_coefficient(optim::global_norm(grads), 1.0));
  }
  fmt::print("worst relative difference {:.1e}\n", worst);
  return worst < 1e-5 ? 0 : 1;
}
