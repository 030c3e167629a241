#include "suiren/ops/one_hot/one_hot.h"

#include "suiren/core/dispatch.h"
#include "suiren/ops/common.h"
#include "suiren/ops/gather/index.h"

namespace suiren {
namespace {

int64_t checked(const HostArray& ids, int64_t i, int64_t classes) {
  const auto id = static_cast<int64_t>(ids[i]);
  SR_CHECK(id >= 0 && id < classes, "id {} at position {} is out of range for {} classes", id, i, classes);
  return id;
}

struct OneHot {
  static constexpr OpName name = "one_hot";
  static constexpr const char* doc = "y[..., c] = 1 where ids[...] = c, else 0";
  struct Attrs {
    int64_t classes;
    DType dtype;
  };
  static constexpr auto fields = std::tuple{field("classes", &Attrs::classes), field("dtype", &Attrs::dtype)};
  static constexpr DTypes dtypes = kAnyType;
  static constexpr const char* no_gradient = "its input is an index";
  static Specs infer(const Attrs& a, const TensorSpec& ids) {
    check_index(ids, "ids");
    SR_CHECK_AS(kShape, a.classes >= 0, "there are {} classes, expected at least 0", a.classes);
    Shape shape = ids.shape;
    shape.push_back(a.classes);
    return {{a.dtype, shape, ids.device}};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    for (int64_t i = 0; i < in[0].numel(); ++i) out[0][i * a.classes + checked(in[0], i, a.classes)] = 1;
  }
  static Samples samples() {
    return {sample(Attrs{5, kI64}, {index({7}, 0, 5)}),
            sample(Attrs{1, kF32}, {index({1}, 0, 1)}),
            sample(Attrs{3, kBF16}, {index({2, 4}, 0, 3)}),
            sample(Attrs{9, kBool}, {index({}, 0, 9)}),
            sample(Attrs{4, kF64}, {index({0, 2}, 0, 4)}),
            bad(Attrs{3, kI64}, {index({2}, 3, 4)}, "id 3 at position 0 is out of range for 3 classes"),
            bad(Attrs{3, kI64}, {boolean({2})}, "ids is bool, expected i64 or i32; cast it first"),
            bad(Attrs{-1, kI64}, {index({2}, 0, 1)}, "there are -1 classes, expected at least 0")};
  }
};

struct Bincount {
  static constexpr OpName name = "bincount";
  static constexpr const char* doc = "y[b] = how many of the ids are b";
  struct Attrs {
    int64_t bins;
  };
  static constexpr auto fields = std::tuple{field("bins", &Attrs::bins)};
  static constexpr DTypes dtypes{1u << DType::kI64 | 1u << DType::kI32};
  static constexpr const char* no_gradient = "its result is a count";
  static Specs infer(const Attrs& a, const TensorSpec& ids) {
    check_index(ids, "ids");
    SR_CHECK_AS(kShape, a.bins >= 0, "there are {} bins, expected at least 0", a.bins);
    return {{kI64, {a.bins}, ids.device}};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    for (int64_t i = 0; i < in[0].numel(); ++i) out[0][checked(in[0], i, a.bins)] += 1;
  }
  static Samples samples() {
    return {sample(Attrs{5}, {index({37}, 0, 5)}),
            sample(Attrs{1}, {index({1}, 0, 1)}),
            sample(Attrs{40}, {index({3, 5}, 0, 40)}),
            sample(Attrs{4}, {index({0}, 0, 4)}),
            bad(Attrs{3}, {index({2}, 3, 4)}, "id 3 at position 0 is out of range for 3 classes"),
            bad(Attrs{3}, {boolean({2})}, "ids is bool, expected i64 or i32; cast it first"),
            bad(Attrs{-1}, {index({2}, 0, 1)}, "there are -1 bins, expected at least 0")};
  }
};

}  // namespace

Tensor one_hot(const Tensor& ids, int64_t classes, DType dtype) {
  return dispatch<OneHot>({classes, dtype}, ids);
}
Tensor bincount(const Tensor& ids, int64_t bins) { return dispatch<Bincount>({bins}, ids); }

OpList ops_one_hot() { return {&op_info<OneHot>(), &op_info<Bincount>()}; }

}  // namespace suiren
