#include "suiren/ops/cosine_similarity/cosine_similarity.h"

#include "suiren/core/dispatch.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/common.h"
#include "suiren/ops/full/full.h"
#include "suiren/ops/norm/norm.h"
#include "suiren/ops/reduce/reduce.h"

namespace suiren {
namespace {

struct CosineAttrs {
  int64_t axis;
  double eps;
};

struct CosineSimilarity {
  static constexpr OpName name = "cosine_similarity";
  static constexpr const char* doc = "y = sum(a b) / (max(|a|, eps) max(|b|, eps)) along axis";
  using Attrs = CosineAttrs;
  static constexpr auto fields = std::tuple{field("axis", &Attrs::axis), field("eps", &Attrs::eps)};
  static constexpr DTypes dtypes = kFloating;
  static Specs infer(const Attrs& at, const TensorSpec& a, const TensorSpec& b) {
    check_dtype(dtypes, "a", a);
    check_same_dtype("a", a, "b", b);
    check_same_shape("a", a, "b", b);
    check_axis(at.axis, a);
    SR_CHECK(at.eps >= 0, "eps is {}, expected at least 0", at.eps);
    Shape shape = a.shape;
    shape.erase(static_cast<int>(at.axis));
    return {{a.dtype, shape, a.device}};
  }
  static Tensor decompose(const Attrs& at, const Tensor& a, const Tensor& b) {
    const Tensor x = cast(a, accumulator(a.dtype())), y = cast(b, accumulator(b.dtype()));
    const Tensor eps = full({}, at.eps, x.dtype(), x.device());
    const auto length = [&](const Tensor& v) { return maximum(norm(v, 2, {at.axis}), eps); };
    return cast(sum(x * y, {at.axis}) / (length(x) * length(y)), a.dtype());
  }
  static Samples samples() {
    const auto call = [](int64_t axis, Shape s) { return sample(Attrs{axis, 1e-8}, {real(s), real(s)}); };
    Sample zero = sample(Attrs{1, 1e-3}, {real({2, 3}, 0, 0), real({2, 3})});
    zero.gradient = false;
    return {call(0, {1}),
            call(1, {3, 5}),
            call(0, {5, 3}),
            call(1, {2, 37}),
            call(1, {2, 6, 3}),
            call(2, {2, 3, 8}),
            call(1, {0, 4}),
            zero,
            bad(Attrs{1, 1e-8}, {real({2, 3}), real({2, 4})},
                "a has shape [2, 3], b has shape [2, 4]; expected the same"),
            bad(Attrs{0, -1}, {real({2, 3}), real({2, 3})}, "eps is -1, expected at least 0"),
            bad(Attrs{2, 0}, {real({2, 3}), real({2, 3})}, "dimension 2 is out of range")};
  }
};

}  // namespace

Tensor cosine_similarity(const Tensor& a, const Tensor& b, int64_t axis, double eps) {
  return dispatch<CosineSimilarity>({normalize_axis(axis, a.rank()), eps}, a, b);
}

OpList ops_cosine_similarity() { return {&op_info<CosineSimilarity>()}; }

}  // namespace suiren
