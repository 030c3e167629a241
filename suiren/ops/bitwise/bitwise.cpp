#include "suiren/ops/bitwise/bitwise.h"

#include "suiren/core/dispatch.h"
#include "suiren/ops/common.h"

namespace suiren {
namespace {

constexpr DTypes kBits{kIntegers.mask | kBoolOnly.mask};

// What every row of the table shares; Row::value(a, b) on 64 bits.
template <class Row>
struct Bitwise {
  using Attrs = NoAttrs;
  static constexpr auto fields = std::tuple{};
  static constexpr const char* no_gradient = "it works on bits";
  static Specs infer(const NoAttrs&, const TensorSpec& a, const TensorSpec& b) {
    check_dtype(Row::dtypes, "a", a);
    check_same_dtype("a", a, "b", b);
    return {{a.dtype, broadcast(a.shape, b.shape), a.device}};
  }
  static void reference(const NoAttrs&, std::span<const HostArray> in, std::span<HostArray> out) {
    HostArray& y = out[0];
    for (int64_t i = 0; i < y.numel(); ++i)
      y[i] = static_cast<Wide>(
          Row::value(static_cast<int64_t>(in[0][broadcast_index(i, y.shape, in[0].shape)]),
                     static_cast<int64_t>(in[1][broadcast_index(i, y.shape, in[1].shape)])));
  }
  static Samples samples() {
    const auto x = [](Shape s) { return real(s, -100, 100); };
    const auto by = [](Shape s) { return real(s, -2, 9); };  // also distances for shifts
    Sample floating = bad(NoAttrs{}, {x({2}), x({2})}, "a is f32, expected an integer; cast it first");
    floating.inputs = {real({2}), real({2})};
    floating.only_dtype = kF32;
    return {sample(NoAttrs{}, {x({}), by({})}),
            sample(NoAttrs{}, {x({37}), by({37})}),
            sample(NoAttrs{}, {x({2, 3}), by({3})}),
            sample(NoAttrs{}, {x({4, 1}), by({1, 5})}),
            sample(NoAttrs{}, {x({2, 1, 3, 1}), x({1, 4, 1, 2})}),
            sample(NoAttrs{}, {x({0, 3}), by({3})}),
            bad(NoAttrs{}, {x({2, 3}), x({4})}, "shapes [2, 3] and [4] do not broadcast"),
            floating};
  }
};

#define BITWISE(Type, op, types, formula, f)                 \
  struct Type : Bitwise<Type> {                              \
    static constexpr OpName name = op;                       \
    static constexpr const char* doc = formula;              \
    static constexpr DTypes dtypes = types;                  \
    static int64_t value(int64_t a, int64_t b) { return f; } \
  };
BITWISE(And, "bitwise_and", kBits, "y = the bits that both a and b have", a& b)
BITWISE(Or, "bitwise_or", kBits, "y = the bits that a or b has", a | b)
BITWISE(Xor, "bitwise_xor", kBits, "y = the bits that one of a and b has", a ^ b)
BITWISE(ShiftLeft, "shift_left", kIntegers, "y = a 2^b, modulo 2^bits; 0 for b < 0",
        b<0 || b> 63 ? 0 : static_cast<int64_t>(static_cast<uint64_t>(a) << b))
BITWISE(ShiftRight, "shift_right", kIntegers, "y = floor(a / 2^b); the sign of a alone for b < 0",
        a >> (b < 0 || b > 63 ? 63 : b))

struct BitwiseNot {
  static constexpr OpName name = "bitwise_not";
  static constexpr const char* doc = "y = the bits that x has not";
  using Attrs = NoAttrs;
  static constexpr auto fields = std::tuple{};
  static constexpr DTypes dtypes = kBits;
  static constexpr const char* no_gradient = "it works on bits";
  static Specs infer(const NoAttrs&, const TensorSpec& x) {
    check_dtype(dtypes, "x", x);
    return {x};
  }
  static void reference(const NoAttrs&, std::span<const HostArray> in, std::span<HostArray> out) {
    const Wide all = in[0].dtype == kBool ? 1 : in[0].dtype == kU8 ? 255 : -1;  // all bits set, as a number
    for (int64_t i = 0; i < out[0].numel(); ++i) out[0][i] = all - in[0][i];
  }
  static Samples samples() {
    Sample floating = bad(NoAttrs{}, {real({2})}, "x is f32, expected an integer; cast it first");
    floating.only_dtype = kF32;
    return {sample(NoAttrs{}, {real({}, -100, 100)}), sample(NoAttrs{}, {real({37}, -100, 100)}),
            sample(NoAttrs{}, {real({2, 3, 4}, -100, 100)}), sample(NoAttrs{}, {real({0, 2})}), floating};
  }
};

}  // namespace

Tensor bitwise_and(const Tensor& a, const Tensor& b) { return dispatch<And>({}, a, b); }
Tensor bitwise_or(const Tensor& a, const Tensor& b) { return dispatch<Or>({}, a, b); }
Tensor bitwise_xor(const Tensor& a, const Tensor& b) { return dispatch<Xor>({}, a, b); }
Tensor bitwise_not(const Tensor& x) { return dispatch<BitwiseNot>({}, x); }
Tensor shift_left(const Tensor& a, const Tensor& b) { return dispatch<ShiftLeft>({}, a, b); }
Tensor shift_right(const Tensor& a, const Tensor& b) { return dispatch<ShiftRight>({}, a, b); }

OpList ops_bitwise() {
  return {&op_info<And>(),        &op_info<Or>(),        &op_info<Xor>(),
          &op_info<BitwiseNot>(), &op_info<ShiftLeft>(), &op_info<ShiftRight>()};
}

}  // namespace suiren
