#include "suiren/ops/copy/copy.h"

#include "suiren/core/dispatch.h"
#include "suiren/ops/common.h"

namespace suiren {
namespace {

struct Copy {
  static constexpr OpName name = "copy";
  static constexpr const char* doc = "y = x, in row-major order";
  using Attrs = NoAttrs;
  static constexpr auto fields = std::tuple{};
  static constexpr DTypes dtypes = kAnyType;
  static constexpr uint32_t saved_inputs = 0;
  static Specs infer(const Attrs&, const TensorSpec& x) { return {x}; }
  static void reference(const Attrs&, std::span<const HostArray> in, std::span<HostArray> out) {
    out[0].v = in[0].v;
  }
  static Grads vjp(const Attrs&, const Vjp& c) { return {c.grad()}; }
  static Samples samples() {
    return {sample(NoAttrs{}, {real({})}),        sample(NoAttrs{}, {real({1})}),
            sample(NoAttrs{}, {real({0, 3})}),    sample(NoAttrs{}, {real({5, 7})}),
            sample(NoAttrs{}, {real({2, 3, 4})}), sample(NoAttrs{}, {real({2, 1, 3, 4})})};
  }
};

struct Assign {
  static constexpr OpName name = "assign";
  static constexpr const char* doc = "to = from, in place; `to` may be a strided view";
  using Attrs = NoAttrs;
  static constexpr auto fields = std::tuple{};
  static constexpr DTypes dtypes = kAnyType;
  static constexpr uint32_t mutates = 1;
  static constexpr const char* no_gradient = "it writes in place";
  static Specs infer(const Attrs&, const TensorSpec& to, const TensorSpec& from) {
    check_same_dtype("to", to, "from", from);
    check_same_shape("to", to, "from", from);
    return {};
  }
  static void reference(const Attrs&, std::span<const HostArray> in, std::span<HostArray> out) {
    out[0].v = in[1].v;
  }
  static Samples samples() {
    return {sample(NoAttrs{}, {real({}), real({})}), sample(NoAttrs{}, {real({0, 3}), real({0, 3})}),
            sample(NoAttrs{}, {real({4, 5}), real({4, 5})}),
            sample(NoAttrs{}, {real({2, 3, 2, 2}), real({2, 3, 2, 2})}),
            bad(NoAttrs{}, {real({2, 3}), real({3})},
                "to has shape [2, 3], from has shape [3]; expected the same")};
  }
};

}  // namespace

Tensor copy(const Tensor& x) { return dispatch<Copy>({}, x); }
Tensor contiguous(const Tensor& x) { return x.is_contiguous() ? x : copy(x); }
void assign(const Tensor& to, const Tensor& from) { dispatch_all<Assign>({}, to, from); }

OpList ops_copy() { return {&op_info<Copy>(), &op_info<Assign>()}; }

}  // namespace suiren
