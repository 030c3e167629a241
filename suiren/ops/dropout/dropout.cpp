#include "suiren/ops/dropout/dropout.h"

#include "suiren/core/dispatch.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/common.h"
#include "suiren/ops/compare/compare.h"
#include "suiren/ops/full/full.h"
#include "suiren/ops/random/random.h"
#include "suiren/ops/where/where.h"

namespace suiren {
namespace {

struct Dropout {
  static constexpr OpName name = "dropout";
  static constexpr const char* doc = "y = x / (1 - p) where uniform(seed, stream, index) >= p, else 0";
  struct Attrs {
    double p;
    int64_t seed, stream;
  };
  static constexpr auto fields =
      std::tuple{field("p", &Attrs::p), field("seed", &Attrs::seed), field("stream", &Attrs::stream)};
  static constexpr DTypes dtypes = kFloating;
  static constexpr uint32_t saved_inputs = 0;
  static Specs infer(const Attrs& a, const TensorSpec& x) {
    check_dtype(dtypes, "x", x);
    SR_CHECK(a.p >= 0 && a.p < 1, "p is {}, expected 0 <= p < 1", a.p);
    return {x};
  }
  static Tensor decompose(const Attrs& a, const Tensor& x) {
    const Tensor u = uniform(x.shape(), 0, 1, static_cast<uint64_t>(a.seed), static_cast<uint64_t>(a.stream),
                             kF64, x.device());
    const Tensor kept = ge(u, full({}, a.p, kF64, x.device()));
    const Tensor h = cast(x, accumulator(x.dtype()));
    return cast(where(kept, h / (1 - a.p), zeros({}, h.dtype(), h.device())), x.dtype());
  }
  static Grads vjp(const Attrs& a, const Vjp& c) { return {dispatch<Dropout>(a, c.grad())}; }
  static Samples samples() {
    return {sample(Attrs{0.5, 1, 2}, {real({4, 9})}),
            sample(Attrs{0.1, 7, 0}, {real({3, 50})}),
            sample(Attrs{0, 1, 1}, {real({5})}),
            sample(Attrs{0.5, 1, 1}, {real({1})}),
            sample(Attrs{0.25, -1, 3}, {real({0, 4})}),
            bad(Attrs{1, 1, 1}, {real({3})}, "p is 1, expected 0 <= p < 1")};
  }
};

}  // namespace

Tensor dropout(const Tensor& x, double p, uint64_t seed, uint64_t stream) {
  if (p == 0) return x;
  return dispatch<Dropout>({p, static_cast<int64_t>(seed), static_cast<int64_t>(stream)}, x);
}

OpList ops_dropout() { return {&op_info<Dropout>()}; }

}  // namespace suiren
