#include "suiren/ops/accumulate/accumulate.h"

#include "suiren/core/dispatch.h"
#include "suiren/ops/common.h"

namespace suiren {
namespace {

struct Accumulate {
  static constexpr OpName name = "accumulate";
  static constexpr const char* doc = "sum = sum + x, in place; x may be bf16 or f16 beside f32";
  using Attrs = NoAttrs;
  static constexpr auto fields = std::tuple{};
  static constexpr DTypes dtypes = kNumbers;
  static constexpr uint32_t mutates = 1;
  static constexpr const char* no_gradient = "it writes in place";
  static Specs infer(const Attrs&, const TensorSpec& sum, const TensorSpec& x) {
    check_dtype(dtypes, "sum", sum);
    const bool widens = sum.dtype == kF32 && (x.dtype == kBF16 || x.dtype == kF16);
    if (!widens) check_same_dtype("sum", sum, "x", x);
    check_same_shape("sum", sum, "x", x);
    return {};
  }
  static void reference(const Attrs&, std::span<const HostArray> in, std::span<HostArray> out) {
    for (int64_t i = 0; i < out[0].numel(); ++i) out[0][i] = add_wide(out[0].dtype, in[0][i], in[1][i]);
  }
  static Samples samples() {
    return {
        sample(NoAttrs{}, {real({}), real({})}),
        sample(NoAttrs{}, {real({0}), real({0})}),
        sample(NoAttrs{}, {real({4, 5}), real({4, 5})}),
        sample(NoAttrs{}, {real({2, 3, 2, 2}), real({2, 3, 2, 2})}),
        bad(NoAttrs{}, {real({2, 3}), real({3})}, "sum has shape [2, 3], x has shape [3]; expected the same"),
        bad(NoAttrs{}, {boolean({2}), boolean({2})}, "sum is bool, expected a number; cast it first")};
  }
};

}  // namespace

void accumulate(const Tensor& sum, const Tensor& x) { dispatch_all<Accumulate>({}, sum, x); }

OpList ops_accumulate() { return {&op_info<Accumulate>()}; }

}  // namespace suiren
