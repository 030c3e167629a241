#include "suiren/ops/concat/concat.h"

#include "suiren/core/dispatch.h"
#include "suiren/ops/common.h"
#include "suiren/ops/view/view.h"

namespace suiren {
namespace {

struct Concat {
  static constexpr OpName name = "concat";
  static constexpr const char* doc = "y = the inputs one after another along axis";
  struct Attrs {
    int64_t axis;
  };
  static constexpr auto fields = std::tuple{field("axis", &Attrs::axis)};
  static constexpr DTypes dtypes = kAnyType;
  static constexpr uint32_t saved_inputs = 0;
  static Specs infer(const Attrs& a, std::span<const TensorSpec> in) {
    SR_CHECK_AS(kShape, !in.empty(), "there is nothing to join");
    check_axis(a.axis, in[0]);
    const int axis = static_cast<int>(a.axis);
    Shape shape = in[0].shape;
    shape[axis] = 0;
    for (size_t i = 0; i < in.size(); ++i) {
      SR_CHECK_AS(kShape, in[i].dtype == in[0].dtype, "input {} is {}, input 0 is {}; cast one of them", i,
                  in[i].dtype, in[0].dtype);
      Shape other = in[i].shape;
      if (other.rank() > axis) other[axis] = in[0].shape[axis];
      SR_CHECK_AS(kShape, other == in[0].shape,
                  "input {} has shape {}, which does not join {} along dimension {}", i, in[i].shape,
                  in[0].shape, axis);
      shape[axis] += in[i].shape[axis];
    }
    return {{in[0].dtype, shape, in[0].device}};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    const AxisView y(out[0].shape, a.axis);
    int64_t begin = 0;
    for (const HostArray& part : in) {
      const AxisView x(part.shape, a.axis);
      for (int64_t o = 0; o < x.outers; ++o)
        for (int64_t k = 0; k < x.extent; ++k)
          for (int64_t i = 0; i < x.inners; ++i) out[0][y.at(o, begin + k, i)] = part[x.at(o, k, i)];
      begin += x.extent;
    }
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    Grads grads(static_cast<size_t>(c.inputs()));
    int64_t begin = 0;
    for (int i = 0; i < c.inputs(); ++i) {
      const int64_t end = begin + c.in_spec(i).shape[static_cast<int>(a.axis)];
      if (c.needs(i)) grads[static_cast<size_t>(i)] = slice(c.grad(), a.axis, begin, end);
      begin = end;
    }
    return grads;
  }
  static Samples samples() {
    return {
        sample(Attrs{0}, {real({3})}),
        sample(Attrs{0}, {real({1}), real({1})}),
        sample(Attrs{0}, {real({2, 3}), real({4, 3})}),
        sample(Attrs{1}, {real({2, 3}), real({2, 1}), real({2, 5})}),
        sample(Attrs{1}, {real({2, 3, 4}), real({2, 0, 4}), real({2, 2, 4})}),
        sample(Attrs{3}, {real({2, 1, 3, 2}), real({2, 1, 3, 4})}),
        sample(Attrs{0}, {real({0, 3}), real({0, 3})}),
        bad(Attrs{0}, {}, "there is nothing to join"),
        bad(Attrs{1}, {real({3}), real({3})}, "dimension 1 is out of range for x with shape [3]"),
        bad(Attrs{0}, {real({2, 3}), real({2, 4})},
            "input 1 has shape [2, 4], which does not join [2, 3] along dimension 0"),
        bad(Attrs{0}, {boolean({2}), index({2}, 0, 2)}, "input 1 is i64, input 0 is bool; cast one of them")};
  }
};

}  // namespace

Tensor concat(const std::vector<Tensor>& tensors, int64_t axis) {
  SR_CHECK_AS(kShape, !tensors.empty() && tensors[0].defined(), "concat: there is nothing to join");
  const Concat::Attrs a{normalize_axis(axis, tensors[0].rank())};
  return run_op(op_info<Concat>(), &a, tensors)[0];
}

Tensor stack(const std::vector<Tensor>& tensors, int64_t axis) {
  SR_CHECK_AS(kShape, !tensors.empty() && tensors[0].defined(), "stack: there is nothing to join");
  const int64_t at = normalize_axis(axis, tensors[0].rank() + 1);
  std::vector<Tensor> slices;
  for (const Tensor& t : tensors) {
    SR_CHECK_AS(kShape, t.shape() == tensors[0].shape(), "stack: shapes {} and {} differ", tensors[0].shape(),
                t.shape());
    slices.push_back(unsqueeze(t, at));
  }
  return concat(slices, at);
}

OpList ops_concat() { return {&op_info<Concat>()}; }

}  // namespace suiren
