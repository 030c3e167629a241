#include "suiren/ops/compare/compare.h"

#include <cmath>

#include "suiren/core/dispatch.h"
#include "suiren/ops/common.h"

namespace suiren {
namespace {

// What every row of the table shares.
template <class Row>
struct Compare {
  using Attrs = NoAttrs;
  static constexpr auto fields = std::tuple{};
  static constexpr const char* no_gradient = "its result is bool";
  static Specs infer(const NoAttrs&, const TensorSpec& a, const TensorSpec& b) {
    check_dtype(Row::dtypes, "a", a);
    check_same_dtype("a", a, "b", b);
    return {{kBool, broadcast(a.shape, b.shape), a.device}};
  }
  static void reference(const NoAttrs&, std::span<const HostArray> in, std::span<HostArray> out) {
    HostArray& y = out[0];
    for (int64_t i = 0; i < y.numel(); ++i)
      y[i] = Row::value(in[0][broadcast_index(i, y.shape, in[0].shape)],
                        in[1][broadcast_index(i, y.shape, in[1].shape)]);
  }
  static Samples samples() {
    constexpr bool logic = Row::dtypes.mask == kBoolOnly.mask;
    // Integers of so small a range are often equal; floats are not, so the last pairs draw zeros only.
    const auto x = [](Shape s) { return logic ? boolean(s) : real(s, -2, 2); };
    const auto zero = [](Shape s) { return logic ? boolean(s) : real(s, 0, 0); };
    Samples all{sample(NoAttrs{}, {x({}), x({})}),
                sample(NoAttrs{}, {x({37}), x({37})}),
                sample(NoAttrs{}, {x({2, 3}), x({3})}),
                sample(NoAttrs{}, {x({4, 1}), x({1, 5})}),
                sample(NoAttrs{}, {x({2, 1, 3, 1}), x({1, 4, 1, 2})}),
                sample(NoAttrs{}, {x({0, 3}), x({3})}),
                sample(NoAttrs{}, {zero({1}), zero({1})}),
                sample(NoAttrs{}, {zero({3, 4}), zero({})}),
                bad(NoAttrs{}, {x({2, 3}), x({4})},
                    "shapes [2, 3] and [4] do not broadcast: 3 against 4 in dimension 1"),
                bad(NoAttrs{}, {boolean({2}), index({2}, 0, 2)},
                    "a is bool, b is i64; cast one to the dtype of the other")};
    if (logic)
      all.push_back(
          bad(NoAttrs{}, {index({2}, 0, 2), index({2}, 0, 2)}, "a is i64, expected bool; cast it first"));
    return all;
  }
};

#define COMPARE(Type, op, types, formula)                 \
  struct Type : Compare<Type> {                           \
    static constexpr OpName name = op;                    \
    static constexpr const char* doc = "y = " #formula;   \
    static constexpr DTypes dtypes = types;               \
    static bool value(Wide a, Wide b) { return formula; } \
  };
COMPARE(Eq, "eq", kAnyType, a == b)
COMPARE(Ne, "ne", kAnyType, a != b)
COMPARE(Lt, "lt", kAnyType, a < b)
COMPARE(Le, "le", kAnyType, a <= b)
COMPARE(Gt, "gt", kAnyType, a > b)
COMPARE(Ge, "ge", kAnyType, a >= b)
COMPARE(LogicalAnd, "logical_and", kBoolOnly, a&& b)
COMPARE(LogicalOr, "logical_or", kBoolOnly, a || b)
COMPARE(LogicalXor, "logical_xor", kBoolOnly, a != b)

// What the tests of one float share; Row::value(x).
template <class Row>
struct FloatTest {
  using Attrs = NoAttrs;
  static constexpr auto fields = std::tuple{};
  static constexpr DTypes dtypes = kFloating;
  static constexpr const char* no_gradient = "its result is bool";
  static Specs infer(const NoAttrs&, const TensorSpec& x) {
    check_dtype(dtypes, "x", x);
    return {{kBool, x.shape, x.device}};
  }
  static void reference(const NoAttrs&, std::span<const HostArray> in, std::span<HostArray> out) {
    for (int64_t i = 0; i < out[0].numel(); ++i) out[0][i] = Row::value(in[0][i]);
  }
  static Samples samples() {  // the suite adds NaN and infinities
    return {sample(NoAttrs{}, {real({})}), sample(NoAttrs{}, {real({0, 2})}), sample(NoAttrs{}, {real({37})}),
            sample(NoAttrs{}, {real({2, 3, 4})}),
            bad(NoAttrs{}, {boolean({2})}, "x is bool, expected a floating type; cast it first")};
  }
};
struct IsNan : FloatTest<IsNan> {
  static constexpr OpName name = "isnan";
  static constexpr const char* doc = "y = x is NaN";
  static bool value(Wide x) { return std::isnan(x); }
};
struct IsInf : FloatTest<IsInf> {
  static constexpr OpName name = "isinf";
  static constexpr const char* doc = "y = x is infinite";
  static bool value(Wide x) { return std::isinf(x); }
};
struct IsFinite : FloatTest<IsFinite> {
  static constexpr OpName name = "isfinite";
  static constexpr const char* doc = "y = x is neither infinite nor NaN";
  static bool value(Wide x) { return std::isfinite(x); }
};

struct LogicalNot {
  static constexpr OpName name = "logical_not";
  static constexpr const char* doc = "y = !x";
  using Attrs = NoAttrs;
  static constexpr auto fields = std::tuple{};
  static constexpr DTypes dtypes = kBoolOnly;
  static constexpr const char* no_gradient = "its result is bool";
  static Specs infer(const NoAttrs&, const TensorSpec& x) {
    check_dtype(dtypes, "x", x);
    return {x};
  }
  static void reference(const NoAttrs&, std::span<const HostArray> in, std::span<HostArray> out) {
    for (int64_t i = 0; i < out[0].numel(); ++i) out[0][i] = !in[0][i];
  }
  static Samples samples() {
    return {sample(NoAttrs{}, {boolean({})}), sample(NoAttrs{}, {boolean({0, 2})}),
            sample(NoAttrs{}, {boolean({37})}), sample(NoAttrs{}, {boolean({2, 3, 4})}),
            bad(NoAttrs{}, {index({2}, 0, 2)}, "x is i64, expected bool; cast it first")};
  }
};

}  // namespace

Tensor eq(const Tensor& a, const Tensor& b) { return dispatch<Eq>({}, a, b); }
Tensor ne(const Tensor& a, const Tensor& b) { return dispatch<Ne>({}, a, b); }
Tensor lt(const Tensor& a, const Tensor& b) { return dispatch<Lt>({}, a, b); }
Tensor le(const Tensor& a, const Tensor& b) { return dispatch<Le>({}, a, b); }
Tensor gt(const Tensor& a, const Tensor& b) { return dispatch<Gt>({}, a, b); }
Tensor ge(const Tensor& a, const Tensor& b) { return dispatch<Ge>({}, a, b); }
Tensor logical_and(const Tensor& a, const Tensor& b) { return dispatch<LogicalAnd>({}, a, b); }
Tensor logical_or(const Tensor& a, const Tensor& b) { return dispatch<LogicalOr>({}, a, b); }
Tensor logical_not(const Tensor& x) { return dispatch<LogicalNot>({}, x); }
Tensor logical_xor(const Tensor& a, const Tensor& b) { return dispatch<LogicalXor>({}, a, b); }
Tensor isnan(const Tensor& x) { return dispatch<IsNan>({}, x); }
Tensor isinf(const Tensor& x) { return dispatch<IsInf>({}, x); }
Tensor isfinite(const Tensor& x) { return dispatch<IsFinite>({}, x); }

OpList ops_compare() {
  return {&op_info<Eq>(),         &op_info<Ne>(),         &op_info<Lt>(),         &op_info<Le>(),
          &op_info<Gt>(),         &op_info<Ge>(),         &op_info<LogicalAnd>(), &op_info<LogicalOr>(),
          &op_info<LogicalNot>(), &op_info<LogicalXor>(), &op_info<IsNan>(),      &op_info<IsInf>(),
          &op_info<IsFinite>()};
}

}  // namespace suiren
