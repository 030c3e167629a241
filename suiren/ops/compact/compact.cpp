#include "suiren/ops/compact/compact.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "suiren/core/dispatch.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/common.h"
#include "suiren/ops/full/full.h"
#include "suiren/ops/gather/gather.h"
#include "suiren/ops/reduce/reduce.h"
#include "suiren/ops/scatter/scatter.h"
#include "suiren/ops/view/view.h"
#include "suiren/ops/where/where.h"

namespace suiren {
namespace {

// For each element of a mask how many true ones come before it, itself not counted when it is true: [N].
Tensor places(const Tensor& mask) {
  const Tensor before = cumsum(reshape(mask, {mask.numel()}), 0) - 1;
  return maximum(before, zeros({}, kI64, mask.device()));
}

struct MaskedSelect {
  static constexpr OpName name = "masked_select";
  static constexpr const char* doc = "values = the elements of x where mask, then 0; count = their number";
  using Attrs = NoAttrs;
  static constexpr auto fields = std::tuple{};
  static constexpr DTypes dtypes = kAnyType;
  static constexpr uint32_t saved_inputs = 0b10;
  static Specs infer(const Attrs&, const TensorSpec& x, const TensorSpec& mask) {
    SR_CHECK_AS(kShape, mask.dtype == kBool, "mask is {}, expected bool", mask.dtype);
    check_same_shape("x", x, "mask", mask);
    return {{x.dtype, {x.shape.numel()}, x.device}, {kI64, {}, x.device}};
  }
  // What is not chosen goes to one place behind the others.
  static Tensors decompose(const Attrs&, const Tensor& x, const Tensor& mask) {
    const int64_t N = x.numel();
    const Tensor end = full({}, static_cast<double>(N), kI64, x.device());
    const Tensor target = where(reshape(mask, {N}), places(mask), end);
    const Tensor room = scatter(zeros({N + 1}, x.dtype(), x.device()), 0, target, reshape(x, {N}));
    return {slice(room, 0, 0, N), sum(mask)};
  }
  static Grads vjp(const Attrs&, const Vjp& c) {
    const Tensor &g = c.grad(), mask = c.in(1);
    const Tensor taken = reshape(gather(g, 0, places(mask)), mask.shape());
    return {where(mask, taken, zeros({}, g.dtype(), g.device())), Tensor()};
  }
  static Samples samples() {
    const Attrs a;
    return {sample(a, {real({7}), boolean({7})}),
            sample(a, {real({1}), boolean({1})}),
            sample(a, {real({}), boolean({})}),
            sample(a, {real({3, 5}), boolean({3, 5})}),
            sample(a, {real({2, 3, 4}), boolean({2, 3, 4})}),
            sample(a, {real({0, 3}), boolean({0, 3})}),
            bad(a, {real({3}), index({3}, 0, 2)}, "mask is i64, expected bool"),
            bad(a, {real({3}), boolean({2})}, "x has shape [3], mask has shape [2]; expected the same")};
  }
};

struct Nonzero {
  static constexpr OpName name = "nonzero";
  static constexpr const char* doc =
      "values = coordinates of the elements that are not 0, then -1; count = their number";
  using Attrs = NoAttrs;
  static constexpr auto fields = std::tuple{};
  static constexpr DTypes dtypes = kAnyType;
  static constexpr const char* no_gradient = "its result is an index";
  static Specs infer(const Attrs&, const TensorSpec& x) {
    return {{kI64, {x.shape.numel(), x.rank()}, x.device}, {kI64, {}, x.device}};
  }
  static void reference(const Attrs&, std::span<const HostArray> in, std::span<HostArray> out) {
    const Shape& shape = in[0].shape;
    int64_t count = 0;
    out[0].v.assign(out[0].v.size(), -1);
    for (int64_t i = 0; i < in[0].numel(); ++i) {
      if (in[0][i] == 0) continue;
      for (int64_t d = shape.rank() - 1, rest = i; d >= 0; --d) {
        out[0][count * shape.rank() + d] = static_cast<Wide>(rest % shape[static_cast<int>(d)]);
        rest /= shape[static_cast<int>(d)];
      }
      ++count;
    }
    out[1][0] = static_cast<Wide>(count);
  }
  static Samples samples() {
    const NoAttrs a;
    return {sample(a, {constant({9})}),    sample(a, {constant({1})}),       sample(a, {constant({})}),
            sample(a, {constant({3, 5})}), sample(a, {constant({2, 3, 4})}), sample(a, {constant({4}, 0, 0)}),
            sample(a, {constant({0, 3})})};
  }
};

struct UniqueOp {
  static constexpr OpName name = "unique";
  static constexpr const char* doc =
      "values = the different elements, ascending, then 0; inverse, counts; count = their number";
  using Attrs = NoAttrs;
  static constexpr auto fields = std::tuple{};
  static constexpr DTypes dtypes = kNumbers;
  static constexpr const char* no_gradient = "what it chooses is constant between its steps";
  static Specs infer(const Attrs&, const TensorSpec& x) {
    check_dtype(dtypes, "x", x);
    const int64_t N = x.shape.numel();
    return {{x.dtype, {N}, x.device}, {kI64, x.shape, x.device}, {kI64, {N}, x.device}, {kI64, {}, x.device}};
  }
  static void reference(const Attrs&, std::span<const HostArray> in, std::span<HostArray> out) {
    const HostArray& x = in[0];
    std::vector<int64_t> order(x.v.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
      return x[a] < x[b] || (std::isnan(x[b]) && !std::isnan(x[a]));
    });
    int64_t count = 0;
    for (int64_t place : order) {
      if (count == 0 || !(out[0][count - 1] == x[place])) out[0][count++] = x[place];
      out[1][place] = static_cast<Wide>(count - 1);
      out[2][count - 1] += 1;
    }
    out[3][0] = static_cast<Wide>(count);
  }
  static Samples samples() {
    const NoAttrs a;
    return {sample(a, {constant({20}, -3, 3)}),
            sample(a, {constant({1})}),
            sample(a, {constant({})}),
            sample(a, {constant({3, 5})}),
            sample(a, {constant({2, 3, 4}, 1, 1)}),
            sample(a, {constant({0, 3})})};
  }
};

}  // namespace

Counted masked_select(const Tensor& x, const Tensor& mask) {
  const Shape shape = broadcast(x.shape(), mask.shape());
  const Tensors y = dispatch_all<MaskedSelect>({}, broadcast_to(x, shape), broadcast_to(mask, shape));
  return {y[0], y[1]};
}
Counted nonzero(const Tensor& x) {
  const Tensors y = dispatch_all<Nonzero>({}, x);
  return {y[0], y[1]};
}
Unique unique(const Tensor& x) {
  const Tensors y = dispatch_all<UniqueOp>({}, x);
  return {y[0], y[1], y[2], y[3]};
}

OpList ops_compact() { return {&op_info<MaskedSelect>(), &op_info<Nonzero>(), &op_info<UniqueOp>()}; }

}  // namespace suiren
