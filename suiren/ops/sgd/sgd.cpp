#include "suiren/ops/sgd/sgd.h"

#include "suiren/core/dispatch.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/common.h"

namespace suiren {
namespace {

struct Sgd {
  static constexpr OpName name = "sgd";
  static constexpr const char* doc =
      "g += wd p; velocity = momentum velocity + g; p -= lr (nesterov ? g + momentum velocity : velocity)";
  using Attrs = SgdStep;
  static constexpr auto fields =
      std::tuple{field("lr", &Attrs::lr), field("momentum", &Attrs::momentum),
                 field("weight_decay", &Attrs::weight_decay), field("nesterov", &Attrs::nesterov),
                 field("grad_scale", &Attrs::grad_scale)};
  static constexpr DTypes dtypes{1u << DType::kF64 | 1u << DType::kF32};
  static constexpr uint32_t mutates = 0b11;
  static constexpr const char* no_gradient = "it updates parameters in place";
  static Specs infer(const Attrs&, const TensorSpec& param, const TensorSpec& velocity,
                     const TensorSpec& grad) {
    SR_CHECK_AS(kShape, dtypes.has(param.dtype), "param is {}, expected f32 or f64", param.dtype);
    check_same_dtype("velocity", velocity, "param", param);
    check_dtype(kFloating, "grad", grad);
    check_same_shape("velocity", velocity, "param", param);
    check_same_shape("grad", grad, "param", param);
    return {};
  }
  static Tensors decompose(const Attrs& a, const Tensor& param, const Tensor& velocity, const Tensor& grad) {
    const Tensor g = cast(grad, param.dtype()) * a.grad_scale + param * a.weight_decay;
    const Tensor speed = velocity * a.momentum + g;
    const Tensor way = a.nesterov ? g + speed * a.momentum : speed;
    return {param - way * a.lr, speed};
  }
  static Samples samples() {
    const auto call = [](const Attrs& a, Shape s) { return sample(a, {real(s), real(s), real(s)}); };
    return {call(Attrs{0.1, 0, 0, false, 1}, {3, 5}),
            call(Attrs{0.1, 0.9, 0.01, false, 1}, {70}),
            call(Attrs{0.01, 0.9, 0, true, 0.5}, {2, 3, 37}),
            call(Attrs{0.1, 0.9, 0, false, 1}, {0}),
            call(Attrs{0.1, 0.9, 0, true, 1}, {1}),
            bad(Attrs{0.1, 0, 0, false, 1}, {real({3}), real({3}), real({4})},
                "grad has shape [4], param has shape [3]; expected the same")};
  }
};

}  // namespace

void sgd(const Tensor& param, const Tensor& velocity, const Tensor& grad, const SgdStep& step) {
  dispatch_all<Sgd>(step, param, velocity, grad);
}

OpList ops_sgd() { return {&op_info<Sgd>()}; }

}  // namespace suiren
