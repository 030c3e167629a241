#include "suiren/ops/clamp/clamp.h"

#include "suiren/core/dispatch.h"
#include "suiren/ops/common.h"
#include "suiren/ops/compare/compare.h"
#include "suiren/ops/full/full.h"
#include "suiren/ops/where/where.h"

namespace suiren {
namespace {

struct Clamp {
  static constexpr OpName name = "clamp";
  static constexpr const char* doc = "y = min(max(x, low), high)";
  struct Attrs {
    double low, high;
  };
  static constexpr auto fields = std::tuple{field("low", &Attrs::low), field("high", &Attrs::high)};
  static constexpr DTypes dtypes = kNumbers;
  static Specs infer(const Attrs& a, const TensorSpec& x) {
    check_dtype(dtypes, "x", x);
    SR_CHECK(a.low <= a.high, "the bounds are {} and {}, expected low <= high", a.low, a.high);
    return {x};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    for (int64_t i = 0; i < out[0].numel(); ++i) {
      const Wide x = in[0][i];
      out[0][i] = x < a.low ? a.low : x > a.high ? a.high : x;
    }
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    const Tensor x = c.in(0);
    const auto number = [&](double v) { return full({}, v, x.dtype(), x.device()); };
    return {where(logical_and(ge(x, number(a.low)), le(x, number(a.high))), c.grad(), number(0))};
  }
  static Samples samples() {
    return {sample(Attrs{-1, 1}, {real({})}),
            sample(Attrs{-1, 1}, {real({37})}),
            sample(Attrs{0, 100}, {real({5, 7})}),
            sample(Attrs{-100, 100}, {real({2, 3, 4})}),
            sample(Attrs{1, 1}, {real({2, 1, 3})}),
            sample(Attrs{-1, 0}, {real({2, 2, 1, 3})}),
            sample(Attrs{-1, 1}, {real({0, 3})}),
            bad(Attrs{2, 1}, {real({3})}, "the bounds are 2 and 1, expected low <= high"),
            bad(Attrs{0, 1}, {boolean({3})}, "x is bool, expected a number; cast it first")};
  }
};

}  // namespace

Tensor clamp(const Tensor& x, double low, double high) { return dispatch<Clamp>({low, high}, x); }

OpList ops_clamp() { return {&op_info<Clamp>()}; }

}  // namespace suiren
