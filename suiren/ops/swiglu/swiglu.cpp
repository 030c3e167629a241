#include "suiren/ops/swiglu/swiglu.h"

#include "suiren/core/dispatch.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/common.h"
#include "suiren/ops/unary/unary.h"

namespace suiren {
namespace {

struct SwiGlu {
  static constexpr OpName name = "swiglu";
  static constexpr const char* doc = "y = silu(gate) * up";
  using Attrs = NoAttrs;
  static constexpr auto fields = std::tuple{};
  static constexpr DTypes dtypes = kFloating;
  static Specs infer(const Attrs&, const TensorSpec& gate, const TensorSpec& up) {
    check_dtype(dtypes, "gate", gate);
    check_same_dtype("up", up, "gate", gate);
    check_same_shape("up", up, "gate", gate);
    return {gate};
  }
  static Tensor decompose(const Attrs&, const Tensor& gate, const Tensor& up) {
    return cast(silu(widen(gate)) * widen(up), gate.dtype());
  }
  static Grads vjp(const Attrs&, const Vjp& c) { return swiglu_backward(c.grad(), c.in(0), c.in(1)); }
  static Samples samples() {
    const Attrs a;
    return {sample(a, {real({3, 10}), real({3, 10})}),
            sample(a, {real({1}), real({1})}),
            sample(a, {real({2, 3, 37}), real({2, 3, 37})}),
            sample(a, {real({0, 4}), real({0, 4})}),
            sample(a, {real({40}, -60, 60), real({40})}),  // saturated gates
            bad(a, {real({2, 3}), real({3, 2})},
                "up has shape [3, 2], gate has shape [2, 3]; expected the same")};
  }
};

struct SwiGluBackward {
  static constexpr OpName name = "swiglu_backward";
  static constexpr const char* doc = "s = sigmoid(gate): dgate = g up s (1 + gate (1 - s)), dup = g gate s";
  using Attrs = NoAttrs;
  static constexpr auto fields = std::tuple{};
  static constexpr DTypes dtypes = kFloating;
  static Specs infer(const Attrs& a, const TensorSpec& g, const TensorSpec& gate, const TensorSpec& up) {
    SwiGlu::infer(a, gate, up);
    check_same_dtype("g", g, "gate", gate);
    check_same_shape("g", g, "gate", gate);
    return {gate, up};
  }
  static Tensors decompose(const Attrs&, const Tensor& g, const Tensor& gate, const Tensor& up) {
    const Tensor d = widen(g), x = widen(gate), s = sigmoid(x);
    const Tensor dgate = d * widen(up) * s * (1.0 + x * (1.0 - s));
    return {cast(dgate, gate.dtype()), cast(d * x * s, up.dtype())};
  }
  static Samples samples() {
    const Attrs a;
    return {
        sample(a, {real({3, 10}), real({3, 10}), real({3, 10})}),
        sample(a, {real({1}), real({1}), real({1})}),
        sample(a, {real({2, 37}), real({2, 37}), real({2, 37})}),
        sample(a, {real({0, 4}), real({0, 4}), real({0, 4})}),
        bad(a, {real({2}), real({3}), real({3})}, "g has shape [2], gate has shape [3]; expected the same")};
  }
};

}  // namespace

Tensor swiglu(const Tensor& gate, const Tensor& up) { return dispatch<SwiGlu>({}, gate, up); }

Tensors swiglu_backward(const Tensor& g, const Tensor& gate, const Tensor& up) {
  return dispatch_all<SwiGluBackward>({}, g, gate, up);
}

OpList ops_swiglu() { return {&op_info<SwiGlu>(), &op_info<SwiGluBackward>()}; }

}  // namespace suiren
