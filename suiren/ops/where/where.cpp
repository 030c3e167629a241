#include "suiren/ops/where/where.h"

#include "suiren/core/dispatch.h"
#include "suiren/ops/common.h"
#include "suiren/ops/full/full.h"
#include "suiren/ops/reduce/reduce.h"

namespace suiren {
namespace {

struct Where {
  static constexpr OpName name = "where";
  static constexpr const char* doc = "y = cond ? a : b";
  using Attrs = NoAttrs;
  static constexpr auto fields = std::tuple{};
  static constexpr DTypes dtypes = kAnyType;
  static constexpr uint32_t saved_inputs = 1;
  static Specs infer(const NoAttrs&, const TensorSpec& cond, const TensorSpec& a, const TensorSpec& b) {
    check_dtype(kBoolOnly, "cond", cond);
    check_same_dtype("a", a, "b", b);
    return {{a.dtype, broadcast(cond.shape, broadcast(a.shape, b.shape)), a.device}};
  }
  static void reference(const NoAttrs&, std::span<const HostArray> in, std::span<HostArray> out) {
    HostArray& y = out[0];
    for (int64_t i = 0; i < y.numel(); ++i) {
      const HostArray& chosen = in[0][broadcast_index(i, y.shape, in[0].shape)] != 0 ? in[1] : in[2];
      y[i] = chosen[broadcast_index(i, y.shape, chosen.shape)];
    }
  }
  static Grads vjp(const NoAttrs&, const Vjp& c) {
    const Tensor cond = c.in(0), g = c.grad(), zero = full({}, 0, g.dtype(), g.device());
    return {Tensor(), c.needs(1) ? sum_to(where(cond, g, zero), c.in_spec(1).shape) : Tensor(),
            c.needs(2) ? sum_to(where(cond, zero, g), c.in_spec(2).shape) : Tensor()};
  }
  static Samples samples() {
    return {
        sample(NoAttrs{}, {boolean({}), real({}), real({})}),
        sample(NoAttrs{}, {boolean({37}), real({37}), real({37})}),
        sample(NoAttrs{}, {boolean({2, 3}), real({3}), real({})}),
        sample(NoAttrs{}, {boolean({5, 1}), real({4}), real({5, 4})}),
        sample(NoAttrs{}, {boolean({3, 4}), real({2, 3, 4}), real({2, 1, 1})}),
        sample(NoAttrs{}, {boolean({2, 1, 3, 1}), real({1, 4, 1, 2}), real({2})}),
        sample(NoAttrs{}, {boolean({0, 3}), real({3}), real({0, 3})}),
        bad(NoAttrs{}, {index({2}, 0, 2), real({2}), real({2})}, "cond is i64, expected bool; cast it first"),
        bad(NoAttrs{}, {boolean({2}), real({3}), real({3})},
            "shapes [2] and [3] do not broadcast: 2 against 3 in dimension 0"),
        bad(NoAttrs{}, {boolean({2}), boolean({2}), index({2}, 0, 2)},
            "a is bool, b is i64; cast one to the dtype of the other")};
  }
};

}  // namespace

Tensor where(const Tensor& cond, const Tensor& a, const Tensor& b) { return dispatch<Where>({}, cond, a, b); }

Tensor masked_fill(const Tensor& x, const Tensor& mask, double value) {
  return where(mask, full({}, value, x.dtype(), x.device()), x);
}

OpList ops_where() { return {&op_info<Where>()}; }

}  // namespace suiren
