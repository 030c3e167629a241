#include "suiren/ops/reduce/reduce.h"

#include <algorithm>
#include <cmath>

#include "suiren/core/dispatch.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/compare/compare.h"
#include "suiren/ops/concat/concat.h"
#include "suiren/ops/full/full.h"
#include "suiren/ops/reduce/axes.h"
#include "suiren/ops/scan/scan.h"
#include "suiren/ops/view/view.h"

namespace suiren {
namespace {

struct Sum : Reduce {
  static constexpr OpName name = "sum";
  static constexpr const char* doc = "y = sum of x over axes; integers and bool as i64";
  static constexpr DTypes dtypes = kAnyType;
  static constexpr uint32_t saved_inputs = 0;
  static Specs infer(const Attrs& a, const TensorSpec& x) {
    return {{x.dtype.is_floating() ? x.dtype : kI64, result_shape(a, x), x.device}};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    const HostArray& x = in[0];
    const Shape kept = kept_shape(a.axes, x.shape);
    for (int64_t i = 0; i < x.numel(); ++i) {
      Wide& y = out[0][broadcast_index(i, x.shape, kept)];
      y = add_wide(x.dtype, y, x[i]);
    }
  }
  static Grads vjp(const Attrs& a, const Vjp& c) { return {spread(a, c.grad(), c.in_spec(0).shape)}; }
  static Samples samples() {
    Samples all = samples_of(real);
    all.push_back(sample(Attrs{{0}, false}, {real({0, 4})}));
    return all;
  }
};

struct Mean : Reduce {
  static constexpr OpName name = "mean";
  static constexpr const char* doc = "y = (sum of x over axes) / their number";
  static constexpr DTypes dtypes = kFloating;
  static constexpr uint32_t saved_inputs = 0;
  static Specs infer(const Attrs& a, const TensorSpec& x) {
    check_dtype(dtypes, "x", x);
    return {{x.dtype, result_shape(a, x), x.device}};
  }
  static Tensor decompose(const Attrs& a, const Tensor& x) {
    const Tensor total = sum(cast(x, accumulator(x.dtype())), a.axes, a.keep);
    return cast(total / static_cast<double>(reduced_count(a.axes, x.shape())), x.dtype());
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    const TensorSpec& x = c.in_spec(0);
    return {spread(a, c.grad() / static_cast<double>(reduced_count(a.axes, x.shape)), x.shape)};
  }
  static Samples samples() {
    Samples all = samples_of(real);
    all.push_back(
        bad(Attrs{{0}, false}, {boolean({3})}, "x is bool, expected a floating type; cast it first"));
    return all;
  }
};

// What max and min share; Row::beats(x, y) is true where x displaces y.
template <class Row>
struct Extremum : Reduce {
  static constexpr DTypes dtypes = kNumbers;
  static constexpr uint32_t saved_inputs = 1, saved_outputs = 1;
  static Specs infer(const Attrs& a, const TensorSpec& x) {
    check_dtype(dtypes, "x", x);
    const Shape shape = result_shape(a, x);
    SR_CHECK_AS(kShape, shape.numel() == 0 || reduced_count(a.axes, x.shape) > 0,
                "x with shape {} has no elements along axes {} to choose from", x.shape, a.axes);
    return {{x.dtype, shape, x.device}};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    const HostArray& x = in[0];
    const Shape kept = kept_shape(a.axes, x.shape);
    std::vector<bool> started(out[0].v.size());
    for (int64_t i = 0; i < x.numel(); ++i) {
      const int64_t o = broadcast_index(i, x.shape, kept);
      if (!started[static_cast<size_t>(o)] || Row::beats(x[i], out[0][o]) || std::isnan(x[i]))
        out[0][o] = x[i];
      started[static_cast<size_t>(o)] = true;
    }
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {  // equal extrema share the gradient
    const Tensor x = c.in(0);
    const Tensor hit = cast(eq(x, spread(a, c.out(0), x.shape())), x.dtype());
    return {spread(a, c.grad(), x.shape()) * hit / sum(hit, a.axes, true)};
  }
  static Samples samples() {
    Samples all = samples_of([](Shape s, double, double) { return distinct(s, -100, 100); });
    all.push_back(bad(Attrs{{0}, false}, {real({0, 4})},
                      "x with shape [0, 4] has no elements along axes [0] to choose from"));
    all.push_back(bad(Attrs{{0}, false}, {boolean({3})}, "x is bool, expected a number; cast it first"));
    return all;
  }
};

struct Max : Extremum<Max> {
  static constexpr OpName name = "max";
  static constexpr const char* doc = "y = largest x over axes; NaN wins; equals share the gradient";
  static bool beats(Wide x, Wide y) { return x > y; }
};

struct Min : Extremum<Min> {
  static constexpr OpName name = "min";
  static constexpr const char* doc = "y = smallest x over axes; NaN wins; equals share the gradient";
  static bool beats(Wide x, Wide y) { return x < y; }
};

struct ProdBackward {
  static constexpr OpName name = "prod_backward";
  static constexpr const char* doc =
      "dx = g (product of all other elements of x over axes); g has extents of 1 there";
  struct Attrs {
    Dims axes;
  };
  static constexpr auto fields = std::tuple{field("axes", &Attrs::axes)};
  static constexpr DTypes dtypes = kFloating;
  static Specs infer(const Attrs& a, const TensorSpec& x, const TensorSpec& g) {
    check_dtype(dtypes, "x", x);
    check_same_dtype("x", x, "g", g);
    SR_CHECK_AS(kShape, !a.axes.empty(), "there are no axes, expected at least 1");
    Reduce::result_shape({a.axes, true}, x);
    const Shape kept = kept_shape(a.axes, x.shape);
    SR_CHECK_AS(kShape, g.shape == kept, "g has shape {}, expected {}", g.shape, kept);
    return {x};
  }
  // In f64, what stands before times what stands behind: right with zeros too.
  static Tensor decompose(const Attrs& a, const Tensor& x, const Tensor& g) {
    if (x.numel() == 0) return x;
    Dims order, back;
    Shape line;  // the kept dimensions, then all reduced ones as one
    for (int64_t d = 0; d < x.rank(); ++d)
      if (!reduces(a, d)) order.push_back(d), line.push_back(x.dim(static_cast<int>(d)));
    for (int64_t d : a.axes) order.push_back(d);
    line.push_back(reduced_count(a.axes, x.shape()));
    for (int64_t d = 0; d < x.rank(); ++d) back.push_back(place_of(order, d));
    const Tensor moved = permute(cast(x, kF64), order), flat = reshape(moved, line);
    const Tensor others = reshape(exclusive(flat, false) * exclusive(flat, true), moved.shape());
    return cast(cast(g, kF64) * permute(others, back), x.dtype());
  }
  static bool reduces(const Attrs& a, int64_t d) {
    return std::find(a.axes.begin(), a.axes.end(), d) != a.axes.end();
  }
  static int64_t place_of(const Dims& order, int64_t d) {
    return std::find(order.begin(), order.end(), d) - order.begin();
  }
  // Along the last dimension: the product of the elements before (behind, with `reverse`) each.
  static Tensor exclusive(const Tensor& x, bool reverse) {
    const int64_t n = x.dim(-1);
    Shape edge = x.shape();
    edge[x.rank() - 1] = 1;
    const Tensor one = ones(edge, x.dtype(), x.device());
    const Tensor part = cumprod(slice(x, -1, reverse ? 1 : 0, reverse ? n : n - 1), -1, reverse);
    return concat(reverse ? Tensors{part, one} : Tensors{one, part}, -1);
  }
  static Samples samples() {
    const auto call = [](const Dims& axes, const Shape& x) {
      return sample(Attrs{axes}, {real(x), real(kept_shape(axes, x))});
    };
    const auto zeros = [](const Dims& axes, const Shape& x) {
      return sample(Attrs{axes}, {real(x, 0, 0), real(kept_shape(axes, x))});
    };
    return {call({0}, {1}),
            call({0}, {17}),
            call({1}, {3, 70}),
            call({0}, {5, 37}),
            call({0, 1}, {3, 5}),
            call({1}, {2, 3, 20}),
            call({0, 2}, {2, 3, 4}),
            call({0}, {0, 4}),
            zeros({1}, {2, 3}),
            zeros({0}, {2, 19}),
            bad(Attrs{{}}, {real({3}), real({3})}, "there are no axes, expected at least 1"),
            bad(Attrs{{1}}, {real({2, 3}), real({2, 3})}, "g has shape [2, 3], expected [2, 1]"),
            bad(Attrs{{0}}, {boolean({3}), boolean({1})}, "x is bool, expected a floating type")};
  }
};

struct Prod : Reduce {
  static constexpr OpName name = "prod";
  static constexpr const char* doc = "y = product of x over axes; integers and bool as i64";
  static constexpr DTypes dtypes = kAnyType;
  static constexpr uint32_t saved_inputs = 1;
  static Specs infer(const Attrs& a, const TensorSpec& x) {
    return {{x.dtype.is_floating() ? x.dtype : kI64, result_shape(a, x), x.device}};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    const HostArray& x = in[0];
    const Shape kept = kept_shape(a.axes, x.shape);
    for (Wide& y : out[0].v) y = 1;
    for (int64_t i = 0; i < x.numel(); ++i) {
      Wide& y = out[0][broadcast_index(i, x.shape, kept)];
      y = multiply_wide(x.dtype, y, x[i]);
    }
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    const Tensor x = c.in(0);
    if (x.numel() == 0 || a.axes.empty()) return {spread(a, c.grad(), x.shape())};
    return {dispatch<ProdBackward>({a.axes}, x, reshape(c.grad(), kept_shape(a.axes, x.shape())))};
  }
  static Samples samples() {
    Samples all = samples_of(real);
    all.push_back(sample(Attrs{{0}, false}, {real({0, 4})}));
    all.push_back(sample(Attrs{{1}, false}, {real({2, 3}, 0, 0)}));  // zeros
    return all;
  }
};

// What argmax and argmin share; Row::beats(x, y) is true where x displaces y.
template <class Row>
struct ExtremumIndex {
  struct Attrs {
    int64_t axis;
  };
  static constexpr auto fields = std::tuple{field("axis", &Attrs::axis)};
  static constexpr DTypes dtypes = kNumbers;
  static constexpr const char* no_gradient = "its result is an index";
  static Specs infer(const Attrs& a, const TensorSpec& x) {
    check_dtype(dtypes, "x", x);
    check_axis(a.axis, x);
    Shape shape = x.shape;
    shape.erase(static_cast<int>(a.axis));
    SR_CHECK_AS(kShape, shape.numel() == 0 || x.shape.numel() > 0,
                "x with shape {} has no elements along dimension {} to choose from", x.shape, a.axis);
    return {{kI64, shape, x.device}};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    const HostArray& x = in[0];
    const AxisView v(x.shape, a.axis);
    for (int64_t o = 0; o < v.outers; ++o)
      for (int64_t i = 0; i < v.inners; ++i) {
        int64_t best = 0;
        for (int64_t k = 1; k < v.extent; ++k) {
          const Wide y = x[v.at(o, best, i)], candidate = x[v.at(o, k, i)];
          if (Row::beats(candidate, y) || (std::isnan(candidate) && !std::isnan(y))) best = k;
        }
        out[0][o * v.inners + i] = static_cast<Wide>(best);
      }
  }
  static Samples samples() {
    const auto x = [](Shape s) { return distinct(s, -100, 100); };
    return {
        sample(Attrs{0}, {x({1})}),
        sample(Attrs{0}, {x({37})}),
        sample(Attrs{1}, {x({3, 5})}),
        sample(Attrs{0}, {x({3, 5})}),
        sample(Attrs{1}, {x({2, 6, 3})}),
        sample(Attrs{3}, {x({2, 1, 3, 4})}),
        sample(Attrs{1}, {x({0, 4})}),
        sample(Attrs{0}, {real({9}, 1, 1)}),  // all equal: the first
        bad(Attrs{0}, {real({0, 4})}, "x with shape [0, 4] has no elements along dimension 0 to choose from"),
        bad(Attrs{2}, {x({3, 5})}, "dimension 2 is out of range for x with shape [3, 5]"),
        bad(Attrs{0}, {boolean({3})}, "x is bool, expected a number; cast it first")};
  }
};

struct Argmax : ExtremumIndex<Argmax> {
  static constexpr OpName name = "argmax";
  static constexpr const char* doc = "y = first k with the largest x[..., k, ...]; NaN counts as the largest";
  static bool beats(Wide x, Wide y) { return x > y; }
};

struct Argmin : ExtremumIndex<Argmin> {
  static constexpr OpName name = "argmin";
  static constexpr const char* doc =
      "y = first k with the smallest x[..., k, ...]; NaN counts as the smallest";
  static bool beats(Wide x, Wide y) { return x < y; }
};

struct SumSquares {
  static constexpr OpName name = "sum_squares";
  static constexpr const char* doc = "y = sum of x^2 over all elements, in f64";
  using Attrs = NoAttrs;
  static constexpr auto fields = std::tuple{};
  static constexpr DTypes dtypes = kFloating;
  static Specs infer(const NoAttrs&, const TensorSpec& x) {
    check_dtype(dtypes, "x", x);
    return {{kF64, {}, x.device}};
  }
  static void reference(const NoAttrs&, std::span<const HostArray> in, std::span<HostArray> out) {
    for (Wide x : in[0].v) out[0][0] += x * x;
  }
  static Grads vjp(const NoAttrs&, const Vjp& c) {
    const Tensor x = c.in(0);
    return {cast(c.grad(), x.dtype()) * x * 2};
  }
  static Samples samples() {
    return {sample(NoAttrs{}, {real({})}),
            sample(NoAttrs{}, {real({37})}),
            sample(NoAttrs{}, {real({5, 7})}),
            sample(NoAttrs{}, {real({2, 3, 4})}),
            sample(NoAttrs{}, {real({2, 1, 3, 4})}),
            sample(NoAttrs{}, {real({0, 3})}),
            bad(NoAttrs{}, {boolean({3})}, "x is bool, expected a floating type; cast it first")};
  }
};

struct Cumsum {
  static constexpr OpName name = "cumsum";
  static constexpr const char* doc = "y[k] = x[0] + ... + x[k] along axis; reverse: x[k] + ... + x[n-1]";
  struct Attrs {
    int64_t axis;
    bool reverse;
  };
  static constexpr auto fields = std::tuple{field("axis", &Attrs::axis), field("reverse", &Attrs::reverse)};
  static constexpr DTypes dtypes = kAnyType;
  static constexpr uint32_t saved_inputs = 0;
  static Specs infer(const Attrs& a, const TensorSpec& x) {
    check_axis(a.axis, x);
    return {{x.dtype.is_floating() ? x.dtype : kI64, x.shape, x.device}};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    const AxisView v(in[0].shape, a.axis);
    for (int64_t o = 0; o < v.outers; ++o)
      for (int64_t i = 0; i < v.inners; ++i) {
        Wide total = 0;
        for (int64_t k = 0; k < v.extent; ++k) {
          const int64_t at = v.at(o, a.reverse ? v.extent - 1 - k : k, i);
          out[0][at] = total = add_wide(in[0].dtype, total, in[0][at]);
        }
      }
  }
  static Grads vjp(const Attrs& a, const Vjp& c) { return {cumsum(c.grad(), a.axis, !a.reverse)}; }
  static Samples samples() {
    return {sample(Attrs{0, false}, {real({1})}),
            sample(Attrs{0, false}, {real({37})}),
            sample(Attrs{0, true}, {real({37})}),
            sample(Attrs{1, false}, {real({3, 5})}),
            sample(Attrs{0, true}, {real({3, 5})}),
            sample(Attrs{1, false}, {real({2, 6, 3})}),
            sample(Attrs{3, true}, {real({2, 1, 3, 4})}),
            sample(Attrs{0, false}, {real({0, 4})}),
            bad(Attrs{2, false}, {real({3, 5})}, "dimension 2 is out of range for x with shape [3, 5]")};
  }
};

}  // namespace

Tensor sum(const Tensor& x, const Dims& axes, bool keep) {
  return dispatch<Sum>({resolved(axes, x.rank()), keep}, x);
}
Tensor mean(const Tensor& x, const Dims& axes, bool keep) {
  return dispatch<Mean>({resolved(axes, x.rank()), keep}, x);
}
Tensor max(const Tensor& x, const Dims& axes, bool keep) {
  return dispatch<Max>({resolved(axes, x.rank()), keep}, x);
}
Tensor min(const Tensor& x, const Dims& axes, bool keep) {
  return dispatch<Min>({resolved(axes, x.rank()), keep}, x);
}
Tensor argmax(const Tensor& x, int64_t axis) { return dispatch<Argmax>({normalize_axis(axis, x.rank())}, x); }
Tensor argmin(const Tensor& x, int64_t axis) { return dispatch<Argmin>({normalize_axis(axis, x.rank())}, x); }
Tensor prod(const Tensor& x, const Dims& axes, bool keep) {
  return dispatch<Prod>({resolved(axes, x.rank()), keep}, x);
}
Tensor sum_squares(const Tensor& x) { return dispatch<SumSquares>({}, x); }
Tensor cumsum(const Tensor& x, int64_t axis, bool reverse) {
  return dispatch<Cumsum>({normalize_axis(axis, x.rank()), reverse}, x);
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  SR_CHECK_AS(kShape, broadcast(x.shape(), shape) == x.shape(), "{} does not broadcast to {}", shape,
              x.shape());
  const int extra = x.rank() - shape.rank();
  Dims axes;
  for (int d = 0; d < x.rank(); ++d)
    if (d < extra || (shape[d - extra] == 1 && x.dim(d) != 1)) axes.push_back(d);
  return reshape(axes.empty() ? x : sum(x, axes, true), shape);
}

OpList ops_reduce() {
  return {&op_info<Sum>(),        &op_info<Mean>(),   &op_info<Max>(),  &op_info<Min>(),
          &op_info<Argmax>(),     &op_info<Argmin>(), &op_info<Prod>(), &op_info<ProdBackward>(),
          &op_info<SumSquares>(), &op_info<Cumsum>()};
}

}  // namespace suiren
