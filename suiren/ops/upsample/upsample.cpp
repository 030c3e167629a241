#include "suiren/ops/upsample/upsample.h"

#include <algorithm>
#include <cmath>

#include "suiren/core/dispatch.h"
#include "suiren/ops/spatial.h"

namespace suiren {
namespace {

// The shape of x with other spatial extents; checks both.
Shape resized(const char* name, const TensorSpec& x, const Dims& size) {
  check_dtype(kFloating, name, x);
  SR_CHECK_AS(kShape, x.rank() >= 3, "{} has shape {}, expected [N, C, L...]", name, x.shape);
  check_spatial("size", size, x.rank() - 2, 1);
  for (int d = 2; d < x.rank(); ++d)
    SR_CHECK_AS(kShape, x.dim(d) >= 1, "{} has shape {}: nothing to interpolate along dimension {}", name,
                x.shape, d);
  return with_spatial(x.dim(0), x.dim(1), size);
}

// What output p of `out` reads of a dimension with `in` elements: two places, the second with weight t.
struct Place {
  int64_t first, second;
  Wide t;
};
Place nearest(int64_t p, int64_t in, int64_t out) {
  const int64_t at = p * in / out;
  return {at, at, 0};
}
Place linear(int64_t p, int64_t in, int64_t out, bool align_corners) {
  double s = 0;
  if (!align_corners)
    s = std::max(0.0,
                 (static_cast<double>(p) + 0.5) * static_cast<double>(in) / static_cast<double>(out) - 0.5);
  else if (out > 1)
    s = static_cast<double>(p) * static_cast<double>(in - 1) / static_cast<double>(out - 1);
  const int64_t first = std::min(static_cast<int64_t>(s), in - 1), second = std::min(first + 1, in - 1);
  return {first, second, second == first ? 0 : s - static_cast<double>(first)};
}

// f(index in the plane of `in`, index in the plane of `out`, weight) for every term. A weight of 0 is none.
template <class P, class F>
void for_each_term(const Shape& in, const Shape& out, P place, F f) {
  const auto recurse = [&](auto& self, int d, int64_t i, int64_t o, Wide weight) -> void {
    if (d == in.rank()) return f(i, o, weight);
    for (int64_t p = 0; p < out[d]; ++p) {
      const Place at = place(p, in[d], out[d]);
      self(self, d + 1, i * in[d] + at.first, o * out[d] + p, weight * (1 - at.t));
      if (at.t != 0) self(self, d + 1, i * in[d] + at.second, o * out[d] + p, weight * at.t);
    }
  };
  recurse(recurse, 0, 0, 0, 1);
}

template <class P>
void interpolate(const HostArray& x, HostArray& y, P place) {
  const Shape in = spatial(x.shape), out = spatial(y.shape);
  for_each_term(in, out, place, [&](int64_t i, int64_t o, Wide w) {
    for (int64_t n = 0; n < x.dim(0) * x.dim(1); ++n) y[n * out.numel() + o] += w * x[n * in.numel() + i];
  });
}
template <class P>
void interpolate_backward(const HostArray& g, HostArray& dx, P place) {
  const Shape in = spatial(dx.shape), out = spatial(g.shape);
  for_each_term(in, out, place, [&](int64_t i, int64_t o, Wide w) {
    for (int64_t n = 0; n < g.dim(0) * g.dim(1); ++n) dx[n * in.numel() + i] += w * g[n * out.numel() + o];
  });
}

struct SizeAttrs {
  Dims size;
};
struct LinearAttrs {
  Dims size;
  bool align_corners;
};

struct UpsampleNearestBackward {
  static constexpr OpName name = "upsample_nearest_backward";
  static constexpr const char* doc = "dx[n, c, j] = sum of g[n, c, p] over p with floor(p size / P) = j";
  using Attrs = SizeAttrs;
  static constexpr auto fields = std::tuple{field("size", &Attrs::size)};
  static constexpr DTypes dtypes = kFloating;
  static constexpr uint32_t saved_inputs = 0;
  static Specs infer(const Attrs& a, const TensorSpec& g) {
    return {{g.dtype, resized("g", g, a.size), g.device}};
  }
  static void reference(const Attrs&, std::span<const HostArray> in, std::span<HostArray> out) {
    interpolate_backward(in[0], out[0], nearest);
  }
  static Grads vjp(const Attrs&, const Vjp& c) {
    return {upsample_nearest(c.grad(), spatial(c.in_spec(0).shape))};
  }
  static Samples samples() {
    return {sample(Attrs{{2, 3}}, {real({2, 3, 4, 6})}),
            sample(Attrs{{1}}, {real({1, 1, 1})}),
            sample(Attrs{{5, 4}}, {real({1, 2, 3, 9})}),
            sample(Attrs{{2, 1, 3}}, {real({1, 2, 4, 2, 5})}),
            sample(Attrs{{2}}, {real({0, 3, 4})}),
            bad(Attrs{{2}}, {real({2, 3, 4, 6})}, "size has 1 numbers, expected 2"),
            bad(Attrs{{0}}, {real({2, 3, 4})}, "size is [0], expected at least 1")};
  }
};

struct UpsampleNearest {
  static constexpr OpName name = "upsample_nearest";
  static constexpr const char* doc = "y[n, c, p] = x[n, c, floor(p L / size)]";
  using Attrs = SizeAttrs;
  static constexpr auto fields = std::tuple{field("size", &Attrs::size)};
  static constexpr DTypes dtypes = kFloating;
  static constexpr uint32_t saved_inputs = 0;
  static Specs infer(const Attrs& a, const TensorSpec& x) {
    return {{x.dtype, resized("x", x, a.size), x.device}};
  }
  static void reference(const Attrs&, std::span<const HostArray> in, std::span<HostArray> out) {
    interpolate(in[0], out[0], nearest);
  }
  static Grads vjp(const Attrs&, const Vjp& c) {
    return {dispatch<UpsampleNearestBackward>({spatial(c.in_spec(0).shape)}, c.grad())};
  }
  static Samples samples() {
    return {
        sample(Attrs{{4, 6}}, {real({2, 3, 2, 3})}),
        sample(Attrs{{1}}, {real({1, 1, 1})}),
        sample(Attrs{{3, 9}}, {real({1, 2, 5, 4})}),
        sample(Attrs{{4, 2, 5}}, {real({1, 2, 2, 1, 3})}),
        sample(Attrs{{4}}, {real({0, 3, 2})}),
        bad(Attrs{{4}}, {real({2, 3, 4, 6})}, "size has 1 numbers, expected 2"),
        bad(Attrs{{2}}, {real({2, 3, 0})}, "x has shape [2, 3, 0]: nothing to interpolate along dimension 2"),
        bad(Attrs{{2}}, {real({2, 3})}, "x has shape [2, 3], expected [N, C, L...]")};
  }
};

struct UpsampleLinearBackward {
  static constexpr OpName name = "upsample_linear_backward";
  static constexpr const char* doc = "dx = the transpose of upsample_linear applied to g";
  using Attrs = LinearAttrs;
  static constexpr auto fields =
      std::tuple{field("size", &Attrs::size), field("align_corners", &Attrs::align_corners)};
  static constexpr DTypes dtypes = kFloating;
  static constexpr uint32_t saved_inputs = 0;
  static Specs infer(const Attrs& a, const TensorSpec& g) {
    return {{g.dtype, resized("g", g, a.size), g.device}};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    interpolate_backward(in[0], out[0], [&](int64_t p, int64_t from, int64_t to) {
      return linear(p, from, to, a.align_corners);
    });
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    return {upsample_linear(c.grad(), spatial(c.in_spec(0).shape), a.align_corners)};
  }
  static Samples samples() {
    return {sample(Attrs{{2, 3}, false}, {real({2, 3, 4, 6})}),
            sample(Attrs{{2, 3}, true}, {real({2, 3, 4, 7})}),
            sample(Attrs{{1}, true}, {real({1, 1, 1})}),
            sample(Attrs{{5, 4}, false}, {real({1, 2, 3, 9})}),
            sample(Attrs{{2, 1, 3}, false}, {real({1, 2, 4, 2, 5})}),
            sample(Attrs{{2}, false}, {real({0, 3, 4})}),
            bad(Attrs{{2}, false}, {real({2, 3, 4, 6})}, "size has 1 numbers, expected 2"),
            bad(Attrs{{0}, false}, {real({2, 3, 4})}, "size is [0], expected at least 1")};
  }
};

struct UpsampleLinear {
  static constexpr OpName name = "upsample_linear";
  static constexpr const char* doc =
      "y[n, c, p] = (1 - t) x[n, c, floor(s)] + t x[n, c, floor(s) + 1] along each dimension, t = s - "
      "floor(s), "
      "s = (p + 1/2) L / size - 1/2";
  using Attrs = LinearAttrs;
  static constexpr auto fields =
      std::tuple{field("size", &Attrs::size), field("align_corners", &Attrs::align_corners)};
  static constexpr DTypes dtypes = kFloating;
  static constexpr uint32_t saved_inputs = 0;
  static Specs infer(const Attrs& a, const TensorSpec& x) {
    return {{x.dtype, resized("x", x, a.size), x.device}};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    interpolate(in[0], out[0],
                [&](int64_t p, int64_t from, int64_t to) { return linear(p, from, to, a.align_corners); });
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    return {dispatch<UpsampleLinearBackward>({spatial(c.in_spec(0).shape), a.align_corners}, c.grad())};
  }
  static Samples samples() {
    return {sample(Attrs{{4, 6}, false}, {real({2, 3, 2, 3})}),
            sample(Attrs{{4, 7}, true}, {real({2, 3, 2, 3})}),
            sample(Attrs{{1}, true}, {real({1, 1, 1})}),
            sample(Attrs{{3, 9}, false}, {real({1, 2, 5, 4})}),
            sample(Attrs{{1, 3}, true}, {real({1, 2, 5, 4})}),
            sample(Attrs{{4, 2, 5}, false}, {real({1, 2, 2, 1, 3})}),
            sample(Attrs{{4}, false}, {real({0, 3, 2})}),
            bad(Attrs{{4}, false}, {real({2, 3, 4, 6})}, "size has 1 numbers, expected 2"),
            bad(Attrs{{2}, true}, {real({2, 3, 0})},
                "x has shape [2, 3, 0]: nothing to interpolate along dimension 2")};
  }
};

}  // namespace

Tensor upsample_nearest(const Tensor& x, const Dims& size) { return dispatch<UpsampleNearest>({size}, x); }
Tensor upsample_linear(const Tensor& x, const Dims& size, bool align_corners) {
  return dispatch<UpsampleLinear>({size, align_corners}, x);
}

OpList ops_upsample() {
  return {&op_info<UpsampleNearest>(), &op_info<UpsampleNearestBackward>(), &op_info<UpsampleLinear>(),
          &op_info<UpsampleLinearBackward>()};
}

}  // namespace suiren
