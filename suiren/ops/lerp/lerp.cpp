#include "suiren/ops/lerp/lerp.h"

#include "suiren/core/dispatch.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/common.h"
#include "suiren/ops/full/full.h"

namespace suiren {
namespace {

struct Lerp {
  static constexpr OpName name = "lerp";
  static constexpr const char* doc = "y = a + weight (b - a)";
  using Attrs = NoAttrs;
  static constexpr auto fields = std::tuple{};
  static constexpr DTypes dtypes = kFloating;
  static Specs infer(const Attrs&, const TensorSpec& a, const TensorSpec& b, const TensorSpec& weight) {
    check_dtype(dtypes, "a", a);
    check_same_dtype("a", a, "b", b);
    check_same_dtype("a", a, "weight", weight);
    return {{a.dtype, broadcast(broadcast(a.shape, b.shape), weight.shape), a.device}};
  }
  static Tensor decompose(const Attrs&, const Tensor& a, const Tensor& b, const Tensor& weight) {
    const DType wide = accumulator(a.dtype());
    const Tensor x = cast(a, wide);
    return cast(x + cast(weight, wide) * (cast(b, wide) - x), a.dtype());
  }
  static Samples samples() {
    const Attrs none;
    const auto call = [&](Shape a, Shape b, Shape w) {
      return sample(none, {real(a), real(b), real(w, 0, 1)});
    };
    return {call({}, {}, {}),
            call({37}, {37}, {37}),
            call({37}, {37}, {}),
            call({2, 3}, {2, 3}, {3}),
            call({4, 1}, {1, 5}, {4, 5}),
            call({3}, {2, 3}, {2, 1}),
            call({0, 3}, {3}, {}),
            bad(none, {real({2, 3}), real({4}), real({})}, "shapes [2, 3] and [4] do not broadcast"),
            bad(none, {boolean({2}), boolean({2}), boolean({2})},
                "a is bool, expected a floating type; cast it first")};
  }
};

}  // namespace

Tensor lerp(const Tensor& a, const Tensor& b, const Tensor& weight) {
  return dispatch<Lerp>({}, a, b, weight);
}
Tensor lerp(const Tensor& a, const Tensor& b, double weight) {
  return lerp(a, b, full({}, weight, a.dtype(), a.device()));
}

OpList ops_lerp() { return {&op_info<Lerp>()}; }

}  // namespace suiren
