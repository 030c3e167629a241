#include "suiren/ops/flip/flip.h"

#include <algorithm>
#include <vector>

#include "suiren/core/dispatch.h"
#include "suiren/ops/common.h"

namespace suiren {
namespace {

struct Flip {
  static constexpr OpName name = "flip";
  static constexpr const char* doc = "y[..., i, ...] = x[..., n - 1 - i, ...] along each of axes";
  struct Attrs {
    Dims axes;  // ascending
  };
  static constexpr auto fields = std::tuple{field("axes", &Attrs::axes)};
  static constexpr DTypes dtypes = kAnyType;
  static constexpr uint32_t saved_inputs = 0;
  static Specs infer(const Attrs& a, const TensorSpec& x) {
    int64_t before = -1;
    for (int64_t d : a.axes) {
      SR_CHECK_AS(kShape, d > before && d < x.rank(), "axes {} are no set of dimensions of {}", a.axes,
                  x.shape);
      before = d;
    }
    return {x};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    const Shape& shape = in[0].shape;
    for (int64_t i = 0; i < in[0].numel(); ++i) {
      int64_t from = 0, step = 1, rest = i;
      for (int d = shape.rank() - 1; d >= 0; --d) {
        const int64_t k = rest % shape[d];
        const bool turned = std::find(a.axes.begin(), a.axes.end(), d) != a.axes.end();
        from += (turned ? shape[d] - 1 - k : k) * step;
        rest /= shape[d];
        step *= shape[d];
      }
      out[0][i] = in[0][from];
    }
  }
  static Grads vjp(const Attrs& a, const Vjp& c) { return {flip(c.grad(), a.axes)}; }
  static Samples samples() {
    return {sample(Attrs{{0}}, {real({5})}),
            sample(Attrs{{0, 1}}, {real({1, 1})}),
            sample(Attrs{{1}}, {real({3, 4})}),
            sample(Attrs{{0}}, {real({3, 4})}),
            sample(Attrs{{0, 2}}, {real({2, 3, 5})}),
            sample(Attrs{{}}, {real({2, 3})}),
            sample(Attrs{{0}}, {real({0, 3})}),
            bad(Attrs{{1, 1}}, {real({2, 3})}, "axes [1, 1] are no set of dimensions of [2, 3]"),
            bad(Attrs{{2}}, {real({2, 3})}, "axes [2] are no set of dimensions of [2, 3]")};
  }
};

struct Roll {
  static constexpr OpName name = "roll";
  static constexpr const char* doc = "y[..., (i + shift) mod n, ...] = x[..., i, ...] along axis";
  struct Attrs {
    int64_t shift, axis;
  };
  static constexpr auto fields = std::tuple{field("shift", &Attrs::shift), field("axis", &Attrs::axis)};
  static constexpr DTypes dtypes = kAnyType;
  static constexpr uint32_t saved_inputs = 0;
  static Specs infer(const Attrs& a, const TensorSpec& x) {
    check_axis(a.axis, x);
    return {x};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    const AxisView v(in[0].shape, a.axis);
    for (int64_t o = 0; o < v.outers; ++o)
      for (int64_t k = 0; k < v.extent; ++k) {
        const int64_t to = ((k + a.shift) % v.extent + v.extent) % v.extent;
        for (int64_t i = 0; i < v.inners; ++i) out[0][v.at(o, to, i)] = in[0][v.at(o, k, i)];
      }
  }
  static Grads vjp(const Attrs& a, const Vjp& c) { return {roll(c.grad(), -a.shift, a.axis)}; }
  static Samples samples() {
    return {sample(Attrs{2, 0}, {real({5})}),
            sample(Attrs{1, 0}, {real({1})}),
            sample(Attrs{-1, 1}, {real({2, 3})}),
            sample(Attrs{7, 0}, {real({3, 2})}),
            sample(Attrs{0, 1}, {real({2, 3, 4})}),
            sample(Attrs{-8, 2}, {real({2, 3, 4})}),
            sample(Attrs{3, 0}, {real({0, 2})}),
            bad(Attrs{1, 2}, {real({2, 3})}, "dimension 2 is out of range for x with shape [2, 3]")};
  }
};

}  // namespace

Tensor flip(const Tensor& x, const Dims& axes) {
  std::vector<int64_t> sorted;
  for (int64_t d : axes) sorted.push_back(normalize_axis(d, x.rank()));
  std::sort(sorted.begin(), sorted.end());
  return dispatch<Flip>({Dims(sorted)}, x);
}
Tensor roll(const Tensor& x, int64_t shift, int64_t axis) {
  return dispatch<Roll>({shift, normalize_axis(axis, x.rank())}, x);
}

OpList ops_flip() { return {&op_info<Flip>(), &op_info<Roll>()}; }

}  // namespace suiren
