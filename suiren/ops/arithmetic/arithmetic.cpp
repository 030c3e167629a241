#include "suiren/ops/arithmetic/arithmetic.h"

#include <cmath>
#include <type_traits>
#include <utility>

#include "suiren/core/dispatch.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/common.h"
#include "suiren/ops/compare/compare.h"
#include "suiren/ops/full/full.h"
#include "suiren/ops/reduce/reduce.h"
#include "suiren/ops/unary/unary.h"

namespace suiren {
namespace {

// What the rows below share. A row states its name, its value on floats (`real`) and on integers modulo 2^64
// (`whole`), what the tape keeps for the gradient, and the gradient.
template <class Row>
struct Binary {
  using Attrs = NoAttrs;
  static constexpr auto fields = std::tuple{};
  static constexpr DTypes dtypes = kNumbers;
  static constexpr uint32_t saved_inputs = 0;
  static constexpr double a_low = -20, a_high = 20, b_low = -20, b_high = 20;  // of the samples

  static Specs infer(const NoAttrs&, const TensorSpec& a, const TensorSpec& b) {
    check_dtype(Row::dtypes, "a", a);
    check_same_dtype("a", a, "b", b);
    return {{a.dtype, broadcast(a.shape, b.shape), a.device}};
  }
  static void reference(const NoAttrs&, std::span<const HostArray> in, std::span<HostArray> out) {
    HostArray& y = out[0];
    for (int64_t i = 0; i < y.numel(); ++i) {
      const Wide a = in[0][broadcast_index(i, y.shape, in[0].shape)];
      const Wide b = in[1][broadcast_index(i, y.shape, in[1].shape)];
      y[i] = y.dtype.is_floating()
                 ? Row::real(a, b)
                 : static_cast<Wide>(Row::whole(static_cast<int64_t>(a), static_cast<int64_t>(b)));
    }
  }
  static Samples samples() {
    const auto a = [](Shape s) { return suiren::real(s, Row::a_low, Row::a_high); };
    const auto b = [](Shape s) { return suiren::real(s, Row::b_low, Row::b_high); };
    Sample mixed =
        bad(NoAttrs{}, {a({2}), index({2}, 0, 3)}, "a is f32, b is i64; cast one to the dtype of the other");
    mixed.only_dtype = kF32;
    return {sample(NoAttrs{}, {a({}), b({})}),
            sample(NoAttrs{}, {a({1}), b({1})}),
            sample(NoAttrs{}, {a({37}), b({37})}),
            sample(NoAttrs{}, {a({2, 3}), b({2, 3})}),
            sample(NoAttrs{}, {a({2, 3}), b({})}),
            sample(NoAttrs{}, {a({3}), b({2, 3})}),
            sample(NoAttrs{}, {a({4, 1}), b({1, 5})}),
            sample(NoAttrs{}, {a({2, 3, 4}), b({3, 1})}),
            sample(NoAttrs{}, {a({2, 1, 3, 1}), b({1, 4, 1, 2})}),
            sample(NoAttrs{}, {a({0, 3}), b({3})}),
            bad(NoAttrs{}, {a({2, 3}), b({4})},
                "shapes [2, 3] and [4] do not broadcast: 3 against 4 in dimension 1"),
            bad(NoAttrs{}, {boolean({2}), boolean({2})},
                fmt::format("a is bool, expected {}; cast it first", describe(Row::dtypes))),
            mixed};
  }
};

// The gradient of input i: f(), summed over what broadcasting repeated; none when nobody asks for it.
template <class F>
Tensor grad_of(int i, const Vjp& c, F f) {
  return c.needs(i) ? sum_to(f(), c.in_spec(i).shape) : Tensor();
}

struct Add : Binary<Add> {
  static constexpr OpName name = "add";
  static constexpr const char* doc = "y = a + b";
  static Wide real(Wide a, Wide b) { return a + b; }
  static int64_t whole(uint64_t a, uint64_t b) { return static_cast<int64_t>(a + b); }
  static Grads vjp(const NoAttrs&, const Vjp& c) {
    return {grad_of(0, c, [&] { return c.grad(); }), grad_of(1, c, [&] { return c.grad(); })};
  }
};

struct Sub : Binary<Sub> {
  static constexpr OpName name = "sub";
  static constexpr const char* doc = "y = a - b";
  static Wide real(Wide a, Wide b) { return a - b; }
  static int64_t whole(uint64_t a, uint64_t b) { return static_cast<int64_t>(a - b); }
  static Grads vjp(const NoAttrs&, const Vjp& c) {
    return {grad_of(0, c, [&] { return c.grad(); }), grad_of(1, c, [&] { return -c.grad(); })};
  }
};

struct Mul : Binary<Mul> {
  static constexpr OpName name = "mul";
  static constexpr const char* doc = "y = a * b";
  static constexpr uint32_t saved_inputs = 0b11;
  static Wide real(Wide a, Wide b) { return a * b; }
  static int64_t whole(uint64_t a, uint64_t b) { return static_cast<int64_t>(a * b); }
  static Grads vjp(const NoAttrs&, const Vjp& c) {
    return {grad_of(0, c, [&] { return c.grad() * c.in(1); }),
            grad_of(1, c, [&] { return c.grad() * c.in(0); })};
  }
};

struct Div : Binary<Div> {
  static constexpr OpName name = "div";
  static constexpr const char* doc = "y = a / b; integers are cut toward zero, and division by 0 gives 0";
  static constexpr uint32_t saved_inputs = 0b10, saved_outputs = 1;
  static constexpr double b_low = 0.5, b_high = 4;
  static Wide real(Wide a, Wide b) { return a / b; }
  static int64_t whole(int64_t a, int64_t b) {
    if (b == 0) return 0;
    return b == -1 ? static_cast<int64_t>(0 - static_cast<uint64_t>(a)) : a / b;
  }
  static Grads vjp(const NoAttrs&, const Vjp& c) {  // dy/db = -a / b^2 = -y / b
    return {grad_of(0, c, [&] { return c.grad() / c.in(1); }),
            grad_of(1, c, [&] { return -(c.grad() * c.out(0) / c.in(1)); })};
  }
};

struct Pow : Binary<Pow> {
  static constexpr OpName name = "pow";
  static constexpr const char* doc = "y = a^b";
  static constexpr DTypes dtypes = kFloating;
  static constexpr uint32_t saved_inputs = 0b11, saved_outputs = 1;
  static constexpr double a_low = 0.2, a_high = 2, b_low = -2, b_high = 3;
  static Wide real(Wide a, Wide b) { return std::pow(a, b); }
  static int64_t whole(int64_t, int64_t) { return 0; }  // infer refuses integers
  static Grads vjp(const NoAttrs&, const Vjp& c) {
    return {grad_of(0, c, [&] { return c.grad() * c.in(1) * pow(c.in(0), c.in(1) - 1); }),
            grad_of(1, c, [&] { return c.grad() * c.out(0) * log(c.in(0)); })};
  }
};

// What maximum and minimum share; Row::ahead(a, b) is true where a is the chosen one.
template <class Row>
struct Choice : Binary<Row> {
  static constexpr uint32_t saved_inputs = 0b11;
  static Wide real(Wide a, Wide b) { return std::isnan(a) || std::isnan(b) ? a + b : Row::whole(a, b); }
  // 1 where a is ahead, 1/2 where they are equal, 0 where b is.
  static Tensor share(const Tensor& a, const Tensor& b) {
    return (cast(Row::ahead(a, b), a.dtype()) + 1 - cast(Row::ahead(b, a), a.dtype())) * 0.5;
  }
  static Grads vjp(const NoAttrs&, const Vjp& c) {
    return {grad_of(0, c, [&] { return c.grad() * share(c.in(0), c.in(1)); }),
            grad_of(1, c, [&] { return c.grad() * share(c.in(1), c.in(0)); })};
  }
};

struct Maximum : Choice<Maximum> {
  static constexpr OpName name = "maximum";
  static constexpr const char* doc = "y = the larger of a and b";
  static auto whole(auto a, auto b) { return a > b ? a : b; }
  static Tensor ahead(const Tensor& a, const Tensor& b) { return gt(a, b); }
};

struct Minimum : Choice<Minimum> {
  static constexpr OpName name = "minimum";
  static constexpr const char* doc = "y = the smaller of a and b";
  static auto whole(auto a, auto b) { return a < b ? a : b; }
  static Tensor ahead(const Tensor& a, const Tensor& b) { return lt(a, b); }
};

// Division with a rest, of floats and integers alike.
template <class T>
T fmod_of(T a, T b) {
  if constexpr (std::is_integral_v<T>)
    return b == 0 || b == -1 ? 0 : a % b;
  else
    return std::fmod(a, b);
}
template <class T>
T remainder_of(T a, T b) {  // has the sign of b
  const T r = fmod_of(a, b);
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}
template <class T>
T floor_divide_of(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    if (b == 0) return 0;
    if (b == -1) return static_cast<T>(0 - static_cast<uint64_t>(a));
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
  } else {
    if (b == 0) return a / b;
    const T r = std::fmod(a, b), q = (a - r) / b - (r != 0 && (r < 0) != (b < 0));
    return std::nearbyint(q);
  }
}

template <class Row>
struct Division : Binary<Row> {
  static constexpr double a_low = 2.1, a_high = 2.4, b_low = 0.85, b_high = 1;  // away from the steps
  static Samples samples() {
    Samples all = Binary<Row>::samples();
    for (const auto& [b_low, b_high] : {std::pair{-4.0, 4.0}, std::pair{3.0, 20.0}}) {
      Sample wide = sample(NoAttrs{}, {suiren::real({5, 7}, -20, 20), suiren::real({5, 7}, b_low, b_high)});
      wide.gradient = false;
      all.push_back(wide);
    }
    return all;
  }
};

struct Fmod : Division<Fmod> {
  static constexpr OpName name = "fmod";
  static constexpr const char* doc = "y = a - b trunc(a / b), with the sign of a; integers: 0 for b = 0";
  static constexpr uint32_t saved_inputs = 0b11;
  static Wide real(Wide a, Wide b) { return fmod_of(a, b); }
  static int64_t whole(int64_t a, int64_t b) { return fmod_of(a, b); }
  static Grads vjp(const NoAttrs&, const Vjp& c) {
    return {grad_of(0, c, [&] { return c.grad(); }),
            grad_of(1, c, [&] { return -(c.grad() * trunc(c.in(0).detach() / c.in(1).detach())); })};
  }
};

struct Remainder : Division<Remainder> {
  static constexpr OpName name = "remainder";
  static constexpr const char* doc = "y = a - b floor(a / b), with the sign of b; integers: 0 for b = 0";
  static constexpr uint32_t saved_inputs = 0b11;
  static Wide real(Wide a, Wide b) { return remainder_of(a, b); }
  static int64_t whole(int64_t a, int64_t b) { return remainder_of(a, b); }
  static Grads vjp(const NoAttrs&, const Vjp& c) {
    return {grad_of(0, c, [&] { return c.grad(); }),
            grad_of(1, c, [&] { return -(c.grad() * floor_divide(c.in(0).detach(), c.in(1).detach())); })};
  }
};

struct FloorDivide : Division<FloorDivide> {
  static constexpr OpName name = "floor_divide";
  static constexpr const char* doc = "y = floor(a / b); integers: 0 for b = 0";
  static constexpr const char* no_gradient = "it is constant between its steps";
  static Wide real(Wide a, Wide b) { return floor_divide_of(a, b); }
  static int64_t whole(int64_t a, int64_t b) { return floor_divide_of(a, b); }
};

struct Atan2 : Binary<Atan2> {
  static constexpr OpName name = "atan2";
  static constexpr const char* doc = "y = the angle of the point (b, a), in (-pi, pi]";
  static constexpr DTypes dtypes = kFloating;
  static constexpr uint32_t saved_inputs = 0b11;
  static constexpr double a_low = -2, a_high = 2, b_low = 0.5, b_high = 3;
  static Wide real(Wide a, Wide b) { return std::atan2(a, b); }
  static int64_t whole(int64_t, int64_t) { return 0; }  // infer refuses integers
  static Grads vjp(const NoAttrs&, const Vjp& c) {
    const Tensor a = c.in(0), b = c.in(1), r = square(a) + square(b);
    return {grad_of(0, c, [&] { return c.grad() * b / r; }),
            grad_of(1, c, [&] { return -(c.grad() * a / r); })};
  }
  static Samples samples() {  // all four quadrants
    Samples all = Binary::samples();
    all.push_back(sample(NoAttrs{}, {suiren::real({5, 7}, 0.5, 2), suiren::real({5, 7}, -3, -0.5)}));
    all.push_back(sample(NoAttrs{}, {suiren::real({5, 7}, -2, -0.5), suiren::real({5, 7}, -3, -0.5)}));
    return all;
  }
};

struct Hypot : Binary<Hypot> {
  static constexpr OpName name = "hypot";
  static constexpr const char* doc = "y = sqrt(a^2 + b^2), without overflow on the way";
  static constexpr DTypes dtypes = kFloating;
  static constexpr uint32_t saved_inputs = 0b11, saved_outputs = 1;
  static constexpr double a_low = -2, a_high = 2, b_low = 0.5, b_high = 3;
  static Wide real(Wide a, Wide b) { return std::hypot(a, b); }
  static int64_t whole(int64_t, int64_t) { return 0; }  // infer refuses integers
  static Grads vjp(const NoAttrs&, const Vjp& c) {
    return {grad_of(0, c, [&] { return c.grad() * c.in(0) / c.out(0); }),
            grad_of(1, c, [&] { return c.grad() * c.in(1) / c.out(0); })};
  }
};

Tensor beside(const Tensor& x, double value) {
  SR_CHECK(x.dtype().is_floating() || value == std::trunc(value),
           "{} is not whole, and the tensor beside it is {}; cast the tensor first", value, x.dtype());
  return full({}, value, x.dtype(), x.device());
}

}  // namespace

Tensor add(const Tensor& a, const Tensor& b) { return dispatch<Add>({}, a, b); }
Tensor sub(const Tensor& a, const Tensor& b) { return dispatch<Sub>({}, a, b); }
Tensor mul(const Tensor& a, const Tensor& b) { return dispatch<Mul>({}, a, b); }
Tensor div(const Tensor& a, const Tensor& b) { return dispatch<Div>({}, a, b); }
Tensor pow(const Tensor& a, const Tensor& b) { return dispatch<Pow>({}, a, b); }
Tensor pow(const Tensor& a, double b) { return pow(a, beside(a, b)); }
Tensor maximum(const Tensor& a, const Tensor& b) { return dispatch<Maximum>({}, a, b); }
Tensor minimum(const Tensor& a, const Tensor& b) { return dispatch<Minimum>({}, a, b); }

Tensor fmod(const Tensor& a, const Tensor& b) { return dispatch<Fmod>({}, a, b); }
Tensor remainder(const Tensor& a, const Tensor& b) { return dispatch<Remainder>({}, a, b); }
Tensor floor_divide(const Tensor& a, const Tensor& b) { return dispatch<FloorDivide>({}, a, b); }
Tensor atan2(const Tensor& a, const Tensor& b) { return dispatch<Atan2>({}, a, b); }
Tensor hypot(const Tensor& a, const Tensor& b) { return dispatch<Hypot>({}, a, b); }

Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
Tensor operator+(const Tensor& a, double b) { return add(a, beside(a, b)); }
Tensor operator+(double a, const Tensor& b) { return add(beside(b, a), b); }
Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
Tensor operator-(const Tensor& a, double b) { return sub(a, beside(a, b)); }
Tensor operator-(double a, const Tensor& b) { return sub(beside(b, a), b); }
Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
Tensor operator*(const Tensor& a, double b) { return mul(a, beside(a, b)); }
Tensor operator*(double a, const Tensor& b) { return mul(beside(b, a), b); }
Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
Tensor operator/(const Tensor& a, double b) { return div(a, beside(a, b)); }
Tensor operator/(double a, const Tensor& b) { return div(beside(b, a), b); }

OpList ops_arithmetic() {
  return {&op_info<Add>(),       &op_info<Sub>(),         &op_info<Mul>(),     &op_info<Div>(),
          &op_info<Pow>(),       &op_info<Maximum>(),     &op_info<Minimum>(), &op_info<Fmod>(),
          &op_info<Remainder>(), &op_info<FloorDivide>(), &op_info<Atan2>(),   &op_info<Hypot>()};
}

}  // namespace suiren
