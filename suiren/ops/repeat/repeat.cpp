#include "suiren/ops/repeat/repeat.h"

#include "suiren/core/dispatch.h"
#include "suiren/ops/common.h"
#include "suiren/ops/view/view.h"

namespace suiren {
namespace {

struct Tile {
  static constexpr OpName name = "tile";
  static constexpr const char* doc =
      "y[..., i, ...] = x[..., i mod n, ...], repeats[d] times along dimension d";
  struct Attrs {
    Dims repeats;  // one for each dimension of x
  };
  static constexpr auto fields = std::tuple{field("repeats", &Attrs::repeats)};
  static constexpr DTypes dtypes = kAnyType;
  static Specs infer(const Attrs& a, const TensorSpec& x) {
    SR_CHECK_AS(kShape, a.repeats.rank() == x.rank(), "repeats {} has {} entries, x has {} dimensions",
                a.repeats, a.repeats.rank(), x.rank());
    Shape shape = x.shape;
    for (int d = 0; d < x.rank(); ++d) {
      SR_CHECK_AS(kShape, a.repeats[d] >= 0, "repeats {} has a negative entry", a.repeats);
      shape[d] *= a.repeats[d];
    }
    return {{x.dtype, shape, x.device}};
  }
  // One dimension after another, the last first: so that no rank grows beyond the limit.
  static Tensor decompose(const Attrs& a, const Tensor& x) {
    Tensor y = x;
    for (int d = x.rank() - 1; d >= 0; --d) {
      if (a.repeats[d] == 1) continue;
      const AxisView v(y.shape(), d);
      const Shape runs{v.outers, 1, v.extent * v.inners}, wide{v.outers, a.repeats[d], v.extent * v.inners};
      Shape shape = y.shape();
      shape[d] *= a.repeats[d];
      y = reshape(broadcast_to(reshape(y, runs), wide), shape);
    }
    return y;
  }
  static Samples samples() {
    return {sample(Attrs{{3}}, {real({5})}),
            sample(Attrs{{2}}, {real({1})}),
            sample(Attrs{{2, 3}}, {real({3, 2})}),
            sample(Attrs{{1, 2, 1}}, {real({2, 3, 4})}),
            sample(Attrs{{2, 1, 3}}, {real({2, 3, 2})}),
            sample(Attrs{{1, 1}}, {real({2, 3})}),
            sample(Attrs{{0, 2}}, {real({2, 3})}),
            sample(Attrs{{2, 2}}, {real({0, 3})}),
            bad(Attrs{{2}}, {real({2, 3})}, "repeats [2] has 1 entries, x has 2 dimensions"),
            bad(Attrs{{2, -1}}, {real({2, 3})}, "repeats [2, -1] has a negative entry")};
  }
};

struct RepeatInterleave {
  static constexpr OpName name = "repeat_interleave";
  static constexpr const char* doc = "y[..., i, ...] = x[..., i / repeats, ...] along axis";
  struct Attrs {
    int64_t repeats, axis;
  };
  static constexpr auto fields = std::tuple{field("repeats", &Attrs::repeats), field("axis", &Attrs::axis)};
  static constexpr DTypes dtypes = kAnyType;
  static Specs infer(const Attrs& a, const TensorSpec& x) {
    check_axis(a.axis, x);
    SR_CHECK_AS(kShape, a.repeats >= 0, "repeats is {}, expected at least 0", a.repeats);
    Shape shape = x.shape;
    shape[static_cast<int>(a.axis)] *= a.repeats;
    return {{x.dtype, shape, x.device}};
  }
  static Tensor decompose(const Attrs& a, const Tensor& x) {
    const AxisView v(x.shape(), a.axis);
    Shape shape = x.shape();
    shape[static_cast<int>(a.axis)] *= a.repeats;
    const Shape column{v.outers * v.extent, 1, v.inners}, wide{v.outers * v.extent, a.repeats, v.inners};
    return reshape(broadcast_to(reshape(x, column), wide), shape);
  }
  static Samples samples() {
    return {sample(Attrs{3, 0}, {real({5})}),
            sample(Attrs{2, 0}, {real({1})}),
            sample(Attrs{2, 1}, {real({2, 3})}),
            sample(Attrs{3, 0}, {real({2, 3})}),
            sample(Attrs{2, 1}, {real({2, 3, 4})}),
            sample(Attrs{1, 1}, {real({2, 3})}),
            sample(Attrs{0, 0}, {real({2, 3})}),
            bad(Attrs{-1, 0}, {real({2, 3})}, "repeats is -1, expected at least 0"),
            bad(Attrs{2, 2}, {real({2, 3})}, "dimension 2 is out of range for x with shape [2, 3]")};
  }
};

}  // namespace

Tensor tile(const Tensor& x, const Dims& repeats) {
  Shape shape = x.shape();
  Dims all = repeats;
  while (shape.rank() < all.rank()) shape.insert(0, 1);
  while (all.rank() < shape.rank()) all.insert(0, 1);
  return dispatch<Tile>({all}, reshape(x, shape));
}
Tensor repeat_interleave(const Tensor& x, int64_t repeats, int64_t axis) {
  return dispatch<RepeatInterleave>({repeats, normalize_axis(axis, x.rank())}, x);
}

OpList ops_repeat() { return {&op_info<Tile>(), &op_info<RepeatInterleave>()}; }

}  // namespace suiren
