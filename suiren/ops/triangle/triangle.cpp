#include "suiren/ops/triangle/triangle.h"

#include "suiren/core/dispatch.h"
#include "suiren/ops/common.h"

namespace suiren {
namespace {

struct TriangleAttrs {
  int64_t diagonal;
};

template <class Op>
struct Triangle {
  using Attrs = TriangleAttrs;
  static constexpr auto fields = std::tuple{field("diagonal", &TriangleAttrs::diagonal)};
  static constexpr DTypes dtypes = kAnyType;
  static constexpr uint32_t saved_inputs = 0;
  static Specs infer(const Attrs&, const TensorSpec& x) {
    SR_CHECK_AS(kShape, x.rank() >= 2, "x has shape {}, expected matrices [..., M, N]", x.shape);
    return {x};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    const int64_t M = in[0].dim(-2), N = in[0].dim(-1);
    for (int64_t e = 0; e < in[0].numel(); ++e)
      out[0][e] = Op::keeps(e % N - e / N % M, a.diagonal) ? in[0][e] : 0;
  }
  static Samples samples() {
    return {sample(Attrs{0}, {real({4, 4})}),
            sample(Attrs{0}, {real({1, 1})}),
            sample(Attrs{1}, {real({3, 5})}),
            sample(Attrs{-2}, {real({5, 3})}),
            sample(Attrs{-1}, {real({2, 3, 4})}),
            sample(Attrs{9}, {real({2, 3})}),
            sample(Attrs{-9}, {real({2, 3})}),
            sample(Attrs{0}, {real({0, 3, 3})}),
            bad(Attrs{0}, {real({3})}, "x has shape [3], expected matrices [..., M, N]")};
  }
};

struct Tril : Triangle<Tril> {
  static constexpr OpName name = "tril";
  static constexpr const char* doc = "y[..., i, j] = x[..., i, j] where j - i <= diagonal, else 0";
  static bool keeps(int64_t right, int64_t diagonal) { return right <= diagonal; }
  static Grads vjp(const Attrs& a, const Vjp& c) { return {tril(c.grad(), a.diagonal)}; }
};

struct Triu : Triangle<Triu> {
  static constexpr OpName name = "triu";
  static constexpr const char* doc = "y[..., i, j] = x[..., i, j] where j - i >= diagonal, else 0";
  static bool keeps(int64_t right, int64_t diagonal) { return right >= diagonal; }
  static Grads vjp(const Attrs& a, const Vjp& c) { return {triu(c.grad(), a.diagonal)}; }
};

}  // namespace

Tensor tril(const Tensor& x, int64_t diagonal) { return dispatch<Tril>({diagonal}, x); }
Tensor triu(const Tensor& x, int64_t diagonal) { return dispatch<Triu>({diagonal}, x); }

OpList ops_triangle() { return {&op_info<Tril>(), &op_info<Triu>()}; }

}  // namespace suiren
