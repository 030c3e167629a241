#include "suiren/ops/random/random.h"

#include <cmath>

#include "suiren/base/philox.h"
#include "suiren/core/dispatch.h"
#include "suiren/ops/common.h"

namespace suiren {
namespace {

// What the two distributions share: element i is value(attributes, seed, stream, i), in f64.
template <class Row>
struct Random {
  struct Attrs {
    Shape shape;
    double a, b;           // low and high, or mean and standard deviation
    int64_t seed, stream;  // the bits of the unsigned numbers
    DType dtype;
  };
  static constexpr DTypes dtypes = kFloating;
  static constexpr const char* no_gradient = "it has no inputs";
  static Specs infer(const Attrs& a) {
    check_extents(a.shape);
    SR_CHECK_AS(kShape, dtypes.has(a.dtype), "dtype is {}, expected a floating type", a.dtype);
    Row::check(a);
    return {{a.dtype, a.shape, {}}};
  }
  static void reference(const Attrs& a, std::span<const HostArray>, std::span<HostArray> out) {
    const auto seed = static_cast<uint64_t>(a.seed), stream = static_cast<uint64_t>(a.stream);
    for (int64_t i = 0; i < out[0].numel(); ++i)
      out[0][i] = Row::value(a, seed, stream, static_cast<uint64_t>(i));
  }
  static Samples samples() {
    return {sample(Attrs{{}, 0, 1, 1, 0, kF32}, {}),
            sample(Attrs{{1}, 0, 1, 1, 7, kF64}, {}),
            sample(Attrs{{1000}, -2, 3, -5, 1, kF32}, {}),
            sample(Attrs{{3, 5}, 10, 10, 2, 0, kBF16}, {}),
            sample(Attrs{{2, 3, 4}, 0, 1, 3, 0, kF16}, {}),
            sample(Attrs{{2, 1, 3, 5}, 0.5, 1.5, 4, -1, kF64}, {}),
            sample(Attrs{{0, 3}, 0, 1, 1, 0, kF32}, {}),
            bad(Attrs{{2, -1}, 0, 1, 1, 0, kF32}, {}, "shape [2, -1] has a negative extent"),
            bad(Attrs{{2}, 0, 1, 1, 0, kI32}, {}, "dtype is i32, expected a floating type"),
            bad(Attrs{{2}, 0, -1, 1, 0, kF32}, {}, Row::complaint)};
  }
};

struct Uniform : Random<Uniform> {
  static constexpr OpName name = "uniform";
  static constexpr const char* doc =
      "y[i] = low + (high - low) * u, u = Philox uniform i of (seed, stream) in [0, 1)";
  static constexpr auto fields = std::tuple{field("shape", &Attrs::shape),   field("low", &Attrs::a),
                                            field("high", &Attrs::b),        field("seed", &Attrs::seed),
                                            field("stream", &Attrs::stream), field("dtype", &Attrs::dtype)};
  static constexpr const char* complaint = "the bounds are 0 and -1, expected low <= high";
  static void check(const Attrs& a) {
    SR_CHECK(a.a <= a.b, "the bounds are {} and {}, expected low <= high", a.a, a.b);
  }
  static double value(const Attrs& a, uint64_t seed, uint64_t stream, uint64_t i) {
    return a.a + (a.b - a.a) * philox_uniform(seed, stream, i);
  }
};

struct Normal : Random<Normal> {
  static constexpr OpName name = "normal";
  static constexpr const char* doc = "y[i] = mean + std * z, z = Philox normal i of (seed, stream)";
  static constexpr auto fields = std::tuple{field("shape", &Attrs::shape),   field("mean", &Attrs::a),
                                            field("std", &Attrs::b),         field("seed", &Attrs::seed),
                                            field("stream", &Attrs::stream), field("dtype", &Attrs::dtype)};
  static constexpr const char* complaint = "std is -1, expected at least 0";
  static void check(const Attrs& a) { SR_CHECK(a.b >= 0, "std is {}, expected at least 0", a.b); }
  static double value(const Attrs& a, uint64_t seed, uint64_t stream, uint64_t i) {
    return a.a + a.b * philox_normal(seed, stream, i);
  }
};

struct Exponential {
  static constexpr OpName name = "exponential";
  static constexpr const char* doc = "y[i] = -log(1 - u) / rate, u = Philox uniform i of (seed, stream)";
  struct Attrs {
    Shape shape;
    double rate;
    int64_t seed, stream;
    DType dtype;
  };
  static constexpr auto fields =
      std::tuple{field("shape", &Attrs::shape), field("rate", &Attrs::rate), field("seed", &Attrs::seed),
                 field("stream", &Attrs::stream), field("dtype", &Attrs::dtype)};
  static constexpr DTypes dtypes = kFloating;
  static constexpr const char* no_gradient = "it has no inputs";
  static Specs infer(const Attrs& a) {
    check_extents(a.shape);
    SR_CHECK_AS(kShape, dtypes.has(a.dtype), "dtype is {}, expected a floating type", a.dtype);
    SR_CHECK(a.rate > 0, "rate is {}, expected more than 0", a.rate);
    return {{a.dtype, a.shape, {}}};
  }
  static void reference(const Attrs& a, std::span<const HostArray>, std::span<HostArray> out) {
    const auto seed = static_cast<uint64_t>(a.seed), stream = static_cast<uint64_t>(a.stream);
    for (int64_t i = 0; i < out[0].numel(); ++i)
      out[0][i] = -std::log1p(-philox_uniform(seed, stream, static_cast<uint64_t>(i))) / a.rate;
  }
  static Samples samples() {
    return {sample(Attrs{{}, 1, 1, 0, kF32}, {}),
            sample(Attrs{{1000}, 0.5, -5, 1, kF32}, {}),
            sample(Attrs{{3, 5}, 2, 2, 0, kBF16}, {}),
            sample(Attrs{{2, 3, 4}, 1, 3, -1, kF16}, {}),
            sample(Attrs{{2, 5}, 3, 4, 0, kF64}, {}),
            sample(Attrs{{0, 3}, 1, 1, 0, kF32}, {}),
            bad(Attrs{{2, -1}, 1, 1, 0, kF32}, {}, "shape [2, -1] has a negative extent"),
            bad(Attrs{{2}, 1, 1, 0, kI32}, {}, "dtype is i32, expected a floating type"),
            bad(Attrs{{2}, 0, 1, 0, kF32}, {}, "rate is 0, expected more than 0")};
  }
};

struct Randint {
  static constexpr OpName name = "randint";
  static constexpr const char* doc =
      "y[i] = low + floor((high - low) u), u = Philox uniform i of (seed, stream) in [0, 1)";
  struct Attrs {
    Shape shape;
    int64_t low, high, seed, stream;
    DType dtype;
  };
  static constexpr auto fields = std::tuple{field("shape", &Attrs::shape),   field("low", &Attrs::low),
                                            field("high", &Attrs::high),     field("seed", &Attrs::seed),
                                            field("stream", &Attrs::stream), field("dtype", &Attrs::dtype)};
  static constexpr DTypes dtypes = kNumbers;
  static constexpr const char* no_gradient = "it has no inputs";
  static Specs infer(const Attrs& a) {
    constexpr int64_t kLimit = int64_t{1} << 53;
    check_extents(a.shape);
    SR_CHECK_AS(kShape, dtypes.has(a.dtype), "dtype is {}, expected a number", a.dtype);
    SR_CHECK(a.low >= -kLimit && a.high <= kLimit && a.low < a.high && a.high - a.low <= kLimit,
             "the bounds are {} and {}, expected low < high, at most 2^53 apart and from 0", a.low, a.high);
    return {{a.dtype, a.shape, {}}};
  }
  static void reference(const Attrs& a, std::span<const HostArray>, std::span<HostArray> out) {
    const auto seed = static_cast<uint64_t>(a.seed), stream = static_cast<uint64_t>(a.stream);
    for (int64_t i = 0; i < out[0].numel(); ++i)
      out[0][i] =
          static_cast<Wide>(a.low) + std::floor(philox_uniform(seed, stream, static_cast<uint64_t>(i)) *
                                                static_cast<double>(a.high - a.low));
  }
  static Samples samples() {
    return {sample(Attrs{{}, 0, 2, 1, 0, kI64}, {}),
            sample(Attrs{{1000}, -7, 9, -5, 1, kI64}, {}),
            sample(Attrs{{3, 5}, 3, 4, 2, 0, kI32}, {}),
            sample(Attrs{{2, 3, 4}, 0, 256, 3, -1, kU8}, {}),
            sample(Attrs{{2, 5}, -128, 128, 4, 0, kI8}, {}),
            sample(Attrs{{40}, 0, 1 << 30, 4, 0, kF32}, {}),
            sample(Attrs{{0, 3}, 0, 2, 1, 0, kI64}, {}),
            bad(Attrs{{2, -1}, 0, 2, 1, 0, kI64}, {}, "shape [2, -1] has a negative extent"),
            bad(Attrs{{2}, 0, 2, 1, 0, kBool}, {}, "dtype is bool, expected a number"),
            bad(Attrs{{2}, 2, 2, 1, 0, kI64}, {}, "the bounds are 2 and 2, expected low < high")};
  }
};

}  // namespace

Tensor uniform(const Shape& shape, double low, double high, uint64_t seed, uint64_t stream, DType dtype,
               const Device& device) {
  const Uniform::Attrs a{shape, low, high, static_cast<int64_t>(seed), static_cast<int64_t>(stream), dtype};
  return run_op(op_info<Uniform>(), &a, {}, device)[0];
}
Tensor normal(const Shape& shape, double mean, double std, uint64_t seed, uint64_t stream, DType dtype,
              const Device& device) {
  const Normal::Attrs a{shape, mean, std, static_cast<int64_t>(seed), static_cast<int64_t>(stream), dtype};
  return run_op(op_info<Normal>(), &a, {}, device)[0];
}
Tensor exponential(const Shape& shape, double rate, uint64_t seed, uint64_t stream, DType dtype,
                   const Device& device) {
  const Exponential::Attrs a{shape, rate, static_cast<int64_t>(seed), static_cast<int64_t>(stream), dtype};
  return run_op(op_info<Exponential>(), &a, {}, device)[0];
}
Tensor randint(const Shape& shape, int64_t low, int64_t high, uint64_t seed, uint64_t stream, DType dtype,
               const Device& device) {
  const Randint::Attrs a{shape, low, high, static_cast<int64_t>(seed), static_cast<int64_t>(stream), dtype};
  return run_op(op_info<Randint>(), &a, {}, device)[0];
}

OpList ops_random() {
  return {&op_info<Uniform>(), &op_info<Normal>(), &op_info<Exponential>(), &op_info<Randint>()};
}

}  // namespace suiren
