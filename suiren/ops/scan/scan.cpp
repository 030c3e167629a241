#include "suiren/ops/scan/scan.h"

#include "suiren/core/dispatch.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/common.h"
#include "suiren/ops/concat/concat.h"
#include "suiren/ops/full/full.h"
#include "suiren/ops/reduce/axes.h"
#include "suiren/ops/view/view.h"

namespace suiren {
namespace {

struct ScanAttrs {
  int64_t axis;
  bool reverse;
};

// y[k] = x[k-1] along axis (x[k+1] when `forward` is false), with 0 where nothing stands.
Tensor shifted(const Tensor& x, int64_t axis, bool forward) {
  const int64_t n = x.dim(static_cast<int>(axis));
  if (n == 0) return x;
  Shape edge = x.shape();
  edge[static_cast<int>(axis)] = 1;
  const Tensor zero = zeros(edge, x.dtype(), x.device());
  return forward ? concat({zero, slice(x, axis, 0, n - 1)}, axis)
                 : concat({slice(x, axis, 1, n), zero}, axis);
}

// For each line along the axis: the places of its elements in the order of the recurrence.
template <class Step>
void for_lines(const Shape& shape, const ScanAttrs& a, Step step) {
  const AxisView v(shape, a.axis);
  for (int64_t o = 0; o < v.outers; ++o)
    for (int64_t i = 0; i < v.inners; ++i)
      for (int64_t k = 0; k < v.extent; ++k) step(v.at(o, a.reverse ? v.extent - 1 - k : k, i), k == 0);
}

struct Scan {
  static constexpr OpName name = "scan";
  static constexpr const char* doc =
      "s[0] = b[0], s[k] = a[k] s[k-1] + b[k] along axis; reverse: from the end";
  using Attrs = ScanAttrs;
  static constexpr auto fields = std::tuple{field("axis", &Attrs::axis), field("reverse", &Attrs::reverse)};
  static constexpr DTypes dtypes = kFloating;
  static constexpr uint32_t saved_inputs = 0b01, saved_outputs = 1;
  static Specs infer(const Attrs& at, const TensorSpec& a, const TensorSpec& b) {
    check_dtype(dtypes, "a", a);
    check_same_dtype("a", a, "b", b);
    check_same_shape("a", a, "b", b);
    check_axis(at.axis, a);
    return {b};
  }
  static void reference(const Attrs& at, std::span<const HostArray> in, std::span<HostArray> out) {
    Wide s = 0;
    for_lines(out[0].shape, at, [&](int64_t i, bool first) {
      s = first ? in[1][i] : in[0][i] * s + in[1][i];
      out[0][i] = s;
    });
  }
  // t[k] = g[k] + a[k+1] t[k+1] is the gradient of b, and s[k-1] t[k] that of a.
  static Grads vjp(const Attrs& at, const Vjp& c) {
    const Tensor a = c.in(0), s = c.out(0);
    const Tensor t = scan(shifted(a, at.axis, at.reverse), c.grad(), at.axis, !at.reverse);
    return {c.needs(0) ? t * shifted(s, at.axis, !at.reverse) : Tensor(), t};
  }
  static Samples samples() {
    const auto call = [](int64_t axis, bool reverse, Shape s) {
      return sample(Attrs{axis, reverse}, {real(s, -1, 1), real(s)});
    };
    return {
        call(0, false, {1}),
        call(0, false, {37}),
        call(0, true, {37}),
        call(1, false, {3, 5}),
        call(0, true, {3, 5}),
        call(1, false, {2, 6, 3}),
        call(3, true, {2, 1, 3, 4}),
        call(0, false, {0, 4}),
        call(0, true, {2, 0}),
        bad(Attrs{1, false}, {real({3}), real({3})}, "dimension 1 is out of range for x with shape [3]"),
        bad(Attrs{0, false}, {real({3}), real({4})}, "a has shape [3], b has shape [4]; expected the same")};
  }
};

struct Cumprod {
  static constexpr OpName name = "cumprod";
  static constexpr const char* doc = "y[k] = x[0] ... x[k] along axis; reverse: x[k] ... x[n-1]";
  using Attrs = ScanAttrs;
  static constexpr auto fields = Scan::fields;
  static constexpr DTypes dtypes = kAnyType;
  static constexpr uint32_t saved_inputs = 1, saved_outputs = 1;
  static Specs infer(const Attrs& a, const TensorSpec& x) {
    check_axis(a.axis, x);
    return {{x.dtype.is_floating() ? x.dtype : kI64, x.shape, x.device}};
  }
  static void reference(const Attrs& at, std::span<const HostArray> in, std::span<HostArray> out) {
    Wide y = 1;
    for_lines(out[0].shape, at, [&](int64_t i, bool first) {
      y = multiply_wide(in[0].dtype, first ? 1 : y, in[0][i]);
      out[0][i] = y;
    });
  }
  // y[k] = x[k] y[k-1] is a recurrence in x: its gradient is right where x is 0 too.
  static Grads vjp(const Attrs& at, const Vjp& c) {
    const Tensor x = c.in(0), y = c.out(0);
    const int64_t n = x.dim(static_cast<int>(at.axis));
    if (x.numel() == 0) return {c.grad()};
    const Tensor t = scan(shifted(x, at.axis, at.reverse), c.grad(), at.axis, !at.reverse);
    Shape edge = x.shape();
    edge[static_cast<int>(at.axis)] = 1;
    const Tensor one = ones(edge, x.dtype(), x.device());
    const Tensor before = at.reverse ? concat({slice(y, at.axis, 1, n), one}, at.axis)
                                     : concat({one, slice(y, at.axis, 0, n - 1)}, at.axis);
    return {t * before};
  }
  static Samples samples() {
    return {sample(Attrs{0, false}, {real({1})}),
            sample(Attrs{0, false}, {real({17}, -1.2, 1.2)}),
            sample(Attrs{0, true}, {real({17}, -1.2, 1.2)}),
            sample(Attrs{1, false}, {real({3, 5})}),
            sample(Attrs{0, true}, {real({3, 5})}),
            sample(Attrs{1, false}, {real({2, 6, 3}, -1, 1)}),
            sample(Attrs{0, false}, {real({4}, 0, 0)}),  // zeros
            sample(Attrs{3, true}, {real({2, 1, 3, 4}, -1, 1)}),
            sample(Attrs{0, false}, {real({0, 4})}),
            bad(Attrs{2, false}, {real({3, 5})}, "dimension 2 is out of range for x with shape [3, 5]")};
  }
};

}  // namespace

Tensor scan(const Tensor& a, const Tensor& b, int64_t axis, bool reverse) {
  return dispatch<Scan>({normalize_axis(axis, a.rank()), reverse}, a, b);
}
Tensor cumprod(const Tensor& x, int64_t axis, bool reverse) {
  return dispatch<Cumprod>({normalize_axis(axis, x.rank()), reverse}, x);
}

OpList ops_scan() { return {&op_info<Scan>(), &op_info<Cumprod>()}; }

}  // namespace suiren
