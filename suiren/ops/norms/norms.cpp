#include "suiren/ops/norms/norms.h"

#include "suiren/core/dispatch.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/common.h"
#include "suiren/ops/full/full.h"
#include "suiren/ops/reduce/reduce.h"
#include "suiren/ops/unary/unary.h"
#include "suiren/ops/view/view.h"

namespace suiren {
namespace {

// x less its mean over `axes`, and 1 / sqrt(variance + eps).
struct Normal {
  Tensor deviation, scale;
  Normal(const Tensor& h, const Dims& axes, double eps) : deviation(h - mean(h, axes, true)) {
    scale = rsqrt(mean(deviation * deviation, axes, true) + eps);
  }
};

// dx of n = deviation * scale, for the gradient g of n.
Tensor normal_backward(const Normal& x, const Tensor& g, const Dims& axes) {
  const Tensor n = x.deviation * x.scale;
  return x.scale * (g - mean(g, axes, true) - n * mean(g * n, axes, true));
}

Dims last_axes(int rank, int count) {
  Dims axes;
  for (int d = rank - count; d < rank; ++d) axes.push_back(d);
  return axes;
}
Dims all_but_channels(int rank) {
  Dims axes{0};
  for (int d = 2; d < rank; ++d) axes.push_back(d);
  return axes;
}
// [C] -> [C, 1...]: stands beside x [N, C, L...].
Tensor of_channels(const Tensor& v, int rank) {
  Shape shape{v.dim(0)};
  for (int d = 2; d < rank; ++d) shape.push_back(1);
  return reshape(v, shape);
}

void check_channels(const TensorSpec& x, const char* name, const TensorSpec& v) {
  check_dtype(kFloating, "x", x);
  SR_CHECK_AS(kShape, x.rank() >= 2, "x has shape {}, expected [N, C, ...]", x.shape);
  SR_CHECK_AS(kShape, v.shape == Shape{x.dim(1)}, "{} has shape {}, expected [{}]: the channels of x", name,
              v.shape, x.dim(1));
}
void check_weight(const TensorSpec& x, const char* name, const TensorSpec& v) {
  check_channels(x, name, v);
  check_same_dtype(name, v, "x", x);
}

// Samples have a large eps: in rows of equal values (the suite repeats them) 1 / sqrt(eps) magnifies
// rounding.

struct LayerNormAttrs {
  double eps;
};

struct LayerNorm {
  static constexpr OpName name = "layer_norm";
  static constexpr const char* doc =
      "y = (x - mean) / sqrt(var + eps) * weight + bias over the last dimensions";
  using Attrs = LayerNormAttrs;
  static constexpr auto fields = std::tuple{field("eps", &Attrs::eps)};
  static constexpr DTypes dtypes = kFloating;
  static constexpr uint32_t saved_inputs = 0b11;
  static void check(const TensorSpec& x, const char* name, const TensorSpec& v) {
    check_dtype(dtypes, "x", x);
    check_same_dtype(name, v, "x", x);
    bool fits = v.rank() >= 1 && v.rank() <= x.rank();
    for (int d = 1; fits && d <= v.rank(); ++d) fits = v.dim(-d) == x.dim(-d);
    SR_CHECK_AS(kShape, fits, "{} has shape {}, expected the last dimensions of x with shape {}", name,
                v.shape, x.shape);
  }
  static Specs infer(const Attrs&, const TensorSpec& x, const TensorSpec& weight, const TensorSpec& bias) {
    check(x, "weight", weight);
    check_same_shape("bias", bias, "weight", weight);
    check_same_dtype("bias", bias, "x", x);
    return {x};
  }
  static Tensor decompose(const Attrs& a, const Tensor& x, const Tensor& weight, const Tensor& bias) {
    const Normal n(widen(x), last_axes(x.rank(), weight.rank()), a.eps);
    return cast(n.deviation * n.scale * widen(weight) + widen(bias), x.dtype());
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    return layer_norm_backward(c.grad(), c.in(0), c.in(1), a.eps);
  }
  static Samples samples() {
    return {sample(Attrs{1.0}, {real({2, 3, 16}), real({16}), real({16})}),
            sample(Attrs{1.0}, {real({5, 70}), real({70}), real({70})}),
            sample(Attrs{1.0}, {real({3, 2, 5, 4}), real({5, 4}), real({5, 4})}),
            sample(Attrs{1.0}, {real({1}), real({1}), real({1})}),
            sample(Attrs{1.0}, {real({9}), real({9}), real({9})}),
            sample(Attrs{1.0}, {real({0, 8}), real({8}), real({8})}),
            bad(Attrs{1e-5}, {real({4, 8}), real({9}), real({9})},
                "weight has shape [9], expected the last dimensions of x with shape [4, 8]"),
            bad(Attrs{1e-5}, {real({4, 8}), real({8}), real({4, 8})},
                "bias has shape [4, 8], weight has shape [8]; expected the same")};
  }
};

struct LayerNormBackward {
  static constexpr OpName name = "layer_norm_backward";
  static constexpr const char* doc =
      "dx = r (g w - mean(g w) - n mean(g w n)), dweight = sum of g n, dbias = sum of g, with n = (x - mean) "
      "r";
  using Attrs = LayerNormAttrs;
  static constexpr auto fields = LayerNorm::fields;
  static constexpr DTypes dtypes = kFloating;
  static Specs infer(const Attrs&, const TensorSpec& g, const TensorSpec& x, const TensorSpec& weight) {
    check_same_shape("g", g, "x", x);
    check_same_dtype("g", g, "x", x);
    LayerNorm::check(x, "weight", weight);
    return {x, weight, weight};
  }
  static Tensors decompose(const Attrs& a, const Tensor& g, const Tensor& x, const Tensor& weight) {
    const Dims axes = last_axes(x.rank(), weight.rank());
    const Normal n(widen(x), axes, a.eps);
    const Tensor up = widen(g), dx = normal_backward(n, up * widen(weight), axes);
    return {cast(dx, x.dtype()), cast(sum_to(up * (n.deviation * n.scale), weight.shape()), weight.dtype()),
            cast(sum_to(up, weight.shape()), weight.dtype())};
  }
  static Samples samples() {
    return {sample(Attrs{1e-1}, {real({2, 3, 16}), real({2, 3, 16}), real({16})}),
            sample(Attrs{1e-1}, {real({5, 70}), real({5, 70}), real({70})}),
            sample(Attrs{1e-1}, {real({3, 5, 4}), real({3, 5, 4}), real({5, 4})}),
            sample(Attrs{1e-1}, {real({1}), real({1}), real({1})}),
            sample(Attrs{1e-1}, {real({0, 8}), real({0, 8}), real({8})}),
            bad(Attrs{1e-5}, {real({4, 7}), real({4, 8}), real({8})},
                "g has shape [4, 7], x has shape [4, 8]; expected the same"),
            bad(Attrs{1e-5}, {real({4, 8}), real({4, 8}), real({4})},
                "weight has shape [4], expected the last dimensions of x with shape [4, 8]")};
  }
};

struct GroupNormAttrs {
  int64_t groups;
  double eps;
};

struct GroupNorm {
  static constexpr OpName name = "group_norm";
  static constexpr const char* doc =
      "y = (x - mean) / sqrt(var + eps) * weight[c] + bias[c] over each group of channels of an image";
  using Attrs = GroupNormAttrs;
  static constexpr auto fields = std::tuple{field("groups", &Attrs::groups), field("eps", &Attrs::eps)};
  static constexpr DTypes dtypes = kFloating;
  static constexpr uint32_t saved_inputs = 0b11;
  static void check(const Attrs& a, const TensorSpec& x) {
    SR_CHECK(a.groups >= 1 && x.dim(1) % a.groups == 0, "x has {} channels, which {} groups do not divide",
             x.dim(1), a.groups);
  }
  // x [N, C, L...] as [N, groups, C / groups, L].
  static Tensor grouped(const Attrs& a, const Tensor& x) {
    int64_t elements = 1;
    for (int d = 2; d < x.rank(); ++d) elements *= x.dim(d);
    return reshape(x, {x.dim(0), a.groups, x.dim(1) / a.groups, elements});
  }
  static Tensor beside(const Attrs& a, const Tensor& v) {
    return reshape(widen(v), {a.groups, v.dim(0) / a.groups, 1});
  }
  static Specs infer(const Attrs& a, const TensorSpec& x, const TensorSpec& weight, const TensorSpec& bias) {
    check_weight(x, "weight", weight);
    check_weight(x, "bias", bias);
    check(a, x);
    return {x};
  }
  static Tensor decompose(const Attrs& a, const Tensor& x, const Tensor& weight, const Tensor& bias) {
    const Normal n(widen(grouped(a, x)), {2, 3}, a.eps);
    const Tensor y = n.deviation * n.scale * beside(a, weight) + beside(a, bias);
    return cast(reshape(y, x.shape()), x.dtype());
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    return group_norm_backward(c.grad(), c.in(0), c.in(1), a.groups, a.eps);
  }
  static Samples samples() {
    return {sample(Attrs{2, 1.0}, {real({2, 6, 3, 5}), real({6}), real({6})}),
            sample(Attrs{1, 1.0}, {real({3, 4, 7}), real({4}), real({4})}),
            sample(Attrs{5, 1.0}, {real({2, 5, 4, 9}), real({5}), real({5})}),
            sample(Attrs{2, 1.0}, {real({3, 8}), real({8}), real({8})}),
            sample(Attrs{1, 1.0}, {real({1, 1, 1}), real({1}), real({1})}),
            sample(Attrs{2, 1.0}, {real({0, 4, 3}), real({4}), real({4})}),
            bad(Attrs{4, 1e-5}, {real({2, 6, 3}), real({6}), real({6})},
                "x has 6 channels, which 4 groups do not divide"),
            bad(Attrs{2, 1e-5}, {real({2, 6, 3}), real({3}), real({6})},
                "weight has shape [3], expected [6]: the channels of x"),
            bad(Attrs{1, 1e-5}, {real({6}), real({6}), real({6})}, "x has shape [6], expected [N, C, ...]")};
  }
};

struct GroupNormBackward {
  static constexpr OpName name = "group_norm_backward";
  static constexpr const char* doc =
      "dx = r (g w - mean(g w) - n mean(g w n)) in each group; dweight[c] = sum of g n, dbias[c] = sum of g";
  using Attrs = GroupNormAttrs;
  static constexpr auto fields = GroupNorm::fields;
  static constexpr DTypes dtypes = kFloating;
  static Specs infer(const Attrs& a, const TensorSpec& g, const TensorSpec& x, const TensorSpec& weight) {
    check_same_shape("g", g, "x", x);
    check_same_dtype("g", g, "x", x);
    check_weight(x, "weight", weight);
    GroupNorm::check(a, x);
    return {x, weight, weight};
  }
  static Tensors decompose(const Attrs& a, const Tensor& g, const Tensor& x, const Tensor& weight) {
    const Normal n(widen(GroupNorm::grouped(a, x)), {2, 3}, a.eps);
    const Tensor up = widen(GroupNorm::grouped(a, g));
    const Tensor dx = normal_backward(n, up * GroupNorm::beside(a, weight), {2, 3});
    const auto channels = [&](const Tensor& t) {
      return cast(reshape(sum(t, {0, 3}), weight.shape()), weight.dtype());
    };
    return {cast(reshape(dx, x.shape()), x.dtype()), channels(up * (n.deviation * n.scale)), channels(up)};
  }
  static Samples samples() {
    return {sample(Attrs{2, 1e-1}, {real({2, 6, 3, 5}), real({2, 6, 3, 5}), real({6})}),
            sample(Attrs{1, 1e-1}, {real({3, 4, 7}), real({3, 4, 7}), real({4})}),
            sample(Attrs{5, 1e-1}, {real({2, 5, 4, 9}), real({2, 5, 4, 9}), real({5})}),
            sample(Attrs{1, 1e-1}, {real({1, 1, 1}), real({1, 1, 1}), real({1})}),
            sample(Attrs{2, 1e-1}, {real({0, 4, 3}), real({0, 4, 3}), real({4})}),
            bad(Attrs{4, 1e-5}, {real({2, 6, 3}), real({2, 6, 3}), real({6})},
                "x has 6 channels, which 4 groups do not divide"),
            bad(Attrs{2, 1e-5}, {real({2, 6, 4}), real({2, 6, 3}), real({6})},
                "g has shape [2, 6, 4], x has shape [2, 6, 3]; expected the same")};
  }
};

struct BatchNormAttrs {
  double eps;
};

struct BatchNorm {
  static constexpr OpName name = "batch_norm";
  static constexpr const char* doc =
      "y = (x - mean) / sqrt(var + eps) * weight[c] + bias[c] over each channel of the batch; and mean, var";
  using Attrs = BatchNormAttrs;
  static constexpr auto fields = std::tuple{field("eps", &Attrs::eps)};
  static constexpr DTypes dtypes = kFloating;
  static constexpr uint32_t saved_inputs = 0b11, saved_outputs = 0b110;
  static Specs infer(const Attrs&, const TensorSpec& x, const TensorSpec& weight, const TensorSpec& bias) {
    check_weight(x, "weight", weight);
    check_weight(x, "bias", bias);
    const TensorSpec statistics{accumulator(x.dtype), weight.shape, x.device};
    return {x, statistics, statistics};
  }
  static Tensors decompose(const Attrs& a, const Tensor& x, const Tensor& weight, const Tensor& bias) {
    const Dims axes = all_but_channels(x.rank());
    const Tensor h = widen(x), m = mean(h, axes, true), d = h - m, v = mean(d * d, axes, true);
    const Tensor y =
        d * rsqrt(v + a.eps) * of_channels(widen(weight), x.rank()) + of_channels(widen(bias), x.rank());
    return {cast(y, x.dtype()), reshape(m, weight.shape()), reshape(v, weight.shape())};
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    return batch_norm_backward(c.grad(0), c.in(0), c.in(1), c.out(1), c.out(2), c.grad(1), c.grad(2), a.eps);
  }
  static Samples samples() {
    return {sample(Attrs{1.0}, {real({3, 2, 4, 5}), real({2}), real({2})}),
            sample(Attrs{1.0}, {real({2, 3, 17}), real({3}), real({3})}),
            sample(Attrs{1.0}, {real({6, 4}), real({4}), real({4})}),
            sample(Attrs{1.0}, {real({1, 1, 1}), real({1}), real({1})}),
            sample(Attrs{1.0}, {real({2, 0, 3}), real({0}), real({0})}),
            bad(Attrs{1e-5}, {real({2, 6, 3}), real({3}), real({6})},
                "weight has shape [3], expected [6]: the channels of x"),
            bad(Attrs{1e-5}, {real({2, 6, 3}), real({6}), real({1, 6})},
                "bias has shape [1, 6], expected [6]: the channels of x")};
  }
};

struct BatchNormBackward {
  static constexpr OpName name = "batch_norm_backward";
  static constexpr const char* doc =
      "dx = w r (g - mean(g) - n mean(g n)) + (g_mean + 2 g_var (x - mean)) / count, dweight = sum of g n, "
      "dbias = sum of g";
  using Attrs = BatchNormAttrs;
  static constexpr auto fields = BatchNorm::fields;
  static constexpr DTypes dtypes = kFloating;
  static Specs infer(const Attrs&, const TensorSpec& g, const TensorSpec& x, const TensorSpec& weight,
                     const TensorSpec& mean, const TensorSpec& var, const TensorSpec& g_mean,
                     const TensorSpec& g_var) {
    check_same_shape("g", g, "x", x);
    check_same_dtype("g", g, "x", x);
    check_weight(x, "weight", weight);
    const std::pair<const char*, const TensorSpec&> all[] = {
        {"mean", mean}, {"var", var}, {"g_mean", g_mean}, {"g_var", g_var}};
    for (const auto& [name, v] : all) {
      check_channels(x, name, v);
      check_dtype(kFloating, name, v);
    }
    return {x, weight, weight};
  }
  static Tensors decompose(const Attrs& a, const Tensor& g, const Tensor& x, const Tensor& weight,
                           const Tensor& mean_of_x, const Tensor& var, const Tensor& g_mean,
                           const Tensor& g_var) {
    const int rank = x.rank();
    const Dims axes = all_but_channels(rank);
    const auto beside = [&](const Tensor& v) { return of_channels(cast(v, accumulator(x.dtype())), rank); };
    const Tensor up = widen(g), d = widen(x) - beside(mean_of_x), r = rsqrt(beside(var) + a.eps), n = d * r;
    const auto count = static_cast<double>(x.numel()) / static_cast<double>(x.dim(1));
    const Tensor dx = (up - mean(up, axes, true) - n * mean(up * n, axes, true)) * (beside(weight) * r) +
                      (d * (beside(g_var) * (2 / count)) + beside(g_mean) * (1 / count));
    return {cast(dx, x.dtype()), cast(sum(up * n, axes), weight.dtype()),
            cast(sum(up, axes), weight.dtype())};
  }
  static Samples samples() {
    const auto inputs = [](Shape shape, int64_t c) {
      return std::vector<SampleInput>{real(shape),       real(shape), real({c}), real({c}),
                                      real({c}, 0.5, 2), real({c}),   real({c})};
    };
    std::vector<SampleInput> narrow = inputs({2, 6, 3}, 6);
    narrow[3] = real({3});
    return {sample(Attrs{1.0}, inputs({3, 2, 4, 5}, 2)),
            sample(Attrs{1.0}, inputs({2, 3, 17}, 3)),
            sample(Attrs{1.0}, inputs({6, 4}, 4)),
            sample(Attrs{1.0}, inputs({1, 1, 1}, 1)),
            sample(Attrs{1.0}, inputs({2, 0, 3}, 0)),
            bad(Attrs{1.0}, narrow, "mean has shape [3], expected [6]: the channels of x")};
  }
};

struct BatchNormInference {
  static constexpr OpName name = "batch_norm_inference";
  static constexpr const char* doc = "y = (x - mean[c]) / sqrt(var[c] + eps) * weight[c] + bias[c]";
  using Attrs = BatchNormAttrs;
  static constexpr auto fields = BatchNorm::fields;
  static constexpr DTypes dtypes = kFloating;
  static Specs infer(const Attrs&, const TensorSpec& x, const TensorSpec& mean, const TensorSpec& var,
                     const TensorSpec& weight, const TensorSpec& bias) {
    check_channels(x, "mean", mean);
    check_channels(x, "var", var);
    check_dtype(kFloating, "mean", mean);
    check_dtype(kFloating, "var", var);
    check_weight(x, "weight", weight);
    check_weight(x, "bias", bias);
    return {x};
  }
  static Tensor decompose(const Attrs& a, const Tensor& x, const Tensor& mean, const Tensor& var,
                          const Tensor& weight, const Tensor& bias) {
    const auto beside = [&](const Tensor& v) {
      return of_channels(cast(v, accumulator(x.dtype())), x.rank());
    };
    const Tensor n = (widen(x) - beside(mean)) * rsqrt(beside(var) + a.eps);
    return cast(n * beside(weight) + beside(bias), x.dtype());
  }
  static Samples samples() {
    const auto inputs = [](Shape shape, int64_t c) {
      return std::vector<SampleInput>{real(shape), real({c}), real({c}, 0.5, 2), real({c}), real({c})};
    };
    std::vector<SampleInput> narrow = inputs({2, 6, 3}, 6);
    narrow[2] = real({3});
    return {sample(Attrs{1.0}, inputs({3, 2, 4, 5}, 2)),
            sample(Attrs{1.0}, inputs({2, 3, 17}, 3)),
            sample(Attrs{1.0}, inputs({6, 4}, 4)),
            sample(Attrs{1.0}, inputs({1, 1, 1}, 1)),
            sample(Attrs{1.0}, inputs({0, 2, 3}, 2)),
            bad(Attrs{1.0}, narrow, "var has shape [3], expected [6]: the channels of x")};
  }
};

Tensor or_zeros(const Tensor& bias, const Tensor& weight) {
  return bias.defined() ? bias : zeros(weight.shape(), weight.dtype(), weight.device());
}

}  // namespace

Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
  return dispatch<LayerNorm>({eps}, x, weight, or_zeros(bias, weight));
}
std::vector<Tensor> layer_norm_backward(const Tensor& g, const Tensor& x, const Tensor& weight, double eps) {
  return dispatch_all<LayerNormBackward>({eps}, g, x, weight);
}
Tensor group_norm(const Tensor& x, int64_t groups, const Tensor& weight, const Tensor& bias, double eps) {
  return dispatch<GroupNorm>({groups, eps}, x, weight, or_zeros(bias, weight));
}
std::vector<Tensor> group_norm_backward(const Tensor& g, const Tensor& x, const Tensor& weight,
                                        int64_t groups, double eps) {
  return dispatch_all<GroupNormBackward>({groups, eps}, g, x, weight);
}
Tensor instance_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
  return group_norm(x, x.dim(1), weight, bias, eps);
}
std::vector<Tensor> batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
  return dispatch_all<BatchNorm>({eps}, x, weight, or_zeros(bias, weight));
}
Tensor batch_norm_inference(const Tensor& x, const Tensor& mean, const Tensor& var, const Tensor& weight,
                            const Tensor& bias, double eps) {
  return dispatch<BatchNormInference>({eps}, x, mean, var, weight, or_zeros(bias, weight));
}
std::vector<Tensor> batch_norm_backward(const Tensor& g, const Tensor& x, const Tensor& weight,
                                        const Tensor& mean, const Tensor& var, const Tensor& g_mean,
                                        const Tensor& g_var, double eps) {
  return dispatch_all<BatchNormBackward>({eps}, g, x, weight, mean, var, g_mean, g_var);
}

OpList ops_norms() {
  return {&op_info<LayerNorm>(),         &op_info<LayerNormBackward>(), &op_info<GroupNorm>(),
          &op_info<GroupNormBackward>(), &op_info<BatchNorm>(),         &op_info<BatchNormBackward>(),
          &op_info<BatchNormInference>()};
}

}  // namespace suiren
