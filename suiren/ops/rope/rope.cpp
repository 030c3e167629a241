#include "suiren/ops/rope/rope.h"

#include <algorithm>

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
  static constexpr const char* doc =
      "y1 = x1 cos - x2 sin, y2 = x2 cos + x1 sin for the halves (or neighbours) of each head";
  struct Attrs {
    bool interleaved;
  };
  static constexpr auto fields = std::tuple{field("interleaved", &Attrs::interleaved)};
  static constexpr DTypes dtypes = kFloating;
  static constexpr uint32_t saved_inputs = 0b110;
  static Specs infer(const Attrs&, const TensorSpec& x, const TensorSpec& cos, const TensorSpec& sin) {
    check_dtype(dtypes, "x", x);
    SR_CHECK_AS(kShape, cos.dtype == sin.dtype && (cos.dtype == kF32 || cos.dtype == x.dtype),
                "cos is {} and sin is {}, expected f32 or {}", cos.dtype, sin.dtype, x.dtype);
    SR_CHECK_AS(kShape, x.rank() == 4, "x has shape {}, expected [B, T, H, D]", x.shape);
    SR_CHECK_AS(
        kShape,
        cos.shape == sin.shape && cos.rank() == 2 && cos.dim(0) == x.dim(1) && 2 * cos.dim(1) <= x.dim(3),
        "cos has shape {} and sin {}, expected [{}, R / 2] with R at most {} for x {}", cos.shape, sin.shape,
        x.dim(1), x.dim(3), x.shape);
    return {x};
  }
  static Tensor decompose(const Attrs& a, const Tensor& x, const Tensor& cos, const Tensor& sin) {
    const DType wide = accumulator(x.dtype());
    const int64_t half = cos.dim(1), D = x.dim(3);
    const Tensor h = cast(x, wide);
    const Tensor x1 = a.interleaved ? slice(h, 3, 0, 2 * half, 2) : slice(h, 3, 0, half),
                 x2 = a.interleaved ? slice(h, 3, std::min<int64_t>(1, half), 2 * half, 2)
                                    : slice(h, 3, half, 2 * half);
    const Tensor c = unsqueeze(cast(cos, wide), 1), s = unsqueeze(cast(sin, wide), 1);  // [T, 1, R / 2]
    const Tensor y1 = x1 * c - x2 * s, y2 = x2 * c + x1 * s;
    Tensors parts{y1, y2};
    if (a.interleaved)
      parts = {reshape(concat({unsqueeze(y1, -1), unsqueeze(y2, -1)}, 4),
                       {x.dim(0), x.dim(1), x.dim(2), 2 * half})};
    if (2 * half < D) parts.push_back(slice(h, 3, 2 * half, D));
    return cast(concat(parts, 3), x.dtype());
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    return {rope(c.grad(), c.in(1), neg(c.in(2)), a.interleaved), {}, {}};
  }
  static Samples samples() {
    Samples list;
    for (const bool interleaved : {false, true}) {
      const Attrs a{interleaved};
      const auto call = [&](Shape x, int64_t rotated) {
        const Shape table{x[1], rotated / 2};
        list.push_back(sample(a, {real(x), constant(table, -1, 1), constant(table, -1, 1)}));
      };
      call({2, 3, 2, 8}, 8);
      call({1, 1, 1, 2}, 2);
      call({1, 5, 3, 34}, 34);
      call({0, 3, 2, 4}, 4);
      call({2, 0, 2, 4}, 4);
      call({2, 3, 2, 7}, 4);  // partial
      call({1, 2, 3, 38}, 6);
      list.push_back(bad(a, {real({2, 3, 8}), real({3, 4}), real({3, 4})},
                         "x has shape [2, 3, 8], expected [B, T, H, D]"));
      list.push_back(bad(a, {real({2, 3, 2, 5}), real({3, 3}), real({3, 3})},
                         "cos has shape [3, 3] and sin [3, 3], expected [3, R / 2] with R at most 5"));
      list.push_back(bad(a, {real({2, 3, 2, 8}), real({4, 4}), real({4, 4})},
                         "cos has shape [4, 4] and sin [4, 4], expected [3, R / 2] with R at most 8"));
    }
    return list;
  }
};

}  // namespace

Tensor rope(const Tensor& x, const Tensor& cos, const Tensor& sin, bool interleaved) {
  return dispatch<Rope>({interleaved}, x, cos, sin);
}

OpList ops_rope() { return {&op_info<Rope>()}; }

}  // namespace suiren
