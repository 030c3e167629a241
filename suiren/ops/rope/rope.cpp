#include "suiren/ops/rope/rope.h"

#include "suiren/core/dispatch.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/common.h"
#include "suiren/ops/concat/concat.h"
#include "suiren/ops/unary/unary.h"
#include "suiren/ops/view/view.h"

namespace suiren {
namespace {

struct Rope {
  static constexpr OpName name = "rope";
  static constexpr const char* doc = "y1 = x1 cos - x2 sin, y2 = x2 cos + x1 sin for the halves of each head";
  using Attrs = NoAttrs;
  static constexpr auto fields = std::tuple{};
  static constexpr DTypes dtypes = kFloating;
  static constexpr uint32_t saved_inputs = 0b110;
  static Specs infer(const Attrs&, const TensorSpec& x, const TensorSpec& cos, const TensorSpec& sin) {
    check_dtype(dtypes, "x", x);
    SR_CHECK_AS(kShape, cos.dtype == sin.dtype && (cos.dtype == kF32 || cos.dtype == x.dtype),
                "cos is {} and sin is {}, expected f32 or {}", cos.dtype, sin.dtype, x.dtype);
    SR_CHECK_AS(kShape, x.rank() == 4 && x.dim(3) % 2 == 0,
                "x has shape {}, expected [B, T, H, D] with even D", x.shape);
    const Shape table{x.dim(1), x.dim(3) / 2};
    SR_CHECK_AS(kShape, cos.shape == table && sin.shape == table,
                "cos has shape {} and sin {}, expected {} for x {}", cos.shape, sin.shape, table, x.shape);
    return {x};
  }
  static Tensor decompose(const Attrs&, const Tensor& x, const Tensor& cos, const Tensor& sin) {
    const DType wide = accumulator(x.dtype());
    const int64_t half = x.dim(3) / 2;
    const Tensor h = cast(x, wide), x1 = slice(h, 3, 0, half), x2 = slice(h, 3, half, 2 * half);
    const Tensor c = unsqueeze(cast(cos, wide), 1), s = unsqueeze(cast(sin, wide), 1);  // [T, 1, D/2]
    return cast(concat({x1 * c - x2 * s, x2 * c + x1 * s}, 3), x.dtype());
  }
  static Grads vjp(const Attrs&, const Vjp& c) { return {rope(c.grad(), c.in(1), neg(c.in(2))), {}, {}}; }
  static Samples samples() {
    const Attrs a;
    const auto call = [&](Shape x) {
      const Shape table{x[1], x[3] / 2};
      return sample(a, {real(x), constant(table, -1, 1), constant(table, -1, 1)});
    };
    return {call({2, 3, 2, 8}),
            call({1, 1, 1, 2}),
            call({1, 5, 3, 34}),
            call({0, 3, 2, 4}),
            call({2, 0, 2, 4}),
            bad(a, {real({2, 3, 2, 5}), real({3, 2}), real({3, 2})},
                "x has shape [2, 3, 2, 5], expected [B, T, H, D] with even D"),
            bad(a, {real({2, 3, 2, 8}), real({4, 4}), real({4, 4})},
                "cos has shape [4, 4] and sin [4, 4], expected [3, 4] for x [2, 3, 2, 8]")};
  }
};

}  // namespace

Tensor rope(const Tensor& x, const Tensor& cos, const Tensor& sin) { return dispatch<Rope>({}, x, cos, sin); }

OpList ops_rope() { return {&op_info<Rope>()}; }

}  // namespace suiren
