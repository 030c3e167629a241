#include "suiren/ops/gather/gather.h"

#include "suiren/core/dispatch.h"
#include "suiren/ops/common.h"
#include "suiren/ops/full/full.h"
#include "suiren/ops/gather/index.h"
#include "suiren/ops/scatter/scatter.h"
#include "suiren/ops/view/view.h"

namespace suiren {
namespace {

struct AxisAttrs {
  int64_t axis;
};
constexpr auto kAxisFields = std::tuple{field("axis", &AxisAttrs::axis)};

struct Gather {
  static constexpr OpName name = "gather";
  static constexpr const char* doc = "y[..., i, ...] = x[..., index[..., i, ...], ...] along axis";
  using Attrs = AxisAttrs;
  static constexpr auto fields = kAxisFields;
  static constexpr DTypes dtypes = kAnyType;
  static constexpr uint32_t saved_inputs = 0b10;
  static Specs infer(const Attrs& a, const TensorSpec& x, const TensorSpec& index) {
    check_index_shape(a.axis, x, index);
    return {{x.dtype, index.shape, x.device}};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    for_each_indexed(a.axis, in[0].shape, in[1], [&](int64_t x, int64_t i) { out[0][i] = in[0][x]; });
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    const Tensor& g = c.grad();
    return {
        scatter_add(broadcast_to(zeros({}, g.dtype(), g.device()), c.in_spec(0).shape), a.axis, c.in(1), g),
        Tensor()};
  }
  static Samples samples() {
    return {sample(Attrs{0}, {real({5}), index({7}, 0, 5)}),
            sample(Attrs{0}, {real({1}), index({1}, 0, 1)}),
            sample(Attrs{0}, {real({4, 3}), index({6, 2}, 0, 4)}),
            sample(Attrs{1}, {real({3, 8}), index({3, 1}, 0, 8)}),
            sample(Attrs{1}, {real({2, 3, 4}), index({2, 5, 4}, 0, 3)}),
            sample(Attrs{3}, {real({2, 2, 1, 6}), index({2, 2, 1, 3}, 0, 6)}),
            sample(Attrs{0}, {real({3, 2}), index({0, 2}, 0, 3)}),
            bad(Attrs{0}, {real({3}), index({2}, 5, 6)},
                "index 5 is out of range for dimension 0 of x with shape [3]"),
            bad(Attrs{0}, {real({3}), boolean({2})}, "index is bool, expected i64 or i32; cast it first"),
            bad(Attrs{0}, {real({3, 2}), index({2, 3}, 0, 3)},
                "index has shape [2, 3], which exceeds x with shape [3, 2] beside dimension 0"),
            bad(Attrs{2}, {real({3, 2}), index({2, 2}, 0, 2)},
                "dimension 2 is out of range for x with shape [3, 2]")};
  }
};

struct ScatterAdd {
  static constexpr OpName name = "scatter_add";
  static constexpr const char* doc =
      "y = x, then y[..., index[..., i, ...], ...] += src[..., i, ...] along axis";
  using Attrs = AxisAttrs;
  static constexpr auto fields = kAxisFields;
  static constexpr DTypes dtypes = kNumbers;
  static constexpr uint32_t saved_inputs = 0b10;
  static Specs infer(const Attrs& a, const TensorSpec& x, const TensorSpec& index, const TensorSpec& src) {
    check_dtype(dtypes, "x", x);
    check_same_dtype("x", x, "src", src);
    check_index_shape(a.axis, x, index);
    check_same_shape("index", index, "src", src);
    return {x};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    out[0].v = in[0].v;
    for_each_indexed(a.axis, in[0].shape, in[1],
                     [&](int64_t y, int64_t i) { out[0][y] = add_wide(out[0].dtype, out[0][y], in[2][i]); });
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    return {c.grad(), Tensor(), c.needs(2) ? gather(c.grad(), a.axis, c.in(1)) : Tensor()};
  }
  static Samples samples() {
    // Many terms may fall on one element, one after another.
    const auto call = [](int64_t axis, Shape x, Shape index_shape, int64_t extent) {
      Sample s = sample(Attrs{axis},
                        {real(x), index(index_shape, 0, static_cast<double>(extent)), real(index_shape)});
      s.loosen = 4;
      return s;
    };
    return {call(0, {5}, {9}, 5),
            call(0, {1}, {1}, 1),
            call(0, {4, 3}, {6, 2}, 4),
            call(1, {2, 3, 4}, {2, 5, 4}, 3),
            call(3, {2, 2, 1, 6}, {2, 2, 1, 3}, 6),
            call(0, {3, 2}, {0, 2}, 3),
            bad(Attrs{0}, {real({3}), index({2}, 5, 6), real({2})},
                "index 5 is out of range for dimension 0 of x with shape [3]"),
            bad(Attrs{0}, {real({3}), index({2}, 0, 3), real({4})},
                "index has shape [2], src has shape [4]; expected the same"),
            bad(Attrs{0}, {boolean({3}), index({2}, 0, 3), boolean({2})},
                "x is bool, expected a number; cast it first")};
  }
};

struct IndexSelect {
  static constexpr OpName name = "index_select";
  static constexpr const char* doc = "y[..., i, ...] = x[..., index[i], ...] along axis";
  using Attrs = AxisAttrs;
  static constexpr auto fields = kAxisFields;
  static constexpr DTypes dtypes = kAnyType;
  static constexpr uint32_t saved_inputs = 0b10;
  static Specs infer(const Attrs& a, const TensorSpec& x, const TensorSpec& index) {
    check_axis(a.axis, x);
    check_index(index);
    SR_CHECK_AS(kShape, index.rank() == 1, "index has shape {}, expected one dimension", index.shape);
    Shape shape = x.shape;
    shape[static_cast<int>(a.axis)] = index.shape[0];
    return {{x.dtype, shape, x.device}};
  }
  static Tensor decompose(const Attrs& a, const Tensor& x, const Tensor& index) {
    Shape column, shape = x.shape();
    for (int d = 0; d < x.rank(); ++d) column.push_back(d == a.axis ? index.numel() : 1);
    shape[static_cast<int>(a.axis)] = index.numel();
    return gather(x, a.axis, broadcast_to(reshape(index, column), shape));
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    const Tensor& g = c.grad();
    return {index_add(broadcast_to(zeros({}, g.dtype(), g.device()), c.in_spec(0).shape), a.axis, c.in(1), g),
            Tensor()};
  }
  static Samples samples() {
    return {
        sample(Attrs{0}, {real({5}), index({7}, 0, 5)}),
        sample(Attrs{0}, {real({1, 1}), index({1}, 0, 1)}),
        sample(Attrs{0}, {real({4, 3}), index({6}, 0, 4)}),
        sample(Attrs{1}, {real({2, 3, 4}), index({5}, 0, 3)}),
        sample(Attrs{3}, {real({2, 2, 1, 6}), index({3}, 0, 6)}),
        sample(Attrs{0}, {real({3, 2}), index({0}, 0, 3)}),
        bad(Attrs{0}, {real({3}), index({2}, 5, 6)}, "index 5 is out of range for dimension 0"),
        bad(Attrs{0}, {real({3}), index({2, 2}, 0, 3)}, "index has shape [2, 2], expected one dimension")};
  }
};

}  // namespace

Tensor gather(const Tensor& x, int64_t axis, const Tensor& index) {
  return dispatch<Gather>({normalize_axis(axis, x.rank())}, x, index);
}
Tensor scatter_add(const Tensor& x, int64_t axis, const Tensor& index, const Tensor& src) {
  return dispatch<ScatterAdd>({normalize_axis(axis, x.rank())}, x, index, src);
}
Tensor index_select(const Tensor& x, int64_t axis, const Tensor& index) {
  return dispatch<IndexSelect>({normalize_axis(axis, x.rank())}, x, index);
}

OpList ops_gather() { return {&op_info<Gather>(), &op_info<ScatterAdd>(), &op_info<IndexSelect>()}; }

}  // namespace suiren
