#include "suiren/ops/pad/pad.h"

#include <algorithm>

#include "suiren/core/dispatch.h"
#include "suiren/ops/common.h"

namespace suiren {
namespace {

constexpr int64_t kMost = 1 << 30;  // elements on a side: sizes stay far from overflow
constexpr int64_t kConstant = static_cast<int64_t>(PadMode::kConstant),
                  kReflect = static_cast<int64_t>(PadMode::kReflect),
                  kReplicate = static_cast<int64_t>(PadMode::kReplicate),
                  kCircular = static_cast<int64_t>(PadMode::kCircular);

struct PadAttrs {
  Dims before, after;
  int64_t mode;
  double value;
};
struct PadBackwardAttrs {
  Dims before, after;
  int64_t mode;
};

// Checks the lists against x of shape `inner`.
template <class Attrs>
void check_pad(const Attrs& a, const Shape& inner) {
  SR_CHECK_AS(kShape, inner.rank() >= 1, "x is a scalar, expected at least 1 dimension");
  SR_CHECK_AS(kShape, a.before.size() == a.after.size() && a.before.size() <= inner.rank(),
              "before is {} and after {} for x with shape {}: expected as many, and no more than dimensions",
              a.before, a.after, inner);
  SR_CHECK(a.mode >= kConstant && a.mode <= kCircular, "mode is {}, expected 0 to 3", a.mode);
  for (int d = 0; d < a.before.size(); ++d) {
    const int64_t most = std::max(a.before[d], a.after[d]), least = std::min(a.before[d], a.after[d]);
    const int64_t extent = inner[inner.rank() - a.before.size() + d];
    SR_CHECK(least >= 0 && most <= kMost,
             "before is {} and after {}, expected at least 0 (and no more than 2^30)", a.before, a.after);
    SR_CHECK(a.mode != kReflect || most < extent || most == 0,
             "{} elements are mirrored along a dimension of {}, expected fewer", most, extent);
    SR_CHECK(a.mode != kCircular || most <= extent,
             "{} elements come around along a dimension of {}, expected no more", most, extent);
    SR_CHECK(a.mode != kReplicate || extent > 0 || most == 0, "there is no edge to repeat in x with shape {}",
             inner);
  }
}

// Which element of a dimension stands at output position p; -1: none.
int64_t source(int64_t p, int64_t before, int64_t extent, int64_t mode) {
  const int64_t i = p - before;
  if (i >= 0 && i < extent) return i;
  if (mode == kReflect) return i < 0 ? -i : 2 * (extent - 1) - i;
  if (mode == kReplicate) return i < 0 ? 0 : extent - 1;
  if (mode == kCircular) return i < 0 ? i + extent : i - extent;
  return -1;
}

// f(index in the padded tensor, index in the inner one or -1) for every element.
template <class Attrs, class F>
void for_each_place(const Attrs& a, const Shape& inner, const Shape& padded, F f) {
  const int lead = inner.rank() - a.before.size();
  for (int64_t i = 0; i < padded.numel(); ++i) {
    int64_t rest = i, at = 0, step = 1;
    for (int d = inner.rank() - 1; d >= 0 && at >= 0; --d) {
      const int64_t p = rest % padded[d];
      const int64_t from = d < lead ? p : source(p, a.before[d - lead], inner[d], a.mode);
      at = from < 0 ? -1 : at + from * step;
      rest /= padded[d], step *= inner[d];
    }
    f(i, at);
  }
}

struct PadBackward {
  static constexpr OpName name = "pad_backward";
  static constexpr const char* doc = "dx[i] = sum of g[p] over the places p where pad puts x[i]";
  using Attrs = PadBackwardAttrs;
  static constexpr auto fields =
      std::tuple{field("before", &Attrs::before), field("after", &Attrs::after), field("mode", &Attrs::mode)};
  static constexpr DTypes dtypes = kFloating;
  static constexpr uint32_t saved_inputs = 0;
  static Specs infer(const Attrs& a, const TensorSpec& g) {
    check_dtype(dtypes, "g", g);
    SR_CHECK_AS(
        kShape, a.before.size() == a.after.size() && a.before.size() <= g.rank(),
        "before is {} and after {} for g with shape {}: expected as many, and no more than dimensions",
        a.before, a.after, g.shape);
    Shape inner = g.shape;
    for (int d = 0; d < a.before.size(); ++d) {
      int64_t& extent = inner[g.rank() - a.before.size() + d];
      extent -= a.before[d] + a.after[d];
      SR_CHECK_AS(kShape, extent >= 0, "g has shape {}, less than before {} and after {} add", g.shape,
                  a.before, a.after);
    }
    check_pad(a, inner);
    return {{g.dtype, inner, g.device}};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    for_each_place(a, out[0].shape, in[0].shape, [&](int64_t p, int64_t i) {
      if (i >= 0) out[0][i] += in[0][p];
    });
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    return {pad(c.grad(), a.before, a.after, static_cast<PadMode>(a.mode))};
  }
  static Samples samples() {
    return {sample(Attrs{{1, 2}, {2, 0}, kConstant}, {real({2, 6, 5})}),
            sample(Attrs{{1, 2}, {2, 1}, kReflect}, {real({2, 6, 7})}),
            sample(Attrs{{3, 2}, {2, 4}, kReplicate}, {real({2, 6, 9})}),
            sample(Attrs{{3, 2}, {2, 4}, kCircular}, {real({2, 8, 10})}),
            sample(Attrs{{0}, {1}, kConstant}, {real({2})}),
            sample(Attrs{{1}, {1}, kConstant}, {real({0, 4})}),
            bad(Attrs{{3}, {2}, kConstant}, {real({4})},
                "g has shape [4], less than before [3] and after [2] add"),
            bad(Attrs{{2}, {2}, kReflect}, {real({6})},
                "2 elements are mirrored along a dimension of 2, expected fewer")};
  }
};

struct Pad {
  static constexpr OpName name = "pad";
  static constexpr const char* doc =
      "y = x with elements before and after: a constant (mode 0), reflected (1), its edge (2), itself again "
      "(3)";
  using Attrs = PadAttrs;
  static constexpr auto fields = std::tuple{field("before", &Attrs::before), field("after", &Attrs::after),
                                            field("mode", &Attrs::mode), field("value", &Attrs::value)};
  static constexpr DTypes dtypes = kAnyType;
  static constexpr uint32_t saved_inputs = 0;
  static Specs infer(const Attrs& a, const TensorSpec& x) {
    check_pad(a, x.shape);
    Shape shape = x.shape;
    for (int d = 0; d < a.before.size(); ++d)
      shape[x.rank() - a.before.size() + d] += a.before[d] + a.after[d];
    return {{x.dtype, shape, x.device}};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    for_each_place(a, in[0].shape, out[0].shape,
                   [&](int64_t p, int64_t i) { out[0][p] = i < 0 ? static_cast<Wide>(a.value) : in[0][i]; });
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    return {dispatch<PadBackward>({a.before, a.after, a.mode}, c.grad())};
  }
  static Samples samples() {
    return {sample(Attrs{{1, 2}, {2, 0}, kConstant, 1}, {real({2, 3, 5})}),
            sample(Attrs{{1, 2}, {2, 1}, kReflect, 0}, {real({2, 3, 4})}),
            sample(Attrs{{3, 2}, {2, 4}, kReplicate, 0}, {real({2, 1, 3})}),
            sample(Attrs{{3, 2}, {2, 4}, kCircular, 0}, {real({2, 3, 4})}),
            sample(Attrs{{1, 0, 2, 1}, {0, 1, 1, 2}, kConstant, 0}, {real({2, 1, 3, 4})}),
            sample(Attrs{{0}, {1}, kConstant, 0}, {real({1})}),
            sample(Attrs{{}, {}, kReflect, 0}, {real({3})}),
            sample(Attrs{{1}, {1}, kConstant, 0}, {real({0, 2})}),
            bad(Attrs{{1, 1}, {1}, kConstant, 0}, {real({2, 3})},
                "before is [1, 1] and after [1] for x with shape [2, 3]"),
            bad(Attrs{{}, {}, kConstant, 0}, {real({})}, "x is a scalar, expected at least 1 dimension"),
            bad(Attrs{{-1}, {1}, kConstant, 0}, {real({2, 3})},
                "before is [-1] and after [1], expected at least 0"),
            bad(Attrs{{3}, {1}, kReflect, 0}, {real({2, 3})},
                "3 elements are mirrored along a dimension of 3, expected fewer"),
            bad(Attrs{{1}, {4}, kCircular, 0}, {real({2, 3})},
                "4 elements come around along a dimension of 3, expected no more"),
            bad(Attrs{{1}, {1}, 4, 0}, {real({2, 3})}, "mode is 4, expected 0 to 3")};
  }
};

}  // namespace

Tensor pad(const Tensor& x, const Dims& before, const Dims& after, PadMode mode, double value) {
  return dispatch<Pad>({before, after, static_cast<int64_t>(mode), value}, x);
}

OpList ops_pad() { return {&op_info<Pad>(), &op_info<PadBackward>()}; }

}  // namespace suiren
