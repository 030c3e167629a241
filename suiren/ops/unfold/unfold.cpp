#include "suiren/ops/unfold/unfold.h"

#include "suiren/core/dispatch.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/common.h"
#include "suiren/ops/full/full.h"
#include "suiren/ops/scatter/scatter.h"
#include "suiren/ops/view/view.h"

namespace suiren {
namespace {

struct Unfold {
  static constexpr OpName name = "unfold";
  static constexpr const char* doc = "y[..., w, ..., k] = x[..., w * step + k, ...] along axis, k < size";
  struct Attrs {
    int64_t axis, size, step;
  };
  static constexpr auto fields =
      std::tuple{field("axis", &Attrs::axis), field("size", &Attrs::size), field("step", &Attrs::step)};
  static constexpr DTypes dtypes = kAnyType;
  static constexpr uint32_t saved_inputs = 0;
  static Specs infer(const Attrs& a, const TensorSpec& x) {
    check_axis(a.axis, x);
    const int axis = static_cast<int>(a.axis);
    SR_CHECK_AS(kShape, a.size >= 1 && a.size <= x.shape[axis] && a.step >= 1,
                "windows of {} by steps of {} do not lie in dimension {} of {}", a.size, a.step, a.axis,
                x.shape);
    Shape shape = x.shape;
    shape[axis] = (x.shape[axis] - a.size) / a.step + 1;
    shape.push_back(a.size);
    return {{x.dtype, shape, x.device}};
  }
  static ViewOf view(const Attrs& a, const Tensor& x) {
    ViewOf v{infer(a, x.spec())[0].shape, x.strides(), x.offset()};
    const int axis = static_cast<int>(a.axis);
    v.strides.push_back(v.strides[axis]);
    v.strides[axis] *= a.step;
    return v;
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    const AxisView x(in[0].shape, a.axis);
    const int64_t windows = out[0].dim(static_cast<int>(a.axis));
    for (int64_t e = 0; e < out[0].numel(); ++e) {
      const int64_t k = e % a.size, i = e / a.size % x.inners, w = e / a.size / x.inners % windows;
      out[0][e] = in[0][x.at(e / a.size / x.inners / windows, w * a.step + k, i)];
    }
  }
  // Windows that overlap add up: every element of g goes to the place w * step + k that it was read from.
  static Grads vjp(const Attrs& a, const Vjp& c) {
    const Tensor& g = c.grad();
    const Shape& shape = c.in_spec(0).shape;
    const int axis = static_cast<int>(a.axis);
    const int64_t windows = g.dim(axis);
    const auto count = [&](int64_t n, Shape as) {
      return reshape(arange(0, static_cast<double>(n), 1, kI64, g.device()), as);
    };
    const Tensor place =
        count(windows, {windows, 1}) * static_cast<double>(a.step) + count(a.size, {1, a.size});
    Shape flat = shape;
    flat[axis] = windows * a.size;
    return {index_add(zeros(shape, g.dtype(), g.device()), axis, reshape(place, {windows * a.size}),
                      reshape(movedim(g, -1, axis + 1), flat))};
  }
  static Samples samples() {
    return {sample(Attrs{0, 3, 1}, {real({7})}),
            sample(Attrs{0, 1, 1}, {real({1})}),
            sample(Attrs{1, 2, 2}, {real({2, 6})}),
            sample(Attrs{0, 2, 3}, {real({6, 3})}),
            sample(Attrs{1, 3, 2}, {real({2, 6, 2})}),
            sample(Attrs{0, 2, 1}, {real({2, 0})}),
            bad(Attrs{0, 8, 1}, {real({7})}, "windows of 8 by steps of 1 do not lie in dimension 0 of [7]"),
            bad(Attrs{0, 2, 0}, {real({7})}, "windows of 2 by steps of 0 do not lie in dimension 0 of [7]")};
  }
};

}  // namespace

Tensor unfold(const Tensor& x, int64_t axis, int64_t size, int64_t step) {
  return dispatch<Unfold>({normalize_axis(axis, x.rank()), size, step}, x);
}

OpList ops_unfold() { return {&op_info<Unfold>()}; }

}  // namespace suiren
