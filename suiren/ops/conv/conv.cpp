#include "suiren/ops/conv/conv.h"

#include <algorithm>

#include "suiren/core/dispatch.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/spatial.h"
#include "suiren/ops/view/view.h"

namespace suiren {
namespace {

// dilation (K - 1) + 1: how far a kernel reaches along dimension d.
int64_t reach(const Dims& kernel, const Dims& dilation, int d) { return dilation[d] * (kernel[d] - 1) + 1; }

template <class Attrs>
void check_conv(const Attrs& a, const TensorSpec& x, const TensorSpec& other, const char* name) {
  check_dtype(kFloating, "x", x);
  check_same_dtype(name, other, "x", x);
  SR_CHECK_AS(kShape, x.rank() >= 3 && other.rank() == x.rank(),
              "x has shape {} and {} {}: expected the same rank of at least 3", x.shape, name, other.shape);
  check_spatial("stride", a.stride, x.rank() - 2, 1);
  check_spatial("padding", a.padding, x.rank() - 2, 0);
  check_spatial("dilation", a.dilation, x.rank() - 2, 1);
  SR_CHECK(a.groups >= 1, "groups is {}, expected at least 1", a.groups);
}

void check_kernel(const Dims& kernel) {
  for (int64_t k : kernel)
    SR_CHECK_AS(kShape, k >= 1 && k <= 1 << 30, "the kernel has extents {}, expected at least 1 each",
                kernel);
}

// What the three references share: every product x[at] weight[at] that goes into y[at] of a convolution.
struct Products {
  int64_t batch, groups, channels, outputs;  // channels and outputs of one group
  Shape in, out, kernel;
  Dims stride, padding, dilation;

  template <class Attrs>
  Products(const Attrs& a, const Shape& x, const Shape& y, const Dims& kernel_extents)
      : batch(x[0]),
        groups(a.groups),
        channels(x[1] / a.groups),
        outputs(y[1] / a.groups),
        in(spatial(x)),
        out(spatial(y)),
        stride(a.stride),
        padding(a.padding),
        dilation(a.dilation) {
    for (int64_t k : kernel_extents) kernel.push_back(k);
  }
  // Where output p meets kernel element k in the plane of x; -1 outside.
  int64_t source(int64_t p, int64_t k) const {
    int64_t index = 0, step = 1;
    for (int d = in.rank() - 1; d >= 0; --d) {
      const int64_t at = p % out[d] * stride[d] - padding[d] + k % kernel[d] * dilation[d];
      if (at < 0 || at >= in[d]) return -1;
      index += at * step;
      step *= in[d], p /= out[d], k /= kernel[d];
    }
    return index;
  }
  // f(index of x or -1, index of weight, index of y)
  template <class F>
  void for_each(F f) const {
    const int64_t P = out.numel(), K = kernel.numel(), L = in.numel();
    for (int64_t p = 0; p < P; ++p)
      for (int64_t k = 0; k < K; ++k) {
        const int64_t from = source(p, k);
        for (int64_t n = 0; n < batch; ++n)
          for (int64_t o = 0; o < groups * outputs; ++o)
            for (int64_t c = 0; c < channels; ++c) {
              const int64_t plane = (n * groups + o / outputs) * channels + c;
              f(from < 0 ? -1 : plane * L + from, (o * channels + c) * K + k,
                (n * groups * outputs + o) * P + p);
            }
      }
  }
};

// Samples of small values, and room for more terms in a sum than the suite can tell from extents that are
// equal.
template <class Attrs>
Sample many_terms(const Attrs& a, const Shape& x, const Shape& other) {
  Sample s = sample(a, {real(x, -1, 1), real(other, -1, 1)});
  s.loosen = 4;
  return s;
}

struct ConvAttrs {
  Dims stride, padding, dilation;
  int64_t groups;
};
struct TransposeAttrs {
  Dims stride, padding, dilation, output_padding;
  int64_t groups;
};
struct WeightAttrs {
  Dims kernel, stride, padding, dilation;
  int64_t groups;
};

// One gradient is another of the three ops. `shape` is that of the tensor whose gradient it is.
Tensor convolve(const ConvAttrs& a, const Tensor& x, const Tensor& weight, const Shape& shape);
Tensor transpose_to(const ConvAttrs& a, const Tensor& g, const Tensor& weight, const Shape& shape);
Tensor weight_gradient(const ConvAttrs& a, const Tensor& x, const Tensor& g, const Shape& weight);

struct Conv {
  static constexpr OpName name = "conv";
  static constexpr const char* doc =
      "y[n, o, p] = sum over c, k of x[n, c, p stride - padding + k dilation] weight[o, c, k]";
  using Attrs = ConvAttrs;
  static constexpr auto fields =
      std::tuple{field("stride", &Attrs::stride), field("padding", &Attrs::padding),
                 field("dilation", &Attrs::dilation), field("groups", &Attrs::groups)};
  static constexpr DTypes dtypes = kFloating;
  static Specs infer(const Attrs& a, const TensorSpec& x, const TensorSpec& weight) {
    check_conv(a, x, weight, "weight");
    SR_CHECK_AS(kShape, x.dim(1) == weight.dim(1) * a.groups && weight.dim(0) % a.groups == 0,
                "x has shape {} and weight {} in {} groups: expected [N, C, ...] and [O, C / groups, ...] "
                "with O a multiple of groups",
                x.shape, weight.shape, a.groups);
    const Shape in = spatial(x.shape), kernel = spatial(weight.shape);
    check_kernel(kernel);
    Shape out = with_spatial(x.dim(0), weight.dim(0), {});
    for (int d = 0; d < in.rank(); ++d) {
      const int64_t room = in[d] + 2 * a.padding[d] - reach(kernel, a.dilation, d);
      SR_CHECK_AS(kShape, room >= 0,
                  "the kernel reaches over {} elements, x with its padding has {} along spatial dimension {}",
                  reach(kernel, a.dilation, d), in[d] + 2 * a.padding[d], d);
      out.push_back(room / a.stride[d] + 1);
    }
    return {{x.dtype, out, x.device}};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    const HostArray &x = in[0], &w = in[1];
    HostArray& y = out[0];
    Products(a, x.shape, y.shape, spatial(w.shape)).for_each([&](int64_t i, int64_t k, int64_t o) {
      y[o] += (i < 0 ? 0 : x[i]) * w[k];
    });
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    return {c.needs(0) ? transpose_to(a, c.grad(), c.in(1), c.in_spec(0).shape) : Tensor(),
            c.needs(1) ? weight_gradient(a, c.in(0), c.grad(), c.in_spec(1).shape) : Tensor()};
  }
  static Samples samples() {
    const Attrs one{{1}, {0}, {1}, 1}, plain{{1, 1}, {0, 0}, {1, 1}, 1}, same{{1, 1}, {1, 1}, {1, 1}, 1};
    return {
        many_terms(one, {1, 1, 1}, {1, 1, 1}),
        many_terms(plain, {2, 3, 5, 6}, {4, 3, 3, 2}),
        many_terms(same, {2, 2, 7, 18}, {3, 2, 3, 3}),
        many_terms(Attrs{{2, 3}, {1, 2}, {1, 1}, 1}, {1, 2, 7, 8}, {3, 2, 3, 3}),
        many_terms(Attrs{{1, 2}, {2, 0}, {2, 3}, 1}, {2, 2, 6, 9}, {2, 2, 3, 2}),
        many_terms(Attrs{{1, 1}, {1, 1}, {1, 1}, 2}, {2, 4, 5, 4}, {6, 2, 3, 3}),
        many_terms(Attrs{{1, 1}, {1, 1}, {1, 1}, 5}, {2, 5, 6, 5}, {5, 1, 3, 3}),  // depthwise
        many_terms(Attrs{{2, 2}, {0, 0}, {1, 1}, 1}, {2, 3, 5, 7}, {4, 3, 1, 1}),
        many_terms(plain, {3, 5, 4, 7}, {2, 5, 1, 1}),
        many_terms(Attrs{{2}, {3}, {2}, 1}, {2, 3, 9}, {2, 3, 4}),
        many_terms(Attrs{{1, 2, 1}, {1, 0, 1}, {1, 1, 2}, 1}, {1, 2, 3, 4, 5}, {2, 2, 2, 3, 2}),
        many_terms(same, {0, 2, 4, 4}, {3, 2, 3, 3}),
        many_terms(same, {2, 0, 4, 4}, {3, 0, 3, 3}),
        bad(plain, {real({2, 3, 5, 6}), real({4, 2, 3, 3})},
            "x has shape [2, 3, 5, 6] and weight [4, 2, 3, 3] in 1 groups: expected [N, C, ...] and [O, C "
            "/ groups, ...] with O a multiple of groups"),
        bad(plain, {real({2, 3, 5, 6}), real({4, 3, 3})}, "expected the same rank of at least 3"),
        bad(plain, {real({2, 3, 2, 6}), real({4, 3, 3, 3})},
            "the kernel reaches over 3 elements, x with its padding has 2 along spatial dimension 0"),
        bad(one, {real({2, 3, 5, 6}), real({4, 3, 3, 3})}, "stride has 1 numbers, expected 2"),
        bad(Attrs{{0, 1}, {0, 0}, {1, 1}, 1}, {real({2, 3, 5, 6}), real({4, 3, 3, 3})},
            "stride is [0, 1], expected at least 1"),
        bad(Attrs{{1, 1}, {0, 0}, {1, 1}, 0}, {real({2, 3, 5, 6}), real({4, 3, 3, 3})},
            "groups is 0, expected at least 1"),
        bad(plain, {real({2, 3, 5, 6}), real({4, 3, 0, 3})},
            "the kernel has extents [0, 3], expected at least 1 each")};
  }
};

struct ConvTranspose {
  static constexpr OpName name = "conv_transpose";
  static constexpr const char* doc =
      "y[n, o, i stride - padding + k dilation] = sum over c, i, k of x[n, c, i] weight[c, o, k]";
  using Attrs = TransposeAttrs;
  static constexpr auto fields = std::tuple{
      field("stride", &Attrs::stride), field("padding", &Attrs::padding), field("dilation", &Attrs::dilation),
      field("output_padding", &Attrs::output_padding), field("groups", &Attrs::groups)};
  static constexpr DTypes dtypes = kFloating;
  static Specs infer(const Attrs& a, const TensorSpec& x, const TensorSpec& weight) {
    check_conv(a, x, weight, "weight");
    SR_CHECK_AS(kShape, x.dim(1) == weight.dim(0) && x.dim(1) % a.groups == 0,
                "x has shape {} and weight {} in {} groups: expected [N, C, ...] and [C, O / groups, ...] "
                "with C a multiple of groups",
                x.shape, weight.shape, a.groups);
    const Shape in = spatial(x.shape), kernel = spatial(weight.shape);
    check_kernel(kernel);
    check_spatial("output_padding", a.output_padding, in.rank(), 0);
    Shape out = with_spatial(x.dim(0), weight.dim(1) * a.groups, {});
    for (int d = 0; d < in.rank(); ++d) {
      SR_CHECK(a.output_padding[d] < std::max(a.stride[d], a.dilation[d]),
               "output_padding is {}, expected less than stride {} or dilation {}", a.output_padding,
               a.stride, a.dilation);
      const int64_t extent =
          (in[d] - 1) * a.stride[d] - 2 * a.padding[d] + reach(kernel, a.dilation, d) + a.output_padding[d];
      SR_CHECK_AS(kShape, in[d] > 0 && extent > 0,
                  "x with extent {} along spatial dimension {} gives {} elements, expected at least 1", in[d],
                  d, extent);
      out.push_back(extent);
    }
    return {{x.dtype, out, x.device}};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    const HostArray &x = in[0], &w = in[1];
    HostArray& y = out[0];
    Products(a, y.shape, x.shape, spatial(w.shape)).for_each([&](int64_t o, int64_t k, int64_t i) {
      if (o >= 0) y[o] += x[i] * w[k];
    });
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    const ConvAttrs conv{a.stride, a.padding, a.dilation, a.groups};
    return {c.needs(0) ? convolve(conv, c.grad(), c.in(1), c.in_spec(0).shape) : Tensor(),
            c.needs(1) ? weight_gradient(conv, c.grad(), c.in(0), c.in_spec(1).shape) : Tensor()};
  }
  static Samples samples() {
    const Attrs plain{{1, 1}, {0, 0}, {1, 1}, {0, 0}, 1};
    return {
        many_terms(Attrs{{1}, {0}, {1}, {0}, 1}, {1, 1, 1}, {1, 1, 1}),
        many_terms(plain, {2, 3, 4, 5}, {3, 2, 3, 2}),
        many_terms(Attrs{{2, 2}, {1, 1}, {1, 1}, {1, 0}, 1}, {2, 2, 4, 3}, {2, 3, 3, 3}),
        many_terms(Attrs{{1, 1}, {1, 1}, {1, 1}, {0, 0}, 1}, {2, 3, 7, 6}, {3, 2, 3, 3}),
        many_terms(Attrs{{1, 2}, {0, 1}, {3, 1}, {2, 1}, 1}, {1, 2, 3, 4}, {2, 2, 2, 3}),
        many_terms(Attrs{{2, 1}, {1, 0}, {1, 2}, {1, 0}, 2}, {2, 4, 3, 3}, {4, 3, 2, 2}),
        many_terms(Attrs{{2, 2}, {1, 1}, {1, 1}, {0, 0}, 3}, {2, 3, 4, 3}, {3, 1, 3, 3}),
        many_terms(Attrs{{1, 1}, {0, 0}, {1, 1}, {0, 0}, 1}, {2, 4, 3, 5}, {4, 2, 1, 1}),
        many_terms(Attrs{{3}, {2}, {2}, {1}, 1}, {2, 3, 5}, {3, 2, 3}),
        many_terms(Attrs{{1}, {0}, {2}, {1}, 3}, {1, 6, 6}, {6, 1, 1}),  // nothing reaches the last
        many_terms(Attrs{{1, 2, 1}, {0, 1, 0}, {1, 1, 2}, {0, 1, 1}, 1}, {1, 2, 2, 3, 2}, {2, 1, 2, 3, 2}),
        many_terms(plain, {0, 3, 4, 5}, {3, 2, 3, 2}),
        many_terms(plain, {2, 0, 4, 5}, {0, 2, 3, 2}),
        bad(plain, {real({2, 3, 4, 5}), real({2, 3, 3, 2})},
            "x has shape [2, 3, 4, 5] and weight [2, 3, 3, 2] in 1 groups: expected [N, C, ...] and [C, O / "
            "groups, ...] with C a multiple of groups"),
        bad(Attrs{{2, 1}, {0, 0}, {1, 1}, {2, 0}, 1}, {real({2, 3, 4, 5}), real({3, 2, 3, 2})},
            "output_padding is [2, 0], expected less than stride [2, 1] or dilation [1, 1]"),
        bad(Attrs{{1, 1}, {4, 0}, {1, 1}, {0, 0}, 1}, {real({2, 3, 4, 5}), real({3, 2, 3, 2})},
            "x with extent 4 along spatial dimension 0 gives -2 elements, expected at least 1")};
  }
};

struct ConvWeightGradient {
  static constexpr OpName name = "conv_weight_gradient";
  static constexpr const char* doc =
      "dweight[o, c, k] = sum over n, p of x[n, c, p stride - padding + k dilation] g[n, o, p]";
  using Attrs = WeightAttrs;
  static constexpr auto fields = std::tuple{
      field("kernel", &Attrs::kernel), field("stride", &Attrs::stride), field("padding", &Attrs::padding),
      field("dilation", &Attrs::dilation), field("groups", &Attrs::groups)};
  static constexpr DTypes dtypes = kFloating;
  static Specs infer(const Attrs& a, const TensorSpec& x, const TensorSpec& g) {
    check_conv(a, x, g, "g");
    check_spatial("kernel", a.kernel, x.rank() - 2, 1);
    SR_CHECK_AS(kShape, x.dim(0) == g.dim(0) && x.dim(1) % a.groups == 0 && g.dim(1) % a.groups == 0,
                "x has shape {} and g {} in {} groups: expected [N, C, ...] and [N, O, ...] with C and O "
                "multiples of groups",
                x.shape, g.shape, a.groups);
    const Shape in = spatial(x.shape), out = spatial(g.shape);
    for (int d = 0; d < in.rank(); ++d) {
      const int64_t last = (out[d] - 1) * a.stride[d] + reach(a.kernel, a.dilation, d);
      const int64_t left = in[d] + 2 * a.padding[d] - last;
      SR_CHECK_AS(kShape, left >= 0 && left < std::max(a.stride[d], a.dilation[d]),
                  "g reaches over {} elements, x with its padding has {} along spatial dimension {}", last,
                  left + last, d);
    }
    return {{x.dtype, with_spatial(g.dim(1), x.dim(1) / a.groups, a.kernel), x.device}};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    const HostArray &x = in[0], &g = in[1];
    HostArray& dw = out[0];
    Products(a, x.shape, g.shape, a.kernel).for_each([&](int64_t i, int64_t k, int64_t o) {
      dw[k] += (i < 0 ? 0 : x[i]) * g[o];
    });
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    const ConvAttrs conv{a.stride, a.padding, a.dilation, a.groups};
    return {c.needs(0) ? transpose_to(conv, c.in(1), c.grad(), c.in_spec(0).shape) : Tensor(),
            c.needs(1) ? convolve(conv, c.in(0), c.grad(), c.in_spec(1).shape) : Tensor()};
  }
  static Samples samples() {
    const Attrs same{{3, 3}, {1, 1}, {1, 1}, {1, 1}, 1};
    return {
        many_terms(Attrs{{1}, {1}, {0}, {1}, 1}, {1, 1, 1}, {1, 1, 1}),
        many_terms(same, {2, 2, 7, 6}, {2, 3, 7, 6}),
        many_terms(Attrs{{3, 2}, {1, 1}, {0, 0}, {1, 1}, 1}, {2, 3, 5, 6}, {2, 4, 3, 5}),
        many_terms(Attrs{{3, 3}, {2, 3}, {1, 2}, {1, 1}, 1}, {3, 2, 7, 8}, {3, 3, 4, 4}),
        many_terms(Attrs{{3, 2}, {1, 2}, {2, 0}, {2, 3}, 1}, {2, 2, 6, 8}, {2, 2, 6, 2}),
        many_terms(Attrs{{3, 3}, {1, 1}, {1, 1}, {1, 1}, 2}, {2, 4, 5, 4}, {2, 6, 5, 4}),
        many_terms(Attrs{{3, 3}, {1, 1}, {1, 1}, {1, 1}, 4}, {2, 4, 5, 3}, {2, 4, 5, 3}),
        many_terms(Attrs{{1, 1}, {1, 1}, {0, 0}, {1, 1}, 1}, {2, 3, 4, 5}, {2, 2, 4, 5}),
        many_terms(Attrs{{4}, {2}, {3}, {2}, 1}, {2, 3, 9}, {2, 2, 5}),
        many_terms(Attrs{{2, 3, 2}, {1, 2, 1}, {1, 0, 1}, {1, 1, 2}, 1}, {1, 2, 3, 4, 5}, {1, 2, 4, 1, 5}),
        many_terms(same, {0, 2, 4, 4}, {0, 3, 4, 4}),
        many_terms(same, {2, 0, 4, 4}, {2, 3, 4, 4}),
        bad(same, {real({2, 2, 7, 6}), real({3, 3, 7, 6})},
            "x has shape [2, 2, 7, 6] and g [3, 3, 7, 6] in 1 groups"),
        bad(same, {real({2, 2, 7, 6}), real({2, 3, 8, 6})},
            "g reaches over 10 elements, x with its padding has 9 along spatial dimension 0"),
        bad(Attrs{{3}, {1, 1}, {1, 1}, {1, 1}, 1}, {real({2, 2, 7, 6}), real({2, 3, 7, 6})},
            "kernel has 1 numbers, expected 2")};
  }
};

// The first shape[d] elements along each spatial dimension: convolutions may give more than were put in.
Tensor cut_to(Tensor x, const Shape& shape) {
  for (int d = 2; d < shape.rank(); ++d)
    if (x.dim(d) != shape[d]) x = slice(x, d, 0, shape[d]);
  return x;
}

Tensor convolve(const ConvAttrs& a, const Tensor& x, const Tensor& weight, const Shape& shape) {
  return cut_to(dispatch<Conv>(a, x, weight), shape);
}

Tensor transpose_to(const ConvAttrs& a, const Tensor& g, const Tensor& weight, const Shape& shape) {
  TransposeAttrs t{a.stride, a.padding, a.dilation, {}, a.groups};
  const Shape kernel = spatial(weight.shape());
  for (int d = 0; d < kernel.rank(); ++d)
    t.output_padding.push_back(shape[d + 2] - (g.dim(d + 2) - 1) * a.stride[d] + 2 * a.padding[d] -
                               reach(kernel, a.dilation, d));
  return dispatch<ConvTranspose>(t, g, weight);
}

Tensor weight_gradient(const ConvAttrs& a, const Tensor& x, const Tensor& g, const Shape& weight) {
  return dispatch<ConvWeightGradient>({spatial(weight), a.stride, a.padding, a.dilation, a.groups}, x, g);
}

Tensor with_bias(const Tensor& y, const Tensor& bias) {
  if (!bias.defined()) return y;
  SR_CHECK_AS(kShape, bias.shape() == Shape{y.dim(1)}, "conv: bias has shape {}, expected [{}]", bias.shape(),
              y.dim(1));
  Shape shape{y.dim(1)};
  for (int d = 2; d < y.rank(); ++d) shape.push_back(1);
  return y + reshape(bias, shape);
}

void check_rank(const char* name, const Tensor& x, int dims) {
  SR_CHECK_AS(kShape, x.rank() == dims + 2, "{}: x has shape {}, expected {} dimensions", name, x.shape(),
              dims + 2);
}

}  // namespace

Tensor conv(const Tensor& x, const Tensor& weight, const Tensor& bias, const ConvOptions& o) {
  const int dims = x.rank() - 2;
  return with_bias(dispatch<Conv>({for_each_spatial(o.stride, dims), for_each_spatial(o.padding, dims),
                                   for_each_spatial(o.dilation, dims), o.groups},
                                  x, weight),
                   bias);
}
Tensor conv_transpose(const Tensor& x, const Tensor& weight, const Tensor& bias,
                      const ConvTransposeOptions& o) {
  const int dims = x.rank() - 2;
  return with_bias(
      dispatch<ConvTranspose>(
          {for_each_spatial(o.stride, dims), for_each_spatial(o.padding, dims),
           for_each_spatial(o.dilation, dims), for_each_spatial(o.output_padding, dims), o.groups},
          x, weight),
      bias);
}
Tensor conv_weight_gradient(const Tensor& x, const Tensor& g, const Dims& kernel, const ConvOptions& o) {
  const int dims = x.rank() - 2;
  return dispatch<ConvWeightGradient>(
      {for_each_spatial(kernel, dims), for_each_spatial(o.stride, dims), for_each_spatial(o.padding, dims),
       for_each_spatial(o.dilation, dims), o.groups},
      x, g);
}

#define SUIREN_CONV(dims)                                                                   \
  Tensor conv##dims##d(const Tensor& x, const Tensor& weight, const Tensor& bias,           \
                       const ConvOptions& options) {                                        \
    check_rank("conv" #dims "d", x, dims);                                                  \
    return conv(x, weight, bias, options);                                                  \
  }                                                                                         \
  Tensor conv_transpose##dims##d(const Tensor& x, const Tensor& weight, const Tensor& bias, \
                                 const ConvTransposeOptions& options) {                     \
    check_rank("conv_transpose" #dims "d", x, dims);                                        \
    return conv_transpose(x, weight, bias, options);                                        \
  }
SUIREN_CONV(1)
SUIREN_CONV(2)
SUIREN_CONV(3)
#undef SUIREN_CONV

OpList ops_conv() { return {&op_info<Conv>(), &op_info<ConvTranspose>(), &op_info<ConvWeightGradient>()}; }

}  // namespace suiren
