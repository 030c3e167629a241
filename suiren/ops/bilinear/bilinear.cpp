#include "suiren/ops/bilinear/bilinear.h"

#include "suiren/core/dispatch.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/common.h"
#include "suiren/ops/matmul/matmul.h"
#include "suiren/ops/reduce/reduce.h"
#include "suiren/ops/view/view.h"

namespace suiren {
namespace {

struct Bilinear {
  static constexpr OpName name = "bilinear";
  static constexpr const char* doc = "y[..., o] = sum over i, j of a[..., i] weight[o, i, j] b[..., j]";
  using Attrs = NoAttrs;
  static constexpr auto fields = std::tuple{};
  static constexpr DTypes dtypes = kFloating;
  static Specs infer(const Attrs&, const TensorSpec& a, const TensorSpec& b, const TensorSpec& w) {
    check_dtype(dtypes, "a", a);
    check_same_dtype("b", b, "a", a);
    check_same_dtype("weight", w, "a", a);
    SR_CHECK_AS(kShape,
                w.rank() == 3 && a.rank() >= 1 && b.rank() == a.rank() && a.dim(-1) == w.dim(1) &&
                    b.dim(-1) == w.dim(2),
                "a has shape {}, b {} and weight {}: expected [..., I], [..., J] and [O, I, J]", a.shape,
                b.shape, w.shape);
    Shape shape = a.shape, other = b.shape;
    shape[a.rank() - 1] = other[a.rank() - 1] = w.dim(0);
    SR_CHECK_AS(kShape, shape == other,
                "a has shape {} and b {}: expected the same but for the last dimension", a.shape, b.shape);
    return {{a.dtype, shape, a.device}};
  }
  // a W in one product [N, I] x [I, O J], then its rows times b.
  static Tensor decompose(const Attrs&, const Tensor& a, const Tensor& b, const Tensor& w) {
    const DType wide = accumulator(a.dtype());
    const int64_t O = w.dim(0), I = w.dim(1), J = w.dim(2);
    Shape rows = a.shape();
    rows.erase(rows.rank() - 1);
    const int64_t N = rows.numel();
    const Tensor turned = reshape(permute(cast(w, wide), {1, 0, 2}), {I, O * J});
    const Tensor half = reshape(matmul(reshape(cast(a, wide), {N, I}), turned), {N, O, J});
    const Tensor y = matmul(half, reshape(cast(b, wide), {N, J, 1}));
    rows.push_back(O);
    return cast(reshape(y, rows), a.dtype());
  }
  static Samples samples() {
    const Attrs a;
    Samples list{sample(a, {real({3, 4}), real({3, 5}), real({2, 4, 5})}),
                 sample(a, {real({1}), real({1}), real({1, 1, 1})}),
                 sample(a, {real({2, 3, 17}), real({2, 3, 2}), real({5, 17, 2})}),
                 sample(a, {real({0, 4}), real({0, 5}), real({2, 4, 5})}),
                 sample(a, {real({3, 4}), real({3, 0}), real({2, 4, 0})})};
    for (Sample& s : list) s.loosen = 8;  // a sum of I J products of three numbers
    list.push_back(
        bad(a, {real({3, 4}), real({3, 5}), real({2, 5, 4})},
            "a has shape [3, 4], b [3, 5] and weight [2, 5, 4]: expected [..., I], [..., J] and [O, I, J]"));
    list.push_back(bad(a, {real({3, 4}), real({2, 5}), real({2, 4, 5})},
                       "a has shape [3, 4] and b [2, 5]: expected the same but for the last dimension"));
    return list;
  }
};

}  // namespace

Tensor bilinear(const Tensor& a, const Tensor& b, const Tensor& weight, const Tensor& bias) {
  const Tensor y = dispatch<Bilinear>({}, a, b, weight);
  return bias.defined() ? y + bias : y;
}

OpList ops_bilinear() { return {&op_info<Bilinear>()}; }

}  // namespace suiren
