#include "suiren/ops/cast/cast.h"

#include "suiren/core/dispatch.h"

namespace suiren {
namespace {

struct Cast {
  static constexpr OpName name = "cast";
  static constexpr const char* doc = "y = x in another dtype";
  struct Attrs {
    DType dtype;
  };
  static constexpr auto fields = std::tuple{field("dtype", &Attrs::dtype)};
  static constexpr DTypes dtypes = kAnyType;
  static constexpr uint32_t saved_inputs = 0;
  static Specs infer(const Attrs& a, const TensorSpec& x) { return {{a.dtype, x.shape, x.device}}; }
  static void reference(const Attrs&, std::span<const HostArray> in, std::span<HostArray> out) {
    out[0].v = in[0].v;  // rounded to the new dtype on the way out
  }
  static Grads vjp(const Attrs&, const Vjp& c) { return {cast(c.grad(), c.in_spec(0).dtype)}; }
  static Samples samples() {
    Samples all;
    for (int d = 0; d < DType::kCount; ++d)
      all.push_back(sample(Attrs{static_cast<DType::Id>(d)}, {real({3, 5}, -100, 100)}));
    for (const Shape& s : {Shape{}, Shape{0, 3}, Shape{2, 1, 3}, Shape{2, 2, 1, 3}})
      all.push_back(sample(Attrs{kF32}, {real(s)}));
    for (Sample& s : all)  // a gradient that is rounded on its way is not checked by differences
      s.gradient = static_cast<const Attrs*>(s.attrs.get())->dtype == kF64;
    return all;
  }
};

}  // namespace

Tensor cast(const Tensor& x, DType dtype) { return x.dtype() == dtype ? x : dispatch<Cast>({dtype}, x); }

Tensor widen(const Tensor& x) { return cast(x, accumulator(x.dtype())); }

OpList ops_cast() { return {&op_info<Cast>()}; }

}  // namespace suiren
