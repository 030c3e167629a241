#include "suiren/ops/adamw/adamw.h"

#include <cmath>

#include "suiren/core/dispatch.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/common.h"
#include "suiren/ops/unary/unary.h"

namespace suiren {
namespace {

struct AdamW {
  static constexpr OpName name = "adamw";
  static constexpr const char* doc =
      "p *= 1 - lr wd; m = b1 m + (1-b1) g; v = b2 v + (1-b2) g^2; p -= lr/(1-b1^t) m / "
      "(sqrt(v)/sqrt(1-b2^t) + eps)";
  using Attrs = AdamWStep;
  static constexpr auto fields = std::tuple{field("lr", &Attrs::lr),
                                            field("beta1", &Attrs::beta1),
                                            field("beta2", &Attrs::beta2),
                                            field("eps", &Attrs::eps),
                                            field("weight_decay", &Attrs::weight_decay),
                                            field("step", &Attrs::step),
                                            field("grad_scale", &Attrs::grad_scale)};
  static constexpr DTypes dtypes{1u << DType::kF64 | 1u << DType::kF32};
  static constexpr uint32_t mutates = 0b111;
  static constexpr const char* no_gradient = "it updates parameters in place";
  static Specs infer(const Attrs& a, const TensorSpec& param, const TensorSpec& m, const TensorSpec& v,
                     const TensorSpec& grad) {
    SR_CHECK_AS(kShape, dtypes.has(param.dtype), "param is {}, expected f32 or f64", param.dtype);
    check_same_dtype("m", m, "param", param);
    check_same_dtype("v", v, "param", param);
    check_dtype(kFloating, "grad", grad);
    check_same_shape("m", m, "param", param);
    check_same_shape("v", v, "param", param);
    check_same_shape("grad", grad, "param", param);
    SR_CHECK(a.step >= 1, "step is {}; the first is 1", a.step);
    return {};
  }
  static Tensors decompose(const Attrs& a, const Tensor& param, const Tensor& m, const Tensor& v,
                           const Tensor& grad) {
    const Tensor g = cast(grad, param.dtype()) * a.grad_scale;
    const Tensor new_m = m * a.beta1 + g * (1 - a.beta1);
    const Tensor new_v = v * a.beta2 + g * g * (1 - a.beta2);
    const double t = static_cast<double>(a.step);
    const double correction1 = 1 - std::pow(a.beta1, t), correction2 = 1 - std::pow(a.beta2, t);
    const Tensor denominator = sqrt(new_v) / std::sqrt(correction2) + a.eps;
    const Tensor decayed = param * (1 - a.lr * a.weight_decay);
    return {decayed - new_m / denominator * (a.lr / correction1), new_m, new_v};
  }
  static Samples samples() {
    const auto call = [](const Attrs& a, Shape s) {
      return sample(a, {real(s), real(s), real(s, 0, 2), real(s)});
    };
    const Attrs first{1e-2, 0.9, 0.95, 1e-8, 0.1, 1, 1}, later{3e-3, 0.9, 0.999, 1e-6, 0, 100, 0.5};
    return {call(first, {3, 5}),
            call(later, {70}),
            call(first, {}),
            call(later, {0, 4}),
            call(later, {2, 3, 37}),
            bad(first, {real({3}), real({3}), real({2}), real({3})},
                "v has shape [2], param has shape [3]; expected the same"),
            bad(Attrs{1e-2, 0.9, 0.95, 1e-8, 0.1, 0, 1}, {real({3}), real({3}), real({3}), real({3})},
                "step is 0; the first is 1")};
  }
};

}  // namespace

void adamw(const Tensor& param, const Tensor& m, const Tensor& v, const Tensor& grad, const AdamWStep& step) {
  dispatch_all<AdamW>(step, param, m, v, grad);
}

OpList ops_adamw() { return {&op_info<AdamW>()}; }

}  // namespace suiren
