#include "suiren/ops/scatter/scatter.h"

#include <cmath>

#include "suiren/core/dispatch.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/common.h"
#include "suiren/ops/compare/compare.h"
#include "suiren/ops/full/full.h"
#include "suiren/ops/gather/gather.h"
#include "suiren/ops/gather/index.h"
#include "suiren/ops/view/view.h"
#include "suiren/ops/where/where.h"

namespace suiren {
namespace {

struct AxisAttrs {
  int64_t axis;
};
constexpr auto kAxisFields = std::tuple{field("axis", &AxisAttrs::axis)};

// What scatter, scatter_max and scatter_min share: inputs x, index, src; y = x, then y = Op::meet(y, src).
template <class Op>
struct ScatterBase {
  using Attrs = AxisAttrs;
  static constexpr auto fields = kAxisFields;
  static Specs infer(const Attrs& a, const TensorSpec& x, const TensorSpec& index, const TensorSpec& src) {
    check_dtype(Op::dtypes, "x", x);
    check_same_dtype("x", x, "src", src);
    check_index_shape(a.axis, x, index);
    check_same_shape("index", index, "src", src);
    return {x};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    out[0].v = in[0].v;
    for_each_indexed(a.axis, in[0].shape, in[1],
                     [&](int64_t y, int64_t i) { out[0][y] = Op::meet(out[0][y], in[2][i]); });
  }
  // Samples at which no two elements that meet are nearly equal.
  static Samples samples() {
    const auto call = [](int64_t axis, Shape x, Shape index_shape, int64_t extent) {
      return sample(Attrs{axis}, {distinct(x, -2, 2), index(index_shape, 0, static_cast<double>(extent)),
                                  distinct(index_shape, -1.99, 2.01)});
    };
    return {call(0, {5}, {9}, 5),
            call(0, {1}, {1}, 1),
            call(0, {4, 3}, {6, 2}, 4),
            call(1, {2, 3, 4}, {2, 5, 4}, 3),
            call(1, {3, 8}, {3, 6}, 8),
            call(3, {2, 2, 1, 6}, {2, 2, 1, 3}, 6),
            call(0, {3, 2}, {0, 2}, 3),
            bad(Attrs{0}, {real({3}), index({2}, 5, 6), real({2})},
                "index 5 is out of range for dimension 0 of x with shape [3]"),
            bad(Attrs{0}, {real({3}), index({2}, 0, 3), real({4})},
                "index has shape [2], src has shape [4]; expected the same"),
            bad(Attrs{0}, {real({3}), boolean({2}), real({2})},
                "index is bool, expected i64 or i32; cast it first")};
  }
};

// Which entries of an index are the last of those that lead to one place of a tensor with `shape`.
Tensor stays(int64_t axis, const Tensor& index, const Shape& shape) {
  const Tensor place =
      reshape(arange(0, static_cast<double>(index.numel()), 1, kI64, index.device()), index.shape());
  return eq(gather(scatter(zeros(shape, kI64, index.device()), axis, index, place), axis, index), place);
}

struct Scatter : ScatterBase<Scatter> {
  static constexpr OpName name = "scatter";
  static constexpr const char* doc =
      "y = x, then y[..., index[..., i, ...], ...] = src[..., i, ...] along axis; the last of several stays";
  static constexpr DTypes dtypes = kAnyType;
  static constexpr uint32_t saved_inputs = 0b10;
  static Wide meet(Wide, Wide src) { return src; }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    const Tensor &g = c.grad(), index = c.in(1);
    const Tensor none = zeros(index.shape(), g.dtype(), g.device());
    return {scatter(g, a.axis, index, none), Tensor(),
            c.needs(2) ? where(stays(a.axis, index, g.shape()), gather(g, a.axis, index), none) : Tensor()};
  }
};

// The gradient of an extremum y of x and the elements of src that met it, shared by those that equal it.
Grads share_evenly(int64_t axis, const Vjp& c) {
  const Tensor &g = c.grad(), x = c.in(0), index = c.in(1), src = c.in(2), y = c.out(0);
  const Tensor in_x = cast(eq(x, y), g.dtype()), in_src = cast(eq(src, gather(y, axis, index)), g.dtype());
  const Tensor part = g / maximum(scatter_add(in_x, axis, index, in_src), full({}, 1, g.dtype(), g.device()));
  return {part * in_x, Tensor(), gather(part, axis, index) * in_src};
}

struct ScatterMax : ScatterBase<ScatterMax> {
  static constexpr OpName name = "scatter_max";
  static constexpr const char* doc =
      "y = x, then y[..., index[..., i, ...], ...] = max(itself, src[..., i, ...]) along axis; NaN wins";
  static constexpr DTypes dtypes = kNumbers;
  static constexpr uint32_t saved_outputs = 1;
  static Wide meet(Wide y, Wide src) { return std::isnan(y) || src <= y ? y : src; }
  static Grads vjp(const Attrs& a, const Vjp& c) { return share_evenly(a.axis, c); }
};

struct ScatterMin : ScatterBase<ScatterMin> {
  static constexpr OpName name = "scatter_min";
  static constexpr const char* doc =
      "y = x, then y[..., index[..., i, ...], ...] = min(itself, src[..., i, ...]) along axis; NaN wins";
  static constexpr DTypes dtypes = kNumbers;
  static constexpr uint32_t saved_outputs = 1;
  static Wide meet(Wide y, Wide src) { return std::isnan(y) || src >= y ? y : src; }
  static Grads vjp(const Attrs& a, const Vjp& c) { return share_evenly(a.axis, c); }
};

// index [N] as one of src's shape, for the functions that take an index for each element.
Tensor for_each_element(const Tensor& index, int64_t axis, const Shape& src) {
  Shape column;
  for (int d = 0; d < src.rank(); ++d) column.push_back(d == axis ? index.numel() : 1);
  return broadcast_to(reshape(index, column), src);
}

// What index_add and index_copy share.
template <class Op>
struct IndexBase {
  using Attrs = AxisAttrs;
  static constexpr auto fields = kAxisFields;
  static Specs infer(const Attrs& a, const TensorSpec& x, const TensorSpec& index, const TensorSpec& src) {
    check_dtype(Op::dtypes, "x", x);
    check_same_dtype("x", x, "src", src);
    check_axis(a.axis, x);
    check_index(index);
    SR_CHECK_AS(kShape, index.rank() == 1, "index has shape {}, expected one dimension", index.shape);
    Shape expected = x.shape;
    expected[static_cast<int>(a.axis)] = index.shape[0];
    SR_CHECK_AS(kShape, src.shape == expected, "src has shape {}, expected {}: a slice of x for each index",
                src.shape, expected);
    return {x};
  }
  static Samples samples() {
    const auto call = [](int64_t axis, Shape x, int64_t n, int64_t extent) {
      Shape src = x;
      src[static_cast<int>(axis)] = n;
      Sample s = sample(Attrs{axis}, {real(x), index({n}, 0, static_cast<double>(extent)), real(src)});
      s.loosen = 4;  // many terms may fall on one element, one after another
      return s;
    };
    return {
        call(0, {5}, 9, 5),
        call(0, {1}, 1, 1),
        call(0, {4, 3}, 6, 4),
        call(1, {2, 3, 4}, 5, 3),
        call(3, {2, 2, 1, 6}, 3, 6),
        call(0, {3, 2}, 0, 3),
        bad(Attrs{0}, {real({3}), index({2}, 5, 6), real({2})}, "index 5 is out of range for dimension 0"),
        bad(Attrs{0}, {real({3}), index({2, 2}, 0, 3), real({2})},
            "index has shape [2, 2], expected one dimension"),
        bad(Attrs{0}, {real({3, 2}), index({4}, 0, 3), real({4, 3})},
            "src has shape [4, 3], expected [4, 2]: a slice of x for each index")};
  }
};

struct IndexAdd : IndexBase<IndexAdd> {
  static constexpr OpName name = "index_add";
  static constexpr const char* doc = "y = x, then y[..., index[i], ...] += src[..., i, ...] along axis";
  static constexpr DTypes dtypes = kNumbers;
  static constexpr uint32_t saved_inputs = 0b10;
  static Tensor decompose(const Attrs& a, const Tensor& x, const Tensor& index, const Tensor& src) {
    return scatter_add(x, a.axis, for_each_element(index, a.axis, src.shape()), src);
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    return {c.grad(), Tensor(), c.needs(2) ? index_select(c.grad(), a.axis, c.in(1)) : Tensor()};
  }
};

struct IndexCopy : IndexBase<IndexCopy> {
  static constexpr OpName name = "index_copy";
  static constexpr const char* doc =
      "y = x, then y[..., index[i], ...] = src[..., i, ...] along axis; the last of several stays";
  static constexpr DTypes dtypes = kAnyType;
  static constexpr uint32_t saved_inputs = 0b10;
  static Tensor decompose(const Attrs& a, const Tensor& x, const Tensor& index, const Tensor& src) {
    return scatter(x, a.axis, for_each_element(index, a.axis, src.shape()), src);
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    const Tensor &g = c.grad(), index = c.in(1);
    const Tensor none = zeros(c.in_spec(2).shape, g.dtype(), g.device());
    Tensor dsrc;
    if (c.needs(2)) {
      const Tensor last = stays(0, index, {g.dim(static_cast<int>(a.axis))});
      dsrc = where(for_each_element(last, a.axis, none.shape()), index_select(g, a.axis, index), none);
    }
    return {index_copy(g, a.axis, index, none), Tensor(), dsrc};
  }
};

}  // namespace

Tensor scatter(const Tensor& x, int64_t axis, const Tensor& index, const Tensor& src) {
  return dispatch<Scatter>({normalize_axis(axis, x.rank())}, x, index, src);
}
Tensor scatter_max(const Tensor& x, int64_t axis, const Tensor& index, const Tensor& src) {
  return dispatch<ScatterMax>({normalize_axis(axis, x.rank())}, x, index, src);
}
Tensor scatter_min(const Tensor& x, int64_t axis, const Tensor& index, const Tensor& src) {
  return dispatch<ScatterMin>({normalize_axis(axis, x.rank())}, x, index, src);
}
Tensor index_add(const Tensor& x, int64_t axis, const Tensor& index, const Tensor& src) {
  return dispatch<IndexAdd>({normalize_axis(axis, x.rank())}, x, index, src);
}
Tensor index_copy(const Tensor& x, int64_t axis, const Tensor& index, const Tensor& src) {
  return dispatch<IndexCopy>({normalize_axis(axis, x.rank())}, x, index, src);
}

OpList ops_scatter() {
  return {&op_info<Scatter>(), &op_info<ScatterMax>(), &op_info<ScatterMin>(), &op_info<IndexAdd>(),
          &op_info<IndexCopy>()};
}

}  // namespace suiren
