#include "suiren/ops/full/full.h"

#include <algorithm>
#include <cmath>

#include "suiren/core/dispatch.h"
#include "suiren/ops/common.h"

namespace suiren {
namespace {

constexpr const char* kNoInputs = "it has no inputs";

struct Full {
  static constexpr OpName name = "full";
  static constexpr const char* doc = "y[i] = value";
  struct Attrs {
    Shape shape;
    double value;
    DType dtype;
  };
  static constexpr auto fields =
      std::tuple{field("shape", &Attrs::shape), field("value", &Attrs::value), field("dtype", &Attrs::dtype)};
  static constexpr DTypes dtypes = kAnyType;
  static constexpr const char* no_gradient = kNoInputs;
  static Specs infer(const Attrs& a) {
    check_extents(a.shape);
    return {{a.dtype, a.shape, {}}};
  }
  static void reference(const Attrs& a, std::span<const HostArray>, std::span<HostArray> out) {
    for (Wide& y : out[0].v) y = a.value;
  }
  static Samples samples() {
    return {sample(Attrs{{}, 1.5, kF64}, {}),
            sample(Attrs{{2, 3}, -0.1, kF32}, {}),
            sample(Attrs{{2, 0}, 1, kF32}, {}),
            sample(Attrs{{2, 1, 3, 2}, 0.1, kBF16}, {}),
            sample(Attrs{{3}, 0.1, kF16}, {}),
            sample(Attrs{{4}, -7, kI64}, {}),
            sample(Attrs{{3}, 200, kU8}, {}),
            sample(Attrs{{2, 2, 2}, -100, kI8}, {}),
            sample(Attrs{{5}, 30000, kI16}, {}),
            sample(Attrs{{5}, 1e9, kI32}, {}),
            sample(Attrs{{5}, 1, kBool}, {}),
            bad(Attrs{{2, -1}, 0, kF32}, {}, "shape [2, -1] has a negative extent")};
  }
};

struct Arange {
  static constexpr OpName name = "arange";
  static constexpr const char* doc = "y[i] = begin + i * step";
  struct Attrs {
    double begin, step;
    int64_t count;
    DType dtype;
  };
  static constexpr auto fields = std::tuple{field("begin", &Attrs::begin), field("step", &Attrs::step),
                                            field("count", &Attrs::count), field("dtype", &Attrs::dtype)};
  static constexpr DTypes dtypes = kNumbers;
  static constexpr const char* no_gradient = kNoInputs;
  static Specs infer(const Attrs& a) {
    SR_CHECK_AS(kShape, a.count >= 0, "count is {}, expected at least 0", a.count);
    SR_CHECK_AS(kShape, dtypes.has(a.dtype), "dtype is {}, expected a number", a.dtype);
    return {{a.dtype, {a.count}, {}}};
  }
  static void reference(const Attrs& a, std::span<const HostArray>, std::span<HostArray> out) {
    for (int64_t i = 0; i < a.count; ++i) out[0][i] = a.begin + static_cast<double>(i) * a.step;
  }
  static Samples samples() {
    return {sample(Attrs{0, 1, 7, kI64}, {}),
            sample(Attrs{5, -2, 4, kI32}, {}),
            sample(Attrs{0.5, 0.25, 9, kF32}, {}),
            sample(Attrs{-1, 0.1, 21, kF64}, {}),
            sample(Attrs{0, 1, 0, kI64}, {}),
            sample(Attrs{3, 1, 1, kBF16}, {}),
            bad(Attrs{0, 1, 2, kBool}, {}, "dtype is bool, expected a number"),
            bad(Attrs{0, 1, -1, kI64}, {}, "count is -1, expected at least 0")};
  }
};

}  // namespace

Tensor full(const Shape& shape, double value, DType dtype, const Device& device) {
  const Full::Attrs a{shape, value, dtype};
  return run_op(op_info<Full>(), &a, {}, device)[0];
}
Tensor zeros(const Shape& shape, DType dtype, const Device& device) { return full(shape, 0, dtype, device); }
Tensor ones(const Shape& shape, DType dtype, const Device& device) { return full(shape, 1, dtype, device); }

Tensor arange(double begin, double end, double step, DType dtype, const Device& device) {
  SR_CHECK(step != 0 && std::isfinite((end - begin) / step), "arange from {} to {} by {} has no end", begin,
           end, step);
  const Arange::Attrs a{begin, step, std::max<int64_t>(0, std::llrint(std::ceil((end - begin) / step))),
                        dtype};
  return run_op(op_info<Arange>(), &a, {}, device)[0];
}

OpList ops_full() { return {&op_info<Full>(), &op_info<Arange>()}; }

}  // namespace suiren
