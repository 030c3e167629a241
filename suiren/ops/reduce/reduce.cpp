#include "suiren/ops/reduce/reduce.h"

#include "suiren/core/dispatch.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/common.h"
#include "suiren/ops/view/view.h"

namespace suiren {
namespace {

struct ReduceAttrs {
  Dims axes;  // ascending; never empty unless x is a scalar
  bool keep;
};

// x's shape with the reduced dimensions of extent 1.
Shape kept_shape(const Dims& axes, const Shape& x) {
  Shape kept = x;
  for (int64_t d : axes) kept[static_cast<int>(d)] = 1;
  return kept;
}

int64_t reduced_count(const Dims& axes, const Shape& x) {
  int64_t n = 1;
  for (int64_t d : axes) n *= x[static_cast<int>(d)];
  return n;
}

// What all reductions over axes share.
struct Reduce {
  using Attrs = ReduceAttrs;
  static constexpr auto fields = std::tuple{field("axes", &Attrs::axes), field("keep", &Attrs::keep)};

  static Shape result_shape(const Attrs& a, const TensorSpec& x) {
    Shape shape = x.shape;
    int64_t before = -1;
    for (int64_t d : a.axes) {
      SR_CHECK_AS(kShape, d > before && d < x.rank(), "axes {} are no set of dimensions of {}", a.axes,
                  x.shape);
      before = d;
    }
    for (int i = a.axes.rank() - 1; i >= 0; --i) {
      const int d = static_cast<int>(a.axes[i]);
      if (a.keep)
        shape[d] = 1;
      else
        shape.erase(d);
    }
    return shape;
  }
  // A gradient or result, shown with x's shape.
  static Tensor spread(const Attrs& a, const Tensor& y, const Shape& x) {
    return broadcast_to(reshape(y, kept_shape(a.axes, x)), x);
  }
  static Samples samples_of(SampleInput input(Shape, double, double)) {
    const auto x = [&](Shape s) { return input(s, -2, 2); };
    return {sample(Attrs{{}, false}, {x({})}),
            sample(Attrs{{0}, false}, {x({1})}),
            sample(Attrs{{0}, false}, {x({17})}),
            sample(Attrs{{1}, false}, {x({3, 5})}),
            sample(Attrs{{0}, true}, {x({3, 5})}),
            sample(Attrs{{0, 1}, false}, {x({3, 5})}),
            sample(Attrs{{0, 2}, true}, {x({2, 3, 4})}),
            sample(Attrs{{1}, false}, {x({2, 3, 4})}),
            sample(Attrs{{1, 3}, false}, {x({2, 3, 1, 4})}),
            sample(Attrs{{1}, false}, {x({0, 4})}),
            bad(Attrs{{2}, false}, {x({3, 5})}, "axes [2] are no set of dimensions of [3, 5]"),
            bad(Attrs{{1, 1}, false}, {x({3, 5})}, "axes [1, 1] are no set of dimensions of [3, 5]")};
  }
};

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

// Ascending positive axes; all of them when none are named.
Dims resolved(const Dims& axes, int rank) {
  bool reduced[kMaxRank] = {};
  for (int64_t d : axes) {
    bool& seen = reduced[normalize_axis(d, rank)];
    SR_CHECK_AS(kShape, !seen, "axes {} name dimension {} twice", axes, normalize_axis(d, rank));
    seen = true;
  }
  Dims out;
  for (int d = 0; d < rank; ++d)
    if (axes.empty() || reduced[d]) out.push_back(d);
  return out;
}

}  // namespace

Tensor sum(const Tensor& x, const Dims& axes, bool keep) {
  return dispatch<Sum>({resolved(axes, x.rank()), keep}, x);
}
Tensor mean(const Tensor& x, const Dims& axes, bool keep) {
  return dispatch<Mean>({resolved(axes, x.rank()), keep}, x);
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

OpList ops_reduce() { return {&op_info<Sum>(), &op_info<Mean>()}; }

}  // namespace suiren
