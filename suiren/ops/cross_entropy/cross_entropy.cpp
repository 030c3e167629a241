#include "suiren/ops/cross_entropy/cross_entropy.h"

#include "suiren/core/dispatch.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/common.h"
#include "suiren/ops/compare/compare.h"
#include "suiren/ops/full/full.h"
#include "suiren/ops/gather/gather.h"
#include "suiren/ops/softmax/softmax.h"
#include "suiren/ops/unary/unary.h"
#include "suiren/ops/view/view.h"
#include "suiren/ops/where/where.h"

namespace suiren {
namespace {

struct CrossEntropy {
  static constexpr OpName name = "cross_entropy";
  static constexpr const char* doc = "lse = logsumexp(logits), loss[i] = lse[i] - logits[i, targets[i]]";
  using Attrs = NoAttrs;
  static constexpr auto fields = std::tuple{};
  static constexpr DTypes dtypes = kFloating;
  static constexpr uint32_t saved_outputs = 0b10;
  static Specs infer(const Attrs&, const TensorSpec& logits, const TensorSpec& targets) {
    check_dtype(dtypes, "logits", logits);
    SR_CHECK_AS(kShape, targets.dtype == kI32 || targets.dtype == kI64, "targets are {}, expected i32 or i64",
                targets.dtype);
    SR_CHECK_AS(kShape, logits.rank() == 2 && logits.dim(1) > 0,
                "logits have shape {}, expected [N, V] with V > 0", logits.shape);
    SR_CHECK_AS(kShape, targets.shape == Shape{logits.dim(0)},
                "targets have shape {}, expected [{}]: one for each row of logits {}", targets.shape,
                logits.dim(0), logits.shape);
    const TensorSpec row{accumulator(logits.dtype), {logits.dim(0)}, logits.device};
    return {row, row};
  }
  static Tensors decompose(const Attrs&, const Tensor& logits, const Tensor& targets) {
    const Tensor h = widen(logits), lse = logsumexp(h, 1);
    const Tensor right = gather(h, 1, unsqueeze(cast(targets, kI64), 1));  // [N, 1]
    return {lse - squeeze(right, 1), lse};
  }
  static Grads vjp(const Attrs&, const Vjp& c) {
    return {cross_entropy_backward(c.in(0), c.in(1), c.out(1), c.grad(0), c.grad(1)), {}};
  }
  static Samples samples() {
    const Attrs a;
    return {sample(a, {real({4, 7}), index({4}, 0, 7)}),
            sample(a, {real({1, 1}), index({1}, 0, 1)}),
            sample(a, {real({3, 300}), index({3}, 0, 300)}),
            sample(a, {real({0, 5}), index({0}, 0, 5)}),
            sample(a, {real({2, 5}, 90, 100), index({2}, 0, 5)}),  // exp of these overflows f32
            bad(a, {real({4, 7}), index({3}, 0, 7)},
                "targets have shape [3], expected [4]: one for each row of logits [4, 7]"),
            bad(a, {real({4, 0}), index({4}, 0, 1)}, "logits have shape [4, 0], expected [N, V] with V > 0"),
            bad(a, {real({4, 7}), boolean({4})}, "targets are bool, expected i32 or i64")};
  }
};

struct CrossEntropyBackward {
  static constexpr OpName name = "cross_entropy_backward";
  static constexpr const char* doc =
      "dlogits[i, j] = exp(logits[i, j] - lse[i]) (g[i] + g_lse[i]) - (j = targets[i]) g[i]";
  using Attrs = NoAttrs;
  static constexpr auto fields = std::tuple{};
  static constexpr DTypes dtypes = kFloating;
  static Specs infer(const Attrs& a, const TensorSpec& logits, const TensorSpec& targets,
                     const TensorSpec& lse, const TensorSpec& g, const TensorSpec& g_lse) {
    const TensorSpec row = CrossEntropy::infer(a, logits, targets)[0];
    check_same_shape("lse", lse, "loss", row);
    check_same_shape("g", g, "loss", row);
    check_same_shape("g_lse", g_lse, "loss", row);
    return {logits};
  }
  static Tensor decompose(const Attrs&, const Tensor& logits, const Tensor& targets, const Tensor& lse,
                          const Tensor& g, const Tensor& g_lse) {
    const Tensor h = widen(logits), up = unsqueeze(widen(g), 1), up_lse = unsqueeze(widen(g_lse), 1);
    const Tensor classes = arange(0, static_cast<double>(h.dim(1)), 1, kI64, h.device());
    const Tensor right = eq(classes, unsqueeze(cast(targets, kI64), 1));  // [N, V]
    const Tensor zero = zeros({}, h.dtype(), h.device());
    const Tensor d = exp(h - unsqueeze(widen(lse), 1)) * (up + up_lse) - where(right, up, zero);
    return cast(d, logits.dtype());
  }
  // lse is kept above the logits, as a true one is: p stays a probability's size.
  static Samples samples() {
    const Attrs a;
    const auto call = [&](int64_t N, int64_t V) {
      return sample(
          a, {real({N, V}), index({N}, 0, static_cast<double>(V)), real({N}, 2, 4), real({N}), real({N})});
    };
    return {call(4, 7), call(1, 1), call(3, 70), call(0, 5),
            bad(a, {real({4, 7}), index({4}, 0, 7), real({3}), real({4}), real({4})},
                "lse has shape [3], loss has shape [4]; expected the same")};
  }
};

}  // namespace

Tensors cross_entropy_with_lse(const Tensor& logits, const Tensor& targets) {
  return dispatch_all<CrossEntropy>({}, logits, targets);
}
Tensor cross_entropy(const Tensor& logits, const Tensor& targets) {
  return cross_entropy_with_lse(logits, targets)[0];
}
Tensor cross_entropy_backward(const Tensor& logits, const Tensor& targets, const Tensor& lse, const Tensor& g,
                              const Tensor& g_lse) {
  return dispatch<CrossEntropyBackward>({}, logits, targets, lse, g, g_lse);
}

OpList ops_cross_entropy() { return {&op_info<CrossEntropy>(), &op_info<CrossEntropyBackward>()}; }

}  // namespace suiren
