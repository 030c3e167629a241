#include "suiren/ops/count/count.h"

#include "suiren/core/dispatch.h"
#include "suiren/ops/reduce/axes.h"

namespace suiren {
namespace {

// What the three share: a row states its result's dtype, where it starts and how it takes "is x != 0".
template <class Row>
struct Count : Reduce {
  static constexpr DTypes dtypes = kAnyType;
  static constexpr const char* no_gradient = "its result counts or is bool";
  static Specs infer(const Attrs& a, const TensorSpec& x) {
    return {{Row::result, result_shape(a, x), x.device}};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    const HostArray& x = in[0];
    const Shape kept = kept_shape(a.axes, x.shape);
    for (Wide& y : out[0].v) y = Row::start;
    for (int64_t i = 0; i < x.numel(); ++i) {
      Wide& y = out[0][broadcast_index(i, x.shape, kept)];
      y = Row::take(y, x[i] != 0);
    }
  }
  static Samples samples() {
    Samples list = samples_of(real);  // whole numbers are 0 now and then
    list.push_back(sample(Attrs{{0}, false}, {real({0, 4})}));
    list.push_back(sample(Attrs{{0, 1}, false}, {real({3, 5}, 0, 0)}));
    list.push_back(sample(Attrs{{1}, false}, {real({3, 70}, 1, 2)}));
    return list;
  }
};

struct Any : Count<Any> {
  static constexpr OpName name = "any";
  static constexpr const char* doc = "y = some x over axes is not 0";
  static constexpr DType result = kBool;
  static constexpr int start = 0;
  static Wide take(Wide y, bool nonzero) { return y != 0 || nonzero; }
};

struct All : Count<All> {
  static constexpr OpName name = "all";
  static constexpr const char* doc = "y = no x over axes is 0";
  static constexpr DType result = kBool;
  static constexpr int start = 1;
  static Wide take(Wide y, bool nonzero) { return y != 0 && nonzero; }
};

struct CountNonzero : Count<CountNonzero> {
  static constexpr OpName name = "count_nonzero";
  static constexpr const char* doc = "y = how many x over axes are not 0";
  static constexpr DType result = kI64;
  static constexpr int start = 0;
  static Wide take(Wide y, bool nonzero) { return y + nonzero; }
};

}  // namespace

Tensor any(const Tensor& x, const Dims& axes, bool keep) {
  return dispatch<Any>({resolved(axes, x.rank()), keep}, x);
}
Tensor all(const Tensor& x, const Dims& axes, bool keep) {
  return dispatch<All>({resolved(axes, x.rank()), keep}, x);
}
Tensor count_nonzero(const Tensor& x, const Dims& axes, bool keep) {
  return dispatch<CountNonzero>({resolved(axes, x.rank()), keep}, x);
}

OpList ops_count() { return {&op_info<Any>(), &op_info<All>(), &op_info<CountNonzero>()}; }

}  // namespace suiren
