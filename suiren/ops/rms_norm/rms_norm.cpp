#include "suiren/ops/rms_norm/rms_norm.h"

#include "suiren/core/dispatch.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/common.h"
#include "suiren/ops/reduce/reduce.h"
#include "suiren/ops/unary/unary.h"
#include "suiren/ops/view/view.h"

namespace suiren {
namespace {

// 1 / rms of each row: h [..., D] -> [..., 1].
Tensor inverse_rms(const Tensor& h, double eps) { return rsqrt(mean(h * h, {-1}, true) + eps); }

// Sum over all but the last dimension, sequence by sequence: [..., D] -> [D].
Tensor sum_rows(const Tensor& x) {
  if (x.rank() == 1) return x;
  const Tensor sequences = sum(x, {-2});
  return sum_to(sequences, {x.dim(-1)});
}

struct RmsNorm {
  static constexpr OpName name = "rms_norm";
  static constexpr const char* doc = "y = x / sqrt(mean(x^2) + eps) * weight over the last dimension";
  struct Attrs {
    double eps;
  };
  static constexpr auto fields = std::tuple{field("eps", &Attrs::eps)};
  static constexpr DTypes dtypes = kFloating;
  static Specs infer(const Attrs&, const TensorSpec& x, const TensorSpec& weight) {
    check_dtype(dtypes, "x", x);
    check_same_dtype("weight", weight, "x", x);
    SR_CHECK_AS(kShape, x.rank() >= 1 && x.dim(-1) > 0, "x has shape {}: its last dimension is empty",
                x.shape);
    SR_CHECK_AS(kShape, weight.shape == Shape{x.dim(-1)},
                "weight has shape {}, expected [{}]: the last dimension of x", weight.shape, x.dim(-1));
    return {x};
  }
  static Tensor decompose(const Attrs& a, const Tensor& x, const Tensor& weight) {
    const Tensor h = widen(x);
    return cast(h * inverse_rms(h, a.eps) * widen(weight), x.dtype());
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    return rms_norm_backward(c.grad(), c.in(0), c.in(1), a.eps);
  }
  static Samples samples() {
    return {sample(Attrs{1e-6}, {real({2, 3, 16}), real({16})}),
            sample(Attrs{1e-5}, {real({5, 70}), real({70})}),
            sample(Attrs{1e-6}, {real({1, 1}), real({1})}),
            sample(Attrs{1e-6}, {real({8}), real({8})}),
            sample(Attrs{1e-6}, {real({0, 8}), real({8})}),
            sample(Attrs{1e-6}, {real({2, 3, 2, 9}), real({9})}),
            sample(Attrs{1e-2}, {real({3, 6}, -1e-3, 1e-3), real({6})}),  // eps outweighs the squares
            bad(Attrs{1e-6}, {real({4, 8}), real({9})},
                "weight has shape [9], expected [8]: the last dimension of x"),
            bad(Attrs{1e-6}, {real({4, 0}), real({0})}, "x has shape [4, 0]: its last dimension is empty"),
            bad(Attrs{1e-6}, {real({4, 8}), index({8}, 0, 3)}, "weight is i64")};
  }
};

struct RmsNormBackward {
  static constexpr OpName name = "rms_norm_backward";
  static constexpr const char* doc = "r = 1/rms(x): dx = r (g w - x r mean(g w x r)), dweight = sum of g x r";
  using Attrs = RmsNorm::Attrs;
  static constexpr auto fields = RmsNorm::fields;
  static constexpr DTypes dtypes = kFloating;
  static Specs infer(const Attrs& a, const TensorSpec& g, const TensorSpec& x, const TensorSpec& weight) {
    RmsNorm::infer(a, x, weight);
    check_same_dtype("g", g, "x", x);
    check_same_shape("g", g, "x", x);
    return {x, weight};
  }
  static Tensors decompose(const Attrs& a, const Tensor& g, const Tensor& x, const Tensor& weight) {
    const Tensor h = widen(x), up = widen(g), r = inverse_rms(h, a.eps);
    const Tensor n = h * r, gw = up * widen(weight);
    const Tensor dx = r * (gw - n * mean(gw * n, {-1}, true));
    return {cast(dx, x.dtype()), cast(sum_rows(up * n), weight.dtype())};
  }
  static Samples samples() {
    const auto x = [](Shape s) { return real(s, 0.5, 2); };  // a row near 0 would magnify rounding by 1 / rms
    return {sample(Attrs{1e-6}, {real({2, 3, 16}), x({2, 3, 16}), real({16})}),
            sample(Attrs{1e-5}, {real({5, 70}), x({5, 70}), real({70})}),
            sample(Attrs{1e-6}, {real({8}), x({8}), real({8})}),
            sample(Attrs{1e-6}, {real({1, 1}), x({1, 1}), real({1})}),
            sample(Attrs{1e-6}, {real({0, 8}), x({0, 8}), real({8})}),
            bad(Attrs{1e-6}, {real({4, 7}), real({4, 8}), real({8})},
                "g has shape [4, 7], x has shape [4, 8]; expected the same")};
  }
};

}  // namespace

Tensor rms_norm(const Tensor& x, const Tensor& weight, double eps) {
  return dispatch<RmsNorm>({eps}, x, weight);
}

Tensors rms_norm_backward(const Tensor& g, const Tensor& x, const Tensor& weight, double eps) {
  return dispatch_all<RmsNormBackward>({eps}, g, x, weight);
}

OpList ops_rms_norm() { return {&op_info<RmsNorm>(), &op_info<RmsNormBackward>()}; }

}  // namespace suiren
