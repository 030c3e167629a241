// Gradients through the chip: those of every op against the tape in f64, and a small network against central
// differences.

#include "suiren/core/autograd.h"

#include <cmath>

#include "suiren/base/philox.h"
#include "suiren/conform/check.h"
#include "suiren/conform/harness.h"
#include "suiren/core/dispatch.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/matmul/matmul.h"
#include "suiren/ops/reduce/reduce.h"
#include "suiren/ops/unary/unary.h"

namespace suiren::conform {
namespace {

HostArray drawn(const Shape& shape, uint64_t seed, uint64_t stream, DType dtype = kF64) {
  HostArray a{dtype, shape, std::vector<Wide>(static_cast<size_t>(shape.numel()))};
  for (int64_t i = 0; i < a.numel(); ++i)
    a[i] = static_cast<float>(philox_uniform(seed, stream, static_cast<uint64_t>(i)) * 2 - 1);
  return a;
}

std::vector<size_t> wanted_inputs(const Sample& s) {
  std::vector<size_t> list;
  for (size_t i = 0; i < s.inputs.size(); ++i)
    if (s.inputs[i].kind == SampleInput::kReal && s.inputs[i].differentiable) list.push_back(i);
  return list;
}

// d(sum of output * random weights) / d(inputs), computed on `device` in `dtype`.
Tensors gradients_on(const Device& device, const OpInfo& op, const Sample& s, std::vector<HostArray> values,
                     DType dtype) {
  for (HostArray& a : values)
    if (a.dtype.is_floating()) a.dtype = dtype;
  Tensors inputs = place_all(values, Layout::kContiguous, device), wanted, floating, weights;
  for (const size_t i : wanted_inputs(s)) wanted.push_back(inputs[i].set_requires_grad());
  for (const Tensor& t : call(op, s.attrs.get(), inputs)) {
    if (!t.dtype().is_floating()) continue;
    floating.push_back(t);
    weights.push_back(from_host_array(drawn(t.shape(), 3, floating.size(), t.dtype()), device));
  }
  return gradients(floating, wanted, weights);
}

int64_t compare_gradients(const Device& chip, const OpInfo& op, const Sample& s, uint64_t seed) {
  const std::vector<HostArray> values = draw(s, kF32, seed);
  const Tensors want = gradients_on(Device(), op, s, values, kF64),
                got = gradients_on(chip, op, s, values, kF32);
  int64_t compared = 0;
  for (size_t n = 0; n < want.size(); ++n) {
    HostArray w = to_host_array(want[n]);
    w.dtype = kF32;
    Wide largest = 1;
    for (const Wide x : w.v) largest = std::max(largest, std::fabs(x));
    const double t = 4e-5 * s.loosen;
    const std::string text = difference(got[n], w, {t, t * static_cast<double>(largest)}, &compared);
    require(text.empty(), "{}: gradient {}: {}", describe(op, s, kF32), n, text);
  }
  return compared;
}

std::string every_op(const Probe& p) {
  const Device chip(p.target.device());
  int64_t compared = 0, ops = 0;
  for (const OpInfo* op : all_ops()) {
    if (op->no_gradient || op->mutates || !op->dtypes.has(kF32) || !op->dtypes.has(kF64)) continue;
    p.tick(std::string("the gradient of ") + op->name);
    int taken = 0;
    for (const Sample& s : op->samples()) {
      if (!s.error.empty() || !s.gradient || s.only_dtype >= 0 || wanted_inputs(s).empty()) continue;
      compared += compare_gradients(chip, *op, s, 40 + static_cast<uint64_t>(taken));
      if (++taken == 3) break;
    }
    ops += taken > 0;
  }
  p.figure("ops", static_cast<double>(ops));
  p.figure("elements", static_cast<double>(compared));
  return fmt::format("{} ops in f32, {} elements against f64", ops, compared);
}

// sum(weights * tanh(x @ w1) @ w2), whose gradient central differences of the f64 value must give.
struct Network {
  std::vector<HostArray> at{drawn({5, 7}, 1, 1), drawn({7, 9}, 1, 2), drawn({9, 4}, 1, 3)};
  HostArray weights = drawn({5, 4}, 1, 4);
  Tensor value(const Tensors& t, const Tensor& w) const {
    return sum(matmul(tanh(matmul(t[0], t[1])), t[2]) * w);
  }
  double at_f64(const std::vector<HostArray>& x) const {
    Tensors t;
    for (const HostArray& a : x) t.push_back(from_host_array(a, Device()));
    return value(t, from_host_array(weights, Device())).item();
  }
};

std::string central_differences(const Probe& p) {
  const Device chip(p.target.device());
  const Network net;
  Tensors inputs;
  std::vector<HostArray> x = net.at;
  for (HostArray a : net.at) {
    a.dtype = kF32;
    inputs.push_back(from_host_array(a, chip).set_requires_grad());
  }
  HostArray w = net.weights;
  w.dtype = kF32;
  const Tensors grads = gradients(net.value(inputs, from_host_array(w, chip)), inputs);
  double worst = 0;
  int64_t count = 0;
  for (size_t n = 0; n < x.size(); ++n) {
    const HostArray g = to_host_array(grads[n]);
    for (int64_t i = 0; i < g.numel(); ++i, ++count) {
      const Wide was = x[n][i];
      constexpr double h = 1e-4;
      x[n][i] = was + h;
      const double above = net.at_f64(x);
      x[n][i] = was - h;
      const double below = net.at_f64(x);
      x[n][i] = was;
      const double want = (above - below) / (2 * h), off = std::fabs(static_cast<double>(g[i]) - want);
      require(off <= 1e-5 * (1 + std::fabs(want)),
              "input {}, element {}: gradient {:.7g}, central difference {:.7g}", n, i,
              static_cast<double>(g[i]), want);
      worst = std::max(worst, off);
    }
  }
  return fmt::format("{} derivatives, worst off by {:.1e}", count, worst);
}

}  // namespace

std::vector<Check> gradient_checks() {
  return {{"every_op", "gradients of every op against f64", "每个算子的梯度对照 f64", every_op},
          {"central_differences", "a network against central differences", "网络对照中心差分",
           central_differences}};
}

}  // namespace suiren::conform
