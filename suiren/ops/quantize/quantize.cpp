#include "suiren/ops/quantize/quantize.h"

#include <cmath>

#include "suiren/core/dispatch.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/common.h"
#include "suiren/ops/compare/compare.h"
#include "suiren/ops/full/full.h"
#include "suiren/ops/reduce/reduce.h"
#include "suiren/ops/unary/unary.h"
#include "suiren/ops/view/view.h"
#include "suiren/ops/where/where.h"

namespace suiren {
namespace {

struct Range {
  int64_t low, high;
};
Range range_of(DType d) { return d == kU8 ? Range{0, 255} : Range{-128, 127}; }

// In A = float or double, step by step as the definition has it.
template <class A>
Wide quantized_in(Wide x, double scale, double zero, Range r) {
  const A q = std::nearbyint(static_cast<A>(x) * (1 / static_cast<A>(scale))) + static_cast<A>(zero);
  const A least = static_cast<A>(r.low), most = static_cast<A>(r.high);
  return !(q >= least) ? least : q > most ? most : q;
}
Wide quantized(DType d, Wide x, double scale, double zero, Range r) {
  return d == kF64 ? quantized_in<double>(x, scale, zero, r) : quantized_in<float>(x, scale, zero, r);
}

void check_scale(double scale) {
  SR_CHECK(scale > 0 && std::isfinite(scale), "scale is {}, expected a number over 0", scale);
}
void check_target(DType dtype) {
  SR_CHECK(dtype == kI8 || dtype == kU8, "dtype is {}, expected i8 or u8", dtype);
}
void check_zero_point(int64_t zero, Range r) {
  SR_CHECK(zero >= r.low && zero <= r.high, "zero_point is {}, expected a number in [{}, {}]", zero, r.low,
           r.high);
}
void check_channels(const TensorSpec& x, const TensorSpec& scale, const TensorSpec& zero, int64_t axis) {
  check_axis(axis, x);
  const Shape channels{x.dim(static_cast<int>(axis))};
  SR_CHECK_AS(kShape, scale.shape == channels && zero.shape == channels,
              "scale has shape {} and zero_point {}, expected {} for dimension {} of {}", scale.shape,
              zero.shape, channels, axis, x.shape);
  SR_CHECK_AS(kShape, zero.dtype == kI64 || zero.dtype == kI32, "zero_point is {}, expected i32 or i64",
              zero.dtype);
}
// [C] seen from x: [1, .., C, .., 1].
Tensor along(const Tensor& t, int64_t axis, int rank) {
  Shape shape;
  for (int d = 0; d < rank; ++d) shape.push_back(d == axis ? t.dim(0) : 1);
  return reshape(t, shape);
}

struct QuantizePerTensor {
  static constexpr OpName name = "quantize_per_tensor";
  static constexpr const char* doc = "q = round(x / scale) + zero_point, kept within dtype";
  struct Attrs {
    double scale;
    int64_t zero_point;
    DType dtype;
  };
  static constexpr auto fields = std::tuple{
      field("scale", &Attrs::scale), field("zero_point", &Attrs::zero_point), field("dtype", &Attrs::dtype)};
  static constexpr DTypes dtypes = kFloating;
  static constexpr const char* no_gradient = "its values are steps; fake_quantize passes gradients through";
  static Specs infer(const Attrs& a, const TensorSpec& x) {
    check_dtype(dtypes, "x", x);
    check_scale(a.scale);
    check_target(a.dtype);
    check_zero_point(a.zero_point, range_of(a.dtype));
    return {{a.dtype, x.shape, x.device}};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    for (int64_t i = 0; i < in[0].numel(); ++i)
      out[0][i] =
          quantized(in[0].dtype, in[0][i], a.scale, static_cast<double>(a.zero_point), range_of(a.dtype));
  }
  static Samples samples() {
    return {sample(Attrs{0.03, -5, kI8}, {real({3, 5})}),
            sample(Attrs{0.0078125, 128, kU8}, {real({2, 3, 4}, -1.5, 1.5)}),  // saturates on both sides
            sample(Attrs{0.5, 0, kI8}, {real({1})}),
            sample(Attrs{1, 0, kI8}, {real({0, 3})}),
            bad(Attrs{0, 0, kI8}, {real({3})}, "scale is 0, expected a number over 0"),
            bad(Attrs{1, 0, kI32}, {real({3})}, "dtype is i32, expected i8 or u8"),
            bad(Attrs{1, -1, kU8}, {real({3})}, "zero_point is -1, expected a number in [0, 255]")};
  }
};

struct QuantizePerChannel {
  static constexpr OpName name = "quantize_per_channel";
  static constexpr const char* doc = "q = round(x / scale[c]) + zero_point[c] along axis, kept within dtype";
  struct Attrs {
    int64_t axis;
    DType dtype;
  };
  static constexpr auto fields = std::tuple{field("axis", &Attrs::axis), field("dtype", &Attrs::dtype)};
  static constexpr DTypes dtypes = kFloating;
  static constexpr const char* no_gradient = QuantizePerTensor::no_gradient;
  static Specs infer(const Attrs& a, const TensorSpec& x, const TensorSpec& scale, const TensorSpec& zero) {
    check_dtype(dtypes, "x", x);
    check_same_dtype("scale", scale, "x", x);
    check_channels(x, scale, zero, a.axis);
    check_target(a.dtype);
    return {{a.dtype, x.shape, x.device}};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    const AxisView v(in[0].shape, a.axis);
    for (int64_t o = 0; o < v.outers; ++o)
      for (int64_t c = 0; c < v.extent; ++c)
        for (int64_t i = 0; i < v.inners; ++i)
          out[0][v.at(o, c, i)] = quantized(in[0].dtype, in[0][v.at(o, c, i)], static_cast<double>(in[1][c]),
                                            static_cast<double>(in[2][c]), range_of(a.dtype));
  }
  static Samples samples() {
    const auto scales = [](int64_t n) { return real({n}, 0.01, 0.1); };
    const auto zeros = [](int64_t n) { return index({n}, 0, 100); };
    return {sample(Attrs{0, kI8}, {real({3, 5}), scales(3), zeros(3)}),
            sample(Attrs{1, kU8}, {real({2, 5}), scales(5), zeros(5)}),
            sample(Attrs{1, kI8}, {real({2, 3, 4}), scales(3), zeros(3)}),
            sample(Attrs{0, kI8}, {real({1}), scales(1), zeros(1)}),
            sample(Attrs{1, kI8}, {real({0, 3}), scales(3), zeros(3)}),
            bad(Attrs{1, kI8}, {real({2, 3}), scales(2), zeros(2)},
                "scale has shape [2] and zero_point [2], expected [3] for dimension 1 of [2, 3]"),
            bad(Attrs{0, kF32}, {real({2}), scales(2), zeros(2)}, "dtype is f32, expected i8 or u8"),
            bad(Attrs{2, kI8}, {real({2, 3}), scales(2), zeros(2)}, "dimension 2 is out of range")};
  }
};

struct DequantizePerTensor {
  static constexpr OpName name = "dequantize_per_tensor";
  static constexpr const char* doc = "y = (q - zero_point) scale";
  using Attrs = QuantizePerTensor::Attrs;
  static constexpr auto fields = QuantizePerTensor::fields;
  static constexpr DTypes dtypes = kIntegers;
  static constexpr const char* no_gradient = "q is an integer";
  static Specs infer(const Attrs& a, const TensorSpec& q) {
    check_dtype(dtypes, "q", q);
    check_scale(a.scale);
    SR_CHECK(a.dtype.is_floating(), "dtype is {}, expected a floating type", a.dtype);
    return {{a.dtype, q.shape, q.device}};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    for (int64_t i = 0; i < in[0].numel(); ++i)
      out[0][i] = (in[0][i] - static_cast<Wide>(a.zero_point)) * static_cast<Wide>(a.scale);
  }
  static Samples samples() {
    return {sample(Attrs{0.03, -5, kF32}, {real({3, 5}, -128, 127)}),
            sample(Attrs{0.25, 100, kF64}, {real({2, 3}, 0, 255)}),
            sample(Attrs{0.5, 3, kBF16}, {real({7}, -128, 127)}),
            sample(Attrs{0.5, 3, kF16}, {real({7}, -128, 127)}),
            sample(Attrs{1, 0, kF32}, {real({1})}),
            sample(Attrs{1, 0, kF32}, {real({0, 3})}),
            bad(Attrs{-1, 0, kF32}, {real({3})}, "scale is -1, expected a number over 0"),
            bad(Attrs{1, 0, kI8}, {real({3})}, "dtype is i8, expected a floating type")};
  }
};

struct DequantizePerChannel {
  static constexpr OpName name = "dequantize_per_channel";
  static constexpr const char* doc = "y = (q - zero_point[c]) scale[c] along axis";
  struct Attrs {
    int64_t axis;
  };
  static constexpr auto fields = std::tuple{field("axis", &Attrs::axis)};
  static constexpr DTypes dtypes = kFloating;
  static Specs infer(const Attrs& a, const TensorSpec& q, const TensorSpec& scale, const TensorSpec& zero) {
    check_dtype(kIntegers, "q", q);
    check_dtype(dtypes, "scale", scale);
    check_channels(q, scale, zero, a.axis);
    return {{scale.dtype, q.shape, q.device}};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    const AxisView v(in[0].shape, a.axis);
    for (int64_t o = 0; o < v.outers; ++o)
      for (int64_t c = 0; c < v.extent; ++c)
        for (int64_t i = 0; i < v.inners; ++i)
          out[0][v.at(o, c, i)] = (in[0][v.at(o, c, i)] - in[2][c]) * in[1][c];
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    const Tensor g = c.grad(), q = c.in(0);
    const DType wide = accumulator(g.dtype());
    const Tensor zero = along(cast(c.in(2), wide), a.axis, q.rank());
    Dims axes;
    for (int d = 0; d < q.rank(); ++d)
      if (d != a.axis) axes.push_back(d);
    const Tensor each = cast(g, wide) * (cast(q, wide) - zero);
    return {{}, cast(axes.empty() ? each : sum(each, axes), g.dtype()), {}};
  }
  static Samples samples() {
    const auto call = [](int64_t axis, Shape q) {
      const Shape channels{q[static_cast<int>(axis)]};
      return sample(Attrs{axis}, {index(q, -128, 127), real(channels), index(channels, -100, 100)});
    };
    return {call(0, {3, 5}),
            call(1, {2, 5}),
            call(1, {2, 3, 4}),
            call(0, {1}),
            call(1, {0, 3}),
            bad(Attrs{0}, {index({2, 3}, 0, 9), real({3}), index({3}, 0, 9)},
                "scale has shape [3] and zero_point [3], expected [2] for dimension 0 of [2, 3]"),
            bad(Attrs{0}, {real({2}), real({2}), index({2}, 0, 9)}, "expected an integer")};
  }
};

struct FakeQuantize {
  static constexpr OpName name = "fake_quantize";
  static constexpr const char* doc =
      "y = (clamp(round(x / scale) + zero_point, low, high) - zero_point) scale";
  struct Attrs {
    double scale;
    int64_t zero_point, low, high;
  };
  static constexpr auto fields =
      std::tuple{field("scale", &Attrs::scale), field("zero_point", &Attrs::zero_point),
                 field("low", &Attrs::low), field("high", &Attrs::high)};
  static constexpr DTypes dtypes = kFloating;
  static Specs infer(const Attrs& a, const TensorSpec& x) {
    check_dtype(dtypes, "x", x);
    check_scale(a.scale);
    SR_CHECK(a.low < a.high, "low is {} and high {}: there is nothing between them", a.low, a.high);
    check_zero_point(a.zero_point, {a.low, a.high});
    return {x};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    const auto zero = static_cast<double>(a.zero_point);
    for (int64_t i = 0; i < in[0].numel(); ++i)
      out[0][i] =
          (quantized(in[0].dtype, in[0][i], a.scale, zero, {a.low, a.high}) - static_cast<Wide>(zero)) *
          static_cast<Wide>(a.scale);
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    const Tensor x = cast(c.in(0), accumulator(c.in(0).dtype()));
    const Tensor q = round(x * (1 / a.scale)) + static_cast<double>(a.zero_point);
    const auto number = [&](int64_t n) { return full({}, static_cast<double>(n), q.dtype(), q.device()); };
    const Tensor inside = logical_and(ge(q, number(a.low)), le(q, number(a.high)));
    return {where(inside, c.grad(), zeros({}, c.grad().dtype(), c.grad().device()))};
  }
  static Samples samples() {
    Samples list{sample(Attrs{0.1, 3, -8, 7}, {real({3, 5})}),
                 sample(Attrs{0.02, 128, 0, 255}, {real({2, 3, 4})}),
                 sample(Attrs{0.5, 0, -2, 2}, {real({1})}), sample(Attrs{1, 0, -2, 2}, {real({0, 3})})};
    for (Sample& s : list) s.gradient = false;  // that of steps is not what passes through
    list.push_back(sample(Attrs{0.1, 0, -8, 7}, {real({2, 5}, 1, 2)}));  // all beyond the range
    list.push_back(bad(Attrs{1, 0, 3, 3}, {real({3})}, "low is 3 and high 3: there is nothing between them"));
    list.push_back(bad(Attrs{1, 9, 0, 7}, {real({3})}, "zero_point is 9, expected a number in [0, 7]"));
    list.push_back(bad(Attrs{0, 0, 0, 7}, {real({3})}, "scale is 0, expected a number over 0"));
    return list;
  }
};

}  // namespace

Tensor quantize_per_tensor(const Tensor& x, double scale, int64_t zero_point, DType dtype) {
  return dispatch<QuantizePerTensor>({scale, zero_point, dtype}, x);
}
Tensor quantize_per_channel(const Tensor& x, const Tensor& scale, const Tensor& zero_point, int64_t axis,
                            DType dtype) {
  return dispatch<QuantizePerChannel>({normalize_axis(axis, x.rank()), dtype}, x, scale, zero_point);
}
Tensor dequantize_per_tensor(const Tensor& q, double scale, int64_t zero_point, DType dtype) {
  return dispatch<DequantizePerTensor>({scale, zero_point, dtype}, q);
}
Tensor dequantize_per_channel(const Tensor& q, const Tensor& scale, const Tensor& zero_point, int64_t axis) {
  return dispatch<DequantizePerChannel>({normalize_axis(axis, q.rank())}, q, scale, zero_point);
}
Tensor fake_quantize(const Tensor& x, double scale, int64_t zero_point, int64_t low, int64_t high) {
  return dispatch<FakeQuantize>({scale, zero_point, low, high}, x);
}

OpList ops_quantize() {
  return {&op_info<QuantizePerTensor>(), &op_info<QuantizePerChannel>(), &op_info<DequantizePerTensor>(),
          &op_info<DequantizePerChannel>(), &op_info<FakeQuantize>()};
}

}  // namespace suiren
