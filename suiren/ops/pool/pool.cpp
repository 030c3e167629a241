#include "suiren/ops/pool/pool.h"

#include <algorithm>
#include <limits>

#include "suiren/core/dispatch.h"
#include "suiren/ops/gather/gather.h"
#include "suiren/ops/spatial.h"
#include "suiren/ops/view/view.h"

namespace suiren {
namespace {

void check_planes(const char* name, const TensorSpec& x) {
  check_dtype(kFloating, name, x);
  SR_CHECK_AS(kShape, x.rank() >= 3, "{} has shape {}, expected [N, C, L...]", name, x.shape);
}

// The elements begin, begin + step, ... below end of one dimension, divided by `size` in a mean.
struct Window {
  int64_t begin, end, step, size;
};
using Windows = std::vector<std::vector<Window>>;  // [spatial dimension][output]

struct MaxPoolAttrs {
  Dims kernel, stride, padding, dilation;
  bool ceil_mode;
};
struct AvgPoolAttrs {
  Dims kernel, stride, padding;
  bool ceil_mode, count_include_pad;
};
struct AvgPoolBackwardAttrs {
  Dims size, kernel, stride, padding;
  bool ceil_mode, count_include_pad;
};
struct SizeAttrs {
  Dims size;
};

// How many windows fit along each dimension (as torch counts them).
template <class Attrs>
Shape window_counts(const Attrs& a, const Dims& dilation, const Dims& in) {
  const int dims = in.rank();
  check_spatial("kernel", a.kernel, dims, 1);
  check_spatial("stride", a.stride, dims, 1);
  check_spatial("padding", a.padding, dims, 0);
  check_spatial("dilation", dilation, dims, 1);
  Shape out;
  for (int d = 0; d < dims; ++d) {
    SR_CHECK(a.padding[d] * 2 <= a.kernel[d], "padding is {}, expected at most half of kernel {}", a.padding,
             a.kernel);
    const int64_t reach = dilation[d] * (a.kernel[d] - 1) + 1, room = in[d] + 2 * a.padding[d] - reach;
    SR_CHECK_AS(kShape, in[d] > 0 && room >= 0,
                "a window reaches over {} elements, x with its padding has {} along spatial dimension {}",
                reach, in[d] + 2 * a.padding[d], d);
    int64_t count = (room + (a.ceil_mode ? a.stride[d] - 1 : 0)) / a.stride[d] + 1;
    if (a.ceil_mode && (count - 1) * a.stride[d] >= in[d] + a.padding[d]) --count;
    out.push_back(count);
  }
  return out;
}

template <class Attrs>
Windows sliding(const Attrs& a, const Dims& dilation, bool include_pad, const Dims& in, const Dims& out) {
  Windows all;
  for (int d = 0; d < in.rank(); ++d) {
    all.emplace_back();
    for (int64_t p = 0; p < out[d]; ++p) {
      Window w{p * a.stride[d] - a.padding[d], 0, dilation[d], 0};
      const int64_t end = w.begin + dilation[d] * (a.kernel[d] - 1) + 1;
      w.size = std::min(end, in[d] + a.padding[d]) - w.begin;
      w.end = std::min(end, in[d]);
      while (w.begin < 0) w.begin += w.step;
      if (!include_pad) w.size = w.end - w.begin;
      all.back().push_back(w);
    }
  }
  return all;
}

Windows adaptive(const Dims& in, const Dims& out) {
  Windows all;
  for (int d = 0; d < in.rank(); ++d) {
    all.emplace_back();
    for (int64_t p = 0; p < out[d]; ++p) {
      const int64_t begin = p * in[d] / out[d], end = ((p + 1) * in[d] + out[d] - 1) / out[d];
      all.back().push_back({begin, end, 1, end - begin});
    }
  }
  return all;
}

// f(output index in its plane, input index in its plane, divisor) for every element of every window, both in
// ascending order.
template <class F>
void for_each_element(const Windows& windows, const Dims& in, F f) {
  const auto recurse = [&](auto& self, size_t d, int64_t o, int64_t i, int64_t size) -> void {
    if (d == windows.size()) return f(o, i, size);
    const auto count = static_cast<int64_t>(windows[d].size());
    const int64_t extent = in[static_cast<int>(d)];
    for (int64_t p = 0; p < count; ++p) {
      const Window& w = windows[d][static_cast<size_t>(p)];
      for (int64_t j = w.begin; j < w.end; j += w.step)
        self(self, d + 1, o * count + p, i * extent + j, size * w.size);
    }
  };
  recurse(recurse, 0, 0, 0, 1);
}

void max_reference(const Windows& windows, const HostArray& x, std::span<HostArray> out) {
  HostArray &y = out[0], &index = out[1];
  const int64_t planes = x.dim(0) * x.dim(1), L = spatial(x.shape).numel(), P = spatial(y.shape).numel();
  std::fill(index.v.begin(), index.v.end(), -1);
  for_each_element(windows, spatial(x.shape), [&](int64_t o, int64_t i, int64_t) {
    for (int64_t n = 0; n < planes; ++n) {
      const Wide v = x[n * L + i], best = y[n * P + o];
      Wide& at = index[n * P + o];
      // Elements of a window do not come in ascending order here: the smaller index wins among equals.
      const bool both_nan = std::isnan(v) && std::isnan(best), equal = v == best || both_nan;
      const bool larger = v > best || (std::isnan(v) && !std::isnan(best));
      if (at < 0 || larger || (equal && static_cast<Wide>(i) < at)) y[n * P + o] = v, at = i;
    }
  });
}

void mean_reference(const Windows& windows, const HostArray& x, HostArray& y) {
  const int64_t planes = x.dim(0) * x.dim(1), L = spatial(x.shape).numel(), P = spatial(y.shape).numel();
  for_each_element(windows, spatial(x.shape), [&](int64_t o, int64_t i, int64_t size) {
    for (int64_t n = 0; n < planes; ++n) y[n * P + o] += x[n * L + i] / static_cast<Wide>(size);
  });
}

void mean_backward_reference(const Windows& windows, const HostArray& g, HostArray& dx) {
  const int64_t planes = g.dim(0) * g.dim(1), L = spatial(dx.shape).numel(), P = spatial(g.shape).numel();
  for_each_element(windows, spatial(dx.shape), [&](int64_t o, int64_t i, int64_t size) {
    for (int64_t n = 0; n < planes; ++n) dx[n * L + i] += g[n * P + o] / static_cast<Wide>(size);
  });
}

struct MaxPool {
  static constexpr OpName name = "max_pool";
  static constexpr const char* doc =
      "y[n, c, p] = max over k of x[n, c, p stride - padding + k dilation], and where it stands";
  using Attrs = MaxPoolAttrs;
  static constexpr auto fields = std::tuple{
      field("kernel", &Attrs::kernel), field("stride", &Attrs::stride), field("padding", &Attrs::padding),
      field("dilation", &Attrs::dilation), field("ceil_mode", &Attrs::ceil_mode)};
  static constexpr DTypes dtypes = kFloating;
  static constexpr uint32_t saved_inputs = 0, saved_outputs = 0b10;
  static Specs infer(const Attrs& a, const TensorSpec& x) {
    check_planes("x", x);
    const Shape in = spatial(x.shape), counts = window_counts(a, a.dilation, in);
    for (int d = 0; d < in.rank(); ++d) {
      if (a.dilation[d] == 1) continue;
      const Windows windows = sliding(a, a.dilation, false, in, counts);
      for (const Window& w : windows[static_cast<size_t>(d)])
        SR_CHECK_AS(
            kShape, w.begin < w.end,
            "a window of kernel {} with dilation {} and padding {} meets no element of x with shape {}",
            a.kernel, a.dilation, a.padding, x.shape);
    }
    const Shape out = with_spatial(x.dim(0), x.dim(1), counts);
    return {{x.dtype, out, x.device}, {kI64, out, x.device}};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    max_reference(sliding(a, a.dilation, false, spatial(in[0].shape), spatial(out[0].shape)), in[0], out);
  }
  static Grads vjp(const Attrs&, const Vjp& c) {
    return {max_pool_backward(c.grad(), c.out(1), spatial(c.in_spec(0).shape))};
  }
  static Samples samples() {
    const Attrs two{{2, 2}, {2, 2}, {0, 0}, {1, 1}, false};
    return {
        sample(two, {distinct({2, 3, 4, 6})}),
        sample(Attrs{{1}, {1}, {0}, {1}, false}, {distinct({1, 1, 1})}),
        sample(two, {distinct({2, 2, 5, 7})}),
        sample(Attrs{{2, 2}, {2, 2}, {0, 0}, {1, 1}, true}, {distinct({1, 2, 5, 7})}),
        sample(Attrs{{3, 2}, {2, 1}, {1, 1}, {1, 1}, false}, {distinct({2, 2, 7, 5})}),
        sample(Attrs{{3, 3}, {2, 3}, {1, 1}, {1, 2}, true}, {distinct({1, 2, 8, 9})}),
        sample(Attrs{{3}, {1}, {1}, {2}, false}, {distinct({2, 3, 9})}),
        sample(Attrs{{2, 1, 3}, {1, 2, 2}, {1, 0, 1}, {1, 1, 1}, false}, {distinct({1, 2, 3, 4, 5})}),
        sample(two, {real({0, 3, 4, 4})}),
        bad(two, {real({4, 4})}, "x has shape [4, 4], expected [N, C, L...]"),
        bad(two, {real({2, 3, 4})}, "kernel has 2 numbers, expected 1: one for each spatial dimension"),
        bad(two, {real({2, 3, 1, 4})},
            "a window reaches over 2 elements, x with its padding has 1 along spatial dimension 0"),
        bad(Attrs{{2, 2}, {1, 1}, {2, 0}, {1, 1}, false}, {real({2, 3, 4, 4})},
            "padding is [2, 0], expected at most half of kernel [2, 2]"),
        bad(Attrs{{2}, {1}, {1}, {3}, false}, {real({1, 1, 2})},
            "a window of kernel [2] with dilation [3] and padding [1] meets no element of x with shape [1, "
            "1, 2]")};
  }
};

struct AdaptiveMaxPool {
  static constexpr OpName name = "adaptive_max_pool";
  static constexpr const char* doc =
      "y[n, c, i] = max of x[n, c, j] for floor(i L / size) <= j < ceil((i + 1) L / size)";
  using Attrs = SizeAttrs;
  static constexpr auto fields = std::tuple{field("size", &Attrs::size)};
  static constexpr DTypes dtypes = kFloating;
  static constexpr uint32_t saved_inputs = 0, saved_outputs = 0b10;
  static Specs infer(const Attrs& a, const TensorSpec& x) {
    check_planes("x", x);
    check_spatial("size", a.size, x.rank() - 2, 1);
    for (int d = 2; d < x.rank(); ++d)
      SR_CHECK_AS(kShape, x.dim(d) > 0, "x has shape {}: nothing to pool along dimension {}", x.shape, d);
    const Shape out = with_spatial(x.dim(0), x.dim(1), a.size);
    return {{x.dtype, out, x.device}, {kI64, out, x.device}};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    max_reference(adaptive(spatial(in[0].shape), a.size), in[0], out);
  }
  static Grads vjp(const Attrs&, const Vjp& c) {
    return {max_pool_backward(c.grad(), c.out(1), spatial(c.in_spec(0).shape))};
  }
  static Samples samples() {
    return {sample(Attrs{{2, 3}}, {distinct({2, 3, 4, 6})}),
            sample(Attrs{{1}}, {distinct({1, 1, 1})}),
            sample(Attrs{{3, 4}}, {distinct({2, 2, 7, 5})}),
            sample(Attrs{{4, 1}}, {distinct({1, 2, 3, 9})}),  // more windows than elements
            sample(Attrs{{2, 1, 2}}, {distinct({1, 2, 3, 4, 2})}),
            sample(Attrs{{2, 2}}, {real({0, 3, 4, 4})}),
            bad(Attrs{{2, 2}}, {real({2, 3, 4})}, "size has 2 numbers, expected 1"),
            bad(Attrs{{0}}, {real({2, 3, 4})}, "size is [0], expected at least 1"),
            bad(Attrs{{2}}, {real({2, 3, 0})}, "x has shape [2, 3, 0]: nothing to pool along dimension 2")};
  }
};

struct MaxPoolBackward {
  static constexpr OpName name = "max_pool_backward";
  static constexpr const char* doc = "dx[n, c, j] = sum of g[n, c, p] over p with index[n, c, p] = j";
  using Attrs = SizeAttrs;
  static constexpr auto fields = std::tuple{field("size", &Attrs::size)};
  static constexpr DTypes dtypes = kFloating;
  static constexpr uint32_t saved_inputs = 0b10;
  static Specs infer(const Attrs& a, const TensorSpec& g, const TensorSpec& index) {
    check_planes("g", g);
    check_spatial("size", a.size, g.rank() - 2, 0);
    check_same_shape("index", index, "g", g);
    SR_CHECK_AS(kShape, index.dtype == kI64, "index is {}, expected i64", index.dtype);
    return {{g.dtype, with_spatial(g.dim(0), g.dim(1), a.size), g.device}};
  }
  static void reference(const Attrs&, std::span<const HostArray> in, std::span<HostArray> out) {
    const HostArray &g = in[0], &index = in[1];
    const int64_t L = spatial(out[0].shape).numel(), P = spatial(g.shape).numel();
    for (int64_t i = 0; i < g.numel(); ++i) {
      const auto j = static_cast<int64_t>(index[i]);
      SR_CHECK(j >= 0 && j < L, "index {} is out of range for planes of {} elements", j, L);
      out[0][i / P * L + j] += g[i];
    }
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    const Shape shape = c.in_spec(0).shape;
    const int64_t P = spatial(shape).numel(),
                  L = Shape(std::span(a.size.data(), size_t(a.size.size()))).numel();
    const Tensor g = reshape(c.grad(), {shape[0], shape[1], L});
    return {reshape(gather(g, 2, reshape(c.in(1), {shape[0], shape[1], P})), shape), {}};
  }
  static Samples samples() {
    return {
        sample(Attrs{{4, 5}}, {real({2, 3, 2, 3}), index({2, 3, 2, 3}, 0, 20)}),
        sample(Attrs{{1}}, {real({1, 1, 1}), index({1, 1, 1}, 0, 1)}),
        sample(Attrs{{7}}, {real({2, 2, 9}), index({2, 2, 9}, 0, 7)}),
        sample(Attrs{{4, 4}}, {real({0, 3, 2, 2}), index({0, 3, 2, 2}, 0, 16)}),
        bad(Attrs{{4, 5}}, {real({2, 3, 2, 3}), index({2, 3, 2, 2}, 0, 20)},
            "index has shape [2, 3, 2, 2], g has shape [2, 3, 2, 3]; expected the same"),
        bad(Attrs{{4}}, {real({2, 3, 2, 3}), index({2, 3, 2, 3}, 0, 4)}, "size has 1 numbers, expected 2"),
        bad(Attrs{{4}}, {real({2, 3, 2}), boolean({2, 3, 2})}, "index is bool, expected i64")};
  }
};

struct AvgPool;
struct AvgPoolBackward {
  static constexpr OpName name = "avg_pool_backward";
  static constexpr const char* doc =
      "dx[n, c, j] = sum of g[n, c, p] / divisor(p) over the windows p that hold j";
  using Attrs = AvgPoolBackwardAttrs;
  static constexpr auto fields = std::tuple{
      field("size", &Attrs::size),           field("kernel", &Attrs::kernel),
      field("stride", &Attrs::stride),       field("padding", &Attrs::padding),
      field("ceil_mode", &Attrs::ceil_mode), field("count_include_pad", &Attrs::count_include_pad)};
  static constexpr DTypes dtypes = kFloating;
  static constexpr uint32_t saved_inputs = 0;
  static Dims no_dilation(int dims) {
    Dims one;
    for (int d = 0; d < dims; ++d) one.push_back(1);
    return one;
  }
  static Specs infer(const Attrs& a, const TensorSpec& g) {
    check_planes("g", g);
    check_spatial("size", a.size, g.rank() - 2, 0);
    const Shape counts = window_counts(a, no_dilation(a.size.size()), a.size);
    SR_CHECK_AS(kShape, spatial(g.shape) == counts, "g has shape {}, expected {} windows over {}", g.shape,
                counts, a.size);
    return {{g.dtype, with_spatial(g.dim(0), g.dim(1), a.size), g.device}};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    const Dims one = no_dilation(a.size.size());
    mean_backward_reference(sliding(a, one, a.count_include_pad, a.size, spatial(in[0].shape)), in[0],
                            out[0]);
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    return {avg_pool(c.grad(), a.kernel, {a.stride, a.padding, a.ceil_mode, a.count_include_pad})};
  }
  static Samples samples() {
    return {sample(Attrs{{4, 6}, {2, 2}, {2, 2}, {0, 0}, false, true}, {real({2, 3, 2, 3})}),
            sample(Attrs{{1}, {1}, {1}, {0}, false, true}, {real({1, 1, 1})}),
            sample(Attrs{{5, 7}, {3, 2}, {2, 1}, {1, 1}, true, false}, {real({2, 2, 3, 8})}),
            sample(Attrs{{5, 7}, {3, 2}, {2, 1}, {1, 1}, true, true}, {real({2, 2, 3, 8})}),
            sample(Attrs{{3, 4, 5}, {2, 1, 3}, {1, 2, 2}, {1, 0, 1}, false, true}, {real({1, 2, 4, 2, 3})}),
            sample(Attrs{{4}, {2}, {2}, {0}, false, true}, {real({0, 3, 2})}),
            bad(Attrs{{4, 6}, {2, 2}, {2, 2}, {0, 0}, false, true}, {real({2, 3, 2, 2})},
                "g has shape [2, 3, 2, 2], expected [2, 3] windows over [4, 6]"),
            bad(Attrs{{4}, {2, 2}, {2, 2}, {0, 0}, false, true}, {real({2, 3, 2})},
                "kernel has 2 numbers, expected 1")};
  }
};

struct AvgPool {
  static constexpr OpName name = "avg_pool";
  static constexpr const char* doc = "y[n, c, p] = mean over k of x[n, c, p stride - padding + k]";
  using Attrs = AvgPoolAttrs;
  static constexpr auto fields = std::tuple{
      field("kernel", &Attrs::kernel), field("stride", &Attrs::stride), field("padding", &Attrs::padding),
      field("ceil_mode", &Attrs::ceil_mode), field("count_include_pad", &Attrs::count_include_pad)};
  static constexpr DTypes dtypes = kFloating;
  static constexpr uint32_t saved_inputs = 0;
  static Specs infer(const Attrs& a, const TensorSpec& x) {
    check_planes("x", x);
    const Dims one = AvgPoolBackward::no_dilation(x.rank() - 2);
    return {{x.dtype, with_spatial(x.dim(0), x.dim(1), window_counts(a, one, spatial(x.shape))), x.device}};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    const Dims one = AvgPoolBackward::no_dilation(a.kernel.size());
    mean_reference(sliding(a, one, a.count_include_pad, spatial(in[0].shape), spatial(out[0].shape)), in[0],
                   out[0]);
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    return {dispatch<AvgPoolBackward>(
        {spatial(c.in_spec(0).shape), a.kernel, a.stride, a.padding, a.ceil_mode, a.count_include_pad},
        c.grad())};
  }
  static Samples samples() {
    const Attrs two{{2, 2}, {2, 2}, {0, 0}, false, true};
    return {sample(two, {real({2, 3, 4, 6})}),
            sample(Attrs{{1}, {1}, {0}, false, true}, {real({1, 1, 1})}),
            sample(two, {real({2, 2, 5, 7})}),
            sample(Attrs{{2, 2}, {2, 2}, {1, 1}, true, false}, {real({1, 2, 5, 7})}),
            sample(Attrs{{3, 2}, {2, 1}, {1, 1}, true, true}, {real({2, 2, 7, 5})}),
            sample(Attrs{{3, 3}, {1, 3}, {1, 0}, false, false}, {real({1, 2, 8, 9})}),
            sample(Attrs{{2, 1, 3}, {1, 2, 2}, {1, 0, 1}, false, true}, {real({1, 2, 3, 4, 5})}),
            sample(two, {real({0, 3, 4, 4})}),
            bad(two, {real({2, 3, 4})}, "kernel has 2 numbers, expected 1: one for each spatial dimension"),
            bad(two, {real({2, 3, 1, 4})},
                "a window reaches over 2 elements, x with its padding has 1 along spatial dimension 0"),
            bad(Attrs{{2, 2}, {1, 0}, {0, 0}, false, true}, {real({2, 3, 4, 4})},
                "stride is [1, 0], expected at least 1")};
  }
};

struct AdaptiveAvgPoolBackward {
  static constexpr OpName name = "adaptive_avg_pool_backward";
  static constexpr const char* doc =
      "dx[n, c, j] = sum of g[n, c, i] / elements(i) over the windows i that hold j";
  using Attrs = SizeAttrs;
  static constexpr auto fields = std::tuple{field("size", &Attrs::size)};
  static constexpr DTypes dtypes = kFloating;
  static constexpr uint32_t saved_inputs = 0;
  static Specs infer(const Attrs& a, const TensorSpec& g) {
    check_planes("g", g);
    check_spatial("size", a.size, g.rank() - 2, 1);
    return {{g.dtype, with_spatial(g.dim(0), g.dim(1), a.size), g.device}};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    mean_backward_reference(adaptive(a.size, spatial(in[0].shape)), in[0], out[0]);
  }
  static Grads vjp(const Attrs&, const Vjp& c) {
    return {adaptive_avg_pool(c.grad(), spatial(c.in_spec(0).shape))};
  }
  static Samples samples() {
    return {sample(Attrs{{4, 6}}, {real({2, 3, 2, 3})}),
            sample(Attrs{{1}}, {real({1, 1, 1})}),
            sample(Attrs{{7, 5}}, {real({2, 2, 3, 4})}),
            sample(Attrs{{3, 4, 2}}, {real({1, 2, 2, 1, 2})}),
            sample(Attrs{{4, 4}}, {real({0, 3, 2, 2})}),
            bad(Attrs{{4}}, {real({2, 3, 2, 2})}, "size has 1 numbers, expected 2"),
            bad(Attrs{{0}}, {real({2, 3, 2})}, "size is [0], expected at least 1")};
  }
};

struct AdaptiveAvgPool {
  static constexpr OpName name = "adaptive_avg_pool";
  static constexpr const char* doc =
      "y[n, c, i] = mean of x[n, c, j] for floor(i L / size) <= j < ceil((i + 1) L / size)";
  using Attrs = SizeAttrs;
  static constexpr auto fields = std::tuple{field("size", &Attrs::size)};
  static constexpr DTypes dtypes = kFloating;
  static constexpr uint32_t saved_inputs = 0;
  static Specs infer(const Attrs& a, const TensorSpec& x) {
    const Specs out = AdaptiveMaxPool::infer(a, x);
    return {out[0]};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    mean_reference(adaptive(spatial(in[0].shape), a.size), in[0], out[0]);
  }
  static Grads vjp(const Attrs&, const Vjp& c) {
    return {dispatch<AdaptiveAvgPoolBackward>({spatial(c.in_spec(0).shape)}, c.grad())};
  }
  static Samples samples() {
    return {sample(Attrs{{2, 3}}, {real({2, 3, 4, 6})}),
            sample(Attrs{{1}}, {real({1, 1, 1})}),
            sample(Attrs{{1, 1}}, {real({2, 3, 7, 5})}),
            sample(Attrs{{3, 4}}, {real({2, 2, 7, 5})}),
            sample(Attrs{{4, 1}}, {real({1, 2, 3, 9})}),  // more windows than elements
            sample(Attrs{{2, 1, 2}}, {real({1, 2, 3, 4, 2})}),
            sample(Attrs{{2, 2}}, {real({0, 3, 4, 4})}),
            bad(Attrs{{2, 2}}, {real({2, 3, 4})}, "size has 2 numbers, expected 1"),
            bad(Attrs{{2}}, {real({2, 3, 0})}, "x has shape [2, 3, 0]: nothing to pool along dimension 2")};
  }
};

}  // namespace

std::vector<Tensor> max_pool_with_indices(const Tensor& x, const Dims& kernel, const MaxPoolOptions& o) {
  return dispatch_all<MaxPool>(
      {for_each_spatial(kernel, x.rank() - 2),
       for_each_spatial(o.stride.empty() ? kernel : o.stride, x.rank() - 2),
       for_each_spatial(o.padding, x.rank() - 2), for_each_spatial(o.dilation, x.rank() - 2), o.ceil_mode},
      x);
}
Tensor max_pool(const Tensor& x, const Dims& kernel, const MaxPoolOptions& o) {
  return max_pool_with_indices(x, kernel, o)[0];
}
Tensor avg_pool(const Tensor& x, const Dims& kernel, const AvgPoolOptions& o) {
  return dispatch<AvgPool>({for_each_spatial(kernel, x.rank() - 2),
                            for_each_spatial(o.stride.empty() ? kernel : o.stride, x.rank() - 2),
                            for_each_spatial(o.padding, x.rank() - 2), o.ceil_mode, o.count_include_pad},
                           x);
}
Tensor adaptive_avg_pool(const Tensor& x, const Dims& size) {
  return dispatch<AdaptiveAvgPool>({for_each_spatial(size, x.rank() - 2)}, x);
}
std::vector<Tensor> adaptive_max_pool_with_indices(const Tensor& x, const Dims& size) {
  return dispatch_all<AdaptiveMaxPool>({for_each_spatial(size, x.rank() - 2)}, x);
}
Tensor adaptive_max_pool(const Tensor& x, const Dims& size) {
  return adaptive_max_pool_with_indices(x, size)[0];
}
Tensor max_pool_backward(const Tensor& g, const Tensor& index, const Dims& size) {
  return dispatch<MaxPoolBackward>({size}, g, index);
}

OpList ops_pool() {
  return {&op_info<MaxPool>(),
          &op_info<AdaptiveMaxPool>(),
          &op_info<MaxPoolBackward>(),
          &op_info<AvgPool>(),
          &op_info<AvgPoolBackward>(),
          &op_info<AdaptiveAvgPool>(),
          &op_info<AdaptiveAvgPoolBackward>()};
}

}  // namespace suiren
