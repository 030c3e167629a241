#include "suiren/ops/slice_backward/slice_backward.h"

#include "suiren/core/dispatch.h"
#include "suiren/ops/common.h"
#include "suiren/ops/view/view.h"

namespace suiren {
namespace {

struct SliceBackward {
  static constexpr OpName name = "slice_backward";
  static constexpr const char* doc = "y = 0 but y[..., begin + i * step, ...] = g[..., i, ...]";
  struct Attrs {
    Shape shape;
    int64_t axis, begin, step;
  };
  static constexpr auto fields = std::tuple{field("shape", &Attrs::shape), field("axis", &Attrs::axis),
                                            field("begin", &Attrs::begin), field("step", &Attrs::step)};
  static constexpr DTypes dtypes = kAnyType;
  static constexpr uint32_t saved_inputs = 0;
  static Specs infer(const Attrs& a, const TensorSpec& g) {
    check_extents(a.shape);
    bool fits = g.rank() == a.shape.rank() && a.axis >= 0 && a.axis < g.rank() && a.begin >= 0 && a.step >= 1;
    for (int d = 0; fits && d < g.rank(); ++d)
      fits = d == a.axis ? g.shape[d] == 0 ||
                               (a.begin < a.shape[d] && g.shape[d] <= (a.shape[d] - 1 - a.begin) / a.step + 1)
                         : g.shape[d] == a.shape[d];
    SR_CHECK_AS(kShape, fits, "g has shape {}, which is no slice from {} by {} along dimension {} of {}",
                g.shape, a.begin, a.step, a.axis, a.shape);
    return {{g.dtype, a.shape, g.device}};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    const AxisView g(in[0].shape, a.axis), y(a.shape, a.axis);
    for (int64_t o = 0; o < g.outers; ++o)
      for (int64_t k = 0; k < g.extent; ++k)
        for (int64_t i = 0; i < g.inners; ++i)
          out[0][y.at(o, a.begin + k * a.step, i)] = in[0][g.at(o, k, i)];
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    const int64_t count = c.in_spec(0).shape[static_cast<int>(a.axis)];
    return {slice(c.grad(), a.axis, a.begin, a.begin + (count - 1) * a.step + 1, a.step)};
  }
  static Samples samples() {
    return {sample(Attrs{{4, 3}, 0, 1, 1}, {real({2, 3})}),
            sample(Attrs{{2, 6}, 1, 0, 2}, {real({2, 3})}),
            sample(Attrs{{2, 7, 3}, 1, 2, 2}, {real({2, 3, 3})}),
            sample(Attrs{{2, 1, 5, 2}, 2, 4, 1}, {real({2, 1, 1, 2})}),
            sample(Attrs{{3}, 0, 3, 1}, {real({0})}),
            sample(Attrs{{1}, 0, 0, 2}, {real({1})}),
            bad(Attrs{{4}, 0, 2, 1}, {real({3})},
                "g has shape [3], which is no slice from 2 by 1 along dimension 0 of [4]"),
            bad(Attrs{{4, 2}, 0, 0, 1}, {real({2, 3})},
                "g has shape [2, 3], which is no slice from 0 by 1 along dimension 0 of [4, 2]")};
  }
};

}  // namespace

Tensor slice_backward(const Tensor& g, const Shape& shape, int64_t axis, int64_t begin, int64_t step) {
  return dispatch<SliceBackward>({shape, normalize_axis(axis, shape.rank()), begin, step}, g);
}

OpList ops_slice_backward() { return {&op_info<SliceBackward>()}; }

}  // namespace suiren
