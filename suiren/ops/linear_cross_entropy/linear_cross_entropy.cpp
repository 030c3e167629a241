#include "suiren/ops/linear_cross_entropy/linear_cross_entropy.h"

#include "suiren/core/dispatch.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/common.h"
#include "suiren/ops/cross_entropy/cross_entropy.h"
#include "suiren/ops/full/full.h"
#include "suiren/ops/matmul/matmul.h"
#include "suiren/ops/view/view.h"

namespace suiren {
namespace {

// The loss of each row.
TensorSpec check_head(const TensorSpec& x, const TensorSpec& weight, const TensorSpec& targets) {
  check_dtype(kFloating, "x", x);
  check_same_dtype("weight", weight, "x", x);
  SR_CHECK_AS(kShape, targets.dtype == kI32 || targets.dtype == kI64, "targets are {}, expected i32 or i64",
              targets.dtype);
  SR_CHECK_AS(kShape, x.rank() == 2 && weight.rank() == 2 && x.dim(1) == weight.dim(1) && weight.dim(0) > 0,
              "x has shape {} and weight {}, expected [N, D] and [V, D] with V > 0", x.shape, weight.shape);
  SR_CHECK_AS(kShape, targets.shape == Shape{x.dim(0)},
              "targets have shape {}, expected [{}]: one for each row of x {}", targets.shape, x.dim(0),
              x.shape);
  return {accumulator(x.dtype), {x.dim(0)}, x.device};
}

// x [N, D], weight [V, D], targets[, g]: logits of moderate size, whose rounding is that of the results.
std::vector<SampleInput> head(int64_t N, int64_t V, int64_t D, bool with_g) {
  std::vector<SampleInput> list{real({N, D}, -1, 1), real({V, D}, -0.5, 0.5),
                                index({N}, 0, static_cast<double>(V))};
  if (with_g) list.push_back(real({N}));
  return list;
}

struct LinearCrossEntropy {
  static constexpr OpName name = "linear_cross_entropy";
  static constexpr const char* doc = "z = x weight^T: loss[i] = logsumexp(z[i]) - z[i, targets[i]]";
  using Attrs = NoAttrs;
  static constexpr auto fields = std::tuple{};
  static constexpr DTypes dtypes = kFloating;
  static Specs infer(const Attrs&, const TensorSpec& x, const TensorSpec& weight, const TensorSpec& targets) {
    return {check_head(x, weight, targets)};
  }
  static Tensor decompose(const Attrs&, const Tensor& x, const Tensor& weight, const Tensor& targets) {
    return cross_entropy(linear(widen(x), widen(weight)), targets);
  }
  static Grads vjp(const Attrs&, const Vjp& c) {
    const Tensors all = linear_cross_entropy_gradients(c.in(0), c.in(1), c.in(2), c.grad());
    return {all[1], all[2], {}};
  }
  static Samples samples() {
    const Attrs a;
    // exp of these overflows f32; a logit near 100 is rounded by 4e-6
    Sample large = sample(a, {real({2, 1}, 9, 10), real({5, 1}, 9, 10), index({2}, 0, 5)});
    large.loosen = 4;
    return {sample(a, head(4, 7, 5, false)),
            sample(a, head(1, 1, 1, false)),
            sample(a, head(3, 300, 20, false)),
            sample(a, head(0, 5, 3, false)),
            sample(a, head(2, 5, 0, false)),
            large,
            bad(a, {real({4, 5}), real({7, 6}), index({4}, 0, 7)},
                "x has shape [4, 5] and weight [7, 6], expected [N, D] and [V, D] with V > 0"),
            bad(a, {real({4, 5}), real({0, 5}), index({4}, 0, 1)}, "weight [0, 5], expected [N, D]"),
            bad(a, {real({4, 5}), real({7, 5}), index({3}, 0, 7)},
                "targets have shape [3], expected [4]: one for each row of x [4, 5]"),
            bad(a, {real({4, 5}), real({7, 5}), boolean({4})}, "targets are bool, expected i32 or i64")};
  }
};

struct LinearCrossEntropyGradients {
  static constexpr OpName name = "linear_cross_entropy_gradients";
  static constexpr const char* doc =
      "loss as linear_cross_entropy, d[i, j] = g[i] (softmax(z[i])[j] - (j = targets[i])): dx = d weight, "
      "dweight = d^T x";
  using Attrs = NoAttrs;
  static constexpr auto fields = std::tuple{};
  static constexpr DTypes dtypes = kFloating;
  static Specs infer(const Attrs&, const TensorSpec& x, const TensorSpec& weight, const TensorSpec& targets,
                     const TensorSpec& g) {
    const TensorSpec loss = check_head(x, weight, targets);
    check_same_shape("g", g, "loss", loss);
    return {loss, x, weight};
  }
  static Tensors decompose(const Attrs&, const Tensor& x, const Tensor& weight, const Tensor& targets,
                           const Tensor& g) {
    const Tensor h = widen(x), w = widen(weight), z = linear(h, w);
    const Tensors rows = cross_entropy_with_lse(z, targets);
    const Tensor d = cross_entropy_backward(z, targets, rows[1], cast(g, h.dtype()),
                                            zeros(rows[1].shape(), h.dtype(), h.device()));
    return {rows[0], cast(matmul(d, w), x.dtype()), cast(matmul(transpose(d), h), weight.dtype())};
  }
  static Samples samples() {
    const Attrs a;
    const auto call = [&](int64_t N, int64_t V, int64_t D) {
      Sample s = sample(a, head(N, V, D, true));
      // A chip may round d to the dtype of x before it multiplies it, and dw sums that over all rows.
      s.loosen = 12;
      return s;
    };
    return {call(4, 7, 5),
            call(1, 1, 1),
            call(3, 70, 20),
            call(0, 5, 3),
            call(2, 5, 0),
            bad(a, {real({4, 5}), real({7, 5}), index({4}, 0, 7), real({3})},
                "g has shape [3], loss has shape [4]; expected the same"),
            bad(a, {real({4, 5}), real({7, 6}), index({4}, 0, 7), real({4})},
                "x has shape [4, 5] and weight [7, 6]")};
  }
};

struct LinearCrossEntropyAccumulate {
  static constexpr OpName name = "linear_cross_entropy_accumulate";
  static constexpr const char* doc =
      "loss and dx as linear_cross_entropy_gradients, sum = sum + dweight in place; x may be bf16 or f16 "
      "beside f32";
  using Attrs = NoAttrs;
  static constexpr auto fields = std::tuple{};
  static constexpr DTypes dtypes{1 << kF64.id() | 1 << kF32.id()};  // of the sum
  static constexpr uint32_t mutates = 1;
  static constexpr const char* no_gradient = "it writes in place";
  static Specs infer(const Attrs&, const TensorSpec& sum, const TensorSpec& x, const TensorSpec& weight,
                     const TensorSpec& targets, const TensorSpec& g) {
    check_dtype(dtypes, "sum", sum);
    const TensorSpec loss = check_head(x, weight, targets);
    check_same_shape("g", g, "loss", loss);
    SR_CHECK_AS(kShape, sum.dtype == loss.dtype, "sum is {}, expected {} beside x in {}", sum.dtype,
                loss.dtype, x.dtype);
    check_same_shape("sum", sum, "weight", weight);
    return {loss, x};
  }
  static Tensors decompose(const Attrs&, const Tensor& sum, const Tensor& x, const Tensor& weight,
                           const Tensor& targets, const Tensor& g) {
    const Tensors all = linear_cross_entropy_gradients(widen(x), widen(weight), targets, g);
    return {sum + all[2], all[0], cast(all[1], x.dtype())};
  }
  static Samples samples() {
    const Attrs a;
    const auto call = [&](int64_t N, int64_t V, int64_t D) {
      std::vector<SampleInput> inputs = head(N, V, D, true);
      inputs.insert(inputs.begin(), real({V, D}));
      return sample(a, inputs);
    };
    return {call(4, 7, 5),
            call(1, 1, 1),
            call(3, 70, 20),
            call(0, 5, 3),
            bad(a, {real({7, 4}), real({4, 5}), real({7, 5}), index({4}, 0, 7), real({4})},
                "sum has shape [7, 4], weight has shape [7, 5]; expected the same"),
            bad(a, {real({7, 5}), real({4, 5}), real({7, 5}), index({4}, 0, 7), real({1})},
                "g has shape [1], loss has shape [4]; expected the same")};
  }
};

}  // namespace

Tensor linear_cross_entropy(const Tensor& x, const Tensor& weight, const Tensor& targets) {
  return dispatch<LinearCrossEntropy>({}, x, weight, targets);
}
Tensors linear_cross_entropy_gradients(const Tensor& x, const Tensor& weight, const Tensor& targets,
                                       const Tensor& g) {
  return dispatch_all<LinearCrossEntropyGradients>({}, x, weight, targets, g);
}
Tensors linear_cross_entropy_accumulate(const Tensor& sum, const Tensor& x, const Tensor& weight,
                                        const Tensor& targets, const Tensor& g) {
  return dispatch_all<LinearCrossEntropyAccumulate>({}, sum, x, weight, targets, g);
}

OpList ops_linear_cross_entropy() {
  return {&op_info<LinearCrossEntropy>(), &op_info<LinearCrossEntropyGradients>(),
          &op_info<LinearCrossEntropyAccumulate>()};
}

}  // namespace suiren
