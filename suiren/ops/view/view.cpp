#include "suiren/ops/view/view.h"

#include <algorithm>
#include <optional>

#include "suiren/core/dispatch.h"
#include "suiren/ops/common.h"
#include "suiren/ops/reduce/reduce.h"
#include "suiren/ops/slice_backward/slice_backward.h"

namespace suiren {
namespace {

// Strides that show (shape, strides) as `to` without moving an element; none when the memory does not allow
// it. Runs of x's dimensions that are one block in memory are matched with runs of the new ones.
std::optional<Strides> reshaped_strides(const Shape& shape, const Strides& strides, const Shape& to) {
  Strides out = contiguous_strides(to);
  if (to.numel() == 0) return out;
  int i = shape.rank() - 1, j = to.rank() - 1;
  while (i >= 0) {
    if (shape[i] == 1) {
      --i;
      continue;
    }
    int64_t block = shape[i], inner = strides[i];
    while (i > 0 && (shape[i - 1] == 1 || strides[i - 1] == block * inner)) block *= shape[--i];
    for (int64_t filled = 1; filled < block; --j) {
      if (j < 0 || block % (filled * to[j]) != 0) return std::nullopt;
      out[j] = filled * inner;
      filled *= to[j];
    }
    --i;
  }
  return out;
}

// y[i] = x[source(i)] for every element of y; index arithmetic of its own, so that strides are tested by it.
template <class F>
void copy_elements(std::span<const HostArray> in, std::span<HostArray> out, F source) {
  for (int64_t i = 0; i < out[0].numel(); ++i) out[0][i] = in[0][source(i)];
}

struct Reshape {
  static constexpr OpName name = "reshape";
  static constexpr const char* doc = "the same elements in row-major order under another shape";
  struct Attrs {
    Shape shape;
  };
  static constexpr auto fields = std::tuple{field("shape", &Attrs::shape)};
  static constexpr DTypes dtypes = kAnyType;
  static constexpr uint32_t saved_inputs = 0;
  static Specs infer(const Attrs& a, const TensorSpec& x) {
    SR_CHECK_AS(kShape, a.shape.numel() == x.shape.numel(),
                "x has shape {} with {} elements, which cannot become {}", x.shape, x.shape.numel(), a.shape);
    return {{x.dtype, a.shape, x.device}};
  }
  static std::optional<ViewOf> view(const Attrs& a, const Tensor& x) {
    const auto strides = reshaped_strides(x.shape(), x.strides(), a.shape);
    return strides ? std::optional(ViewOf{a.shape, *strides, x.offset()}) : std::nullopt;
  }
  static void reference(const Attrs&, std::span<const HostArray> in, std::span<HostArray> out) {
    copy_elements(in, out, [](int64_t i) { return i; });
  }
  static Grads vjp(const Attrs&, const Vjp& c) { return {reshape(c.grad(), c.in_spec(0).shape)}; }
  static Samples samples() {
    return {sample(Attrs{{3, 4}}, {real({2, 6})}), sample(Attrs{{}}, {real({1})}),
            sample(Attrs{{0, 5}}, {real({5, 0})}),
            bad(Attrs{{5}}, {real({2, 3})}, "x has shape [2, 3] with 6 elements, which cannot become [5]")};
  }
};

struct Permute {
  static constexpr OpName name = "permute";
  static constexpr const char* doc = "dimension i of y is dimension order[i] of x";
  struct Attrs {
    Dims order;
  };
  static constexpr auto fields = std::tuple{field("order", &Attrs::order)};
  static constexpr DTypes dtypes = kAnyType;
  static constexpr uint32_t saved_inputs = 0;
  static Specs infer(const Attrs& a, const TensorSpec& x) {
    SR_CHECK_AS(kShape, a.order.rank() == x.rank(), "order {} has {} entries, x has {} dimensions", a.order,
                a.order.rank(), x.rank());
    Shape shape;
    uint32_t seen = 0;
    for (int64_t d : a.order) {
      SR_CHECK_AS(kShape, d >= 0 && d < x.rank() && !(seen >> d & 1),
                  "order {} is no permutation of the dimensions of {}", a.order, x.shape);
      seen |= 1u << d;
      shape.push_back(x.shape[static_cast<int>(d)]);
    }
    return {{x.dtype, shape, x.device}};
  }
  static ViewOf view(const Attrs& a, const Tensor& x) {
    ViewOf v{{}, {}, x.offset()};
    for (int64_t d : a.order) {
      v.shape.push_back(x.shape()[static_cast<int>(d)]);
      v.strides.push_back(x.strides()[static_cast<int>(d)]);
    }
    return v;
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    const Strides step = contiguous_strides(in[0].shape);
    copy_elements(in, out, [&](int64_t i) {
      int64_t at = 0;
      for (int d = out[0].shape.rank() - 1; d >= 0; --d) {
        at += i % out[0].shape[d] * step[static_cast<int>(a.order[d])];
        i /= out[0].shape[d];
      }
      return at;
    });
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    Dims inverse = a.order;
    for (int i = 0; i < a.order.rank(); ++i) inverse[static_cast<int>(a.order[i])] = i;
    return {permute(c.grad(), inverse)};
  }
  static Samples samples() {
    return {sample(Attrs{{1, 0}}, {real({2, 3})}), sample(Attrs{{2, 0, 1}}, {real({2, 3, 4})}),
            sample(Attrs{{0}}, {real({0})}), sample(Attrs{{1, 0}}, {real({1, 1})}),
            bad(Attrs{{0, 0}}, {real({2, 3})}, "order [0, 0] is no permutation of the dimensions of [2, 3]")};
  }
};

struct Slice {
  static constexpr OpName name = "slice";
  static constexpr const char* doc = "elements begin, begin + step, ... of one dimension, `count` of them";
  struct Attrs {
    int64_t axis, begin, count, step;
  };
  static constexpr auto fields = std::tuple{field("axis", &Attrs::axis), field("begin", &Attrs::begin),
                                            field("count", &Attrs::count), field("step", &Attrs::step)};
  static constexpr DTypes dtypes = kAnyType;
  static constexpr uint32_t saved_inputs = 0;
  static Specs infer(const Attrs& a, const TensorSpec& x) {
    SR_CHECK_AS(kShape, a.axis >= 0 && a.axis < x.rank(), "dimension {} is out of range for x with shape {}",
                a.axis, x.shape);
    const int64_t n = x.shape[static_cast<int>(a.axis)];
    SR_CHECK_AS(
        kShape,
        a.begin >= 0 && a.count >= 0 && a.step >= 1 && (a.count == 0 || a.begin + (a.count - 1) * a.step < n),
        "{} elements from {} by {} do not lie in dimension {} of {}", a.count, a.begin, a.step, a.axis,
        x.shape);
    Shape shape = x.shape;
    shape[static_cast<int>(a.axis)] = a.count;
    return {{x.dtype, shape, x.device}};
  }
  static ViewOf view(const Attrs& a, const Tensor& x) {
    const int axis = static_cast<int>(a.axis);
    ViewOf v{x.shape(), x.strides(), x.offset() + (a.count ? a.begin * x.strides()[axis] : 0)};
    v.shape[axis] = a.count;
    v.strides[axis] *= a.step;
    return v;
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    const AxisView x(in[0].shape, a.axis), y(out[0].shape, a.axis);
    copy_elements(in, out, [&](int64_t i) {
      const int64_t k = i / y.inners % y.extent;
      return x.at(i / (y.inners * y.extent), a.begin + k * a.step, i % y.inners);
    });
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    return {slice_backward(c.grad(), c.in_spec(0).shape, a.axis, a.begin, a.step)};
  }
  static Samples samples() {
    return {sample(Attrs{0, 1, 2, 1}, {real({4, 3})}), sample(Attrs{1, 0, 3, 2}, {real({2, 6})}),
            sample(Attrs{0, 0, 0, 1}, {real({3})}), sample(Attrs{0, 0, 1, 3}, {real({1})}),
            bad(Attrs{0, 2, 3, 1}, {real({4})}, "3 elements from 2 by 1 do not lie in dimension 0 of [4]")};
  }
};

struct BroadcastTo {
  static constexpr OpName name = "broadcast_to";
  static constexpr const char* doc = "x repeated along new or unit dimensions";
  struct Attrs {
    Shape shape;
  };
  static constexpr auto fields = std::tuple{field("shape", &Attrs::shape)};
  static constexpr DTypes dtypes = kAnyType;
  static constexpr uint32_t saved_inputs = 0;
  static Specs infer(const Attrs& a, const TensorSpec& x) {
    bool fits = x.rank() <= a.shape.rank();
    for (int i = 0; fits && i < x.rank(); ++i) {
      const int64_t d = x.shape[x.rank() - 1 - i];
      fits = d == 1 || d == a.shape[a.shape.rank() - 1 - i];
    }
    SR_CHECK_AS(kShape, fits, "x has shape {}, which does not broadcast to {}", x.shape, a.shape);
    return {{x.dtype, a.shape, x.device}};
  }
  static ViewOf view(const Attrs& a, const Tensor& x) {
    ViewOf v{a.shape, {}, x.offset()};
    const int extra = a.shape.rank() - x.rank();
    for (int i = 0; i < a.shape.rank(); ++i) {
      const bool repeats = i < extra || (x.shape()[i - extra] == 1 && a.shape[i] != 1);
      v.strides.push_back(repeats ? 0 : x.strides()[i - extra]);
    }
    return v;
  }
  static void reference(const Attrs&, std::span<const HostArray> in, std::span<HostArray> out) {
    copy_elements(in, out, [&](int64_t i) { return broadcast_index(i, out[0].shape, in[0].shape); });
  }
  static Grads vjp(const Attrs&, const Vjp& c) { return {sum_to(c.grad(), c.in_spec(0).shape)}; }
  static Samples samples() {
    return {sample(Attrs{{4, 3}}, {real({3})}), sample(Attrs{{1, 1}}, {real({1})}),
            sample(Attrs{{2, 3, 4}}, {real({2, 1, 4})}), sample(Attrs{{0, 2}}, {real({1, 2})}),
            bad(Attrs{{4, 2}}, {real({3})}, "x has shape [3], which does not broadcast to [4, 2]")};
  }
};

}  // namespace

Tensor reshape(const Tensor& x, Shape shape) {
  int64_t known = 1;
  int unknown = -1;
  for (int i = 0; i < shape.rank(); ++i) {
    if (shape[i] == -1) {
      SR_CHECK_AS(kShape, unknown < 0, "reshape: shape {} has more than one -1", shape);
      unknown = i;
    } else {
      known *= shape[i];
    }
  }
  if (unknown >= 0) {
    SR_CHECK_AS(kShape, known > 0 && x.numel() % known == 0, "reshape: {} elements do not fill {}", x.numel(),
                shape);
    shape[unknown] = x.numel() / known;
  }
  return shape == x.shape() ? x : dispatch<Reshape>({shape}, x);
}

Tensor permute(const Tensor& x, const Dims& order) {
  Dims positive = order;
  for (int i = 0; i < order.rank(); ++i) positive[i] = normalize_axis(order[i], x.rank());
  return dispatch<Permute>({positive}, x);
}

Tensor transpose(const Tensor& x, int64_t a, int64_t b) {
  Dims order;
  for (int i = 0; i < x.rank(); ++i) order.push_back(i);
  const int ia = normalize_axis(a, x.rank()), ib = normalize_axis(b, x.rank());
  order[ia] = ib;
  order[ib] = ia;
  return dispatch<Permute>({order}, x);
}

Tensor slice(const Tensor& x, int64_t axis, int64_t begin, int64_t end, int64_t step) {
  const int d = normalize_axis(axis, x.rank());
  const int64_t n = x.dim(d);
  SR_CHECK_AS(kShape, step >= 1, "slice: step is {}, expected at least 1", step);
  const auto place = [&](int64_t i) { return std::min(std::max<int64_t>(i < 0 ? i + n : i, 0), n); };
  begin = place(begin);
  end = std::max(place(end), begin);
  return dispatch<Slice>({d, begin, (end - begin + step - 1) / step, step}, x);
}

Tensor broadcast_to(const Tensor& x, const Shape& shape) {
  return shape == x.shape() ? x : dispatch<BroadcastTo>({shape}, x);
}

Tensor unsqueeze(const Tensor& x, int64_t axis) {
  Shape shape = x.shape();
  shape.insert(normalize_axis(axis, x.rank() + 1), 1);
  return reshape(x, shape);
}

Tensor squeeze(const Tensor& x, int64_t axis) {
  const int d = normalize_axis(axis, x.rank());
  SR_CHECK_AS(kShape, x.dim(d) == 1, "squeeze: dimension {} of {} is not 1", d, x.shape());
  Shape shape = x.shape();
  shape.erase(d);
  return reshape(x, shape);
}

Tensor movedim(const Tensor& x, int64_t from, int64_t to) {
  const int f = normalize_axis(from, x.rank()), t = normalize_axis(to, x.rank());
  Dims order;
  for (int d = 0; d < x.rank(); ++d)
    if (d != f) order.push_back(d);
  order.insert(t, f);
  return dispatch<Permute>({order}, x);
}

std::vector<Tensor> split(const Tensor& x, const std::vector<int64_t>& sizes, int64_t axis) {
  const int d = normalize_axis(axis, x.rank());
  int64_t total = 0;
  for (int64_t n : sizes) {
    SR_CHECK_AS(kShape, n >= 0, "split: {} elements, expected at least 0", n);
    total += n;
  }
  SR_CHECK_AS(kShape, total == x.dim(d), "split: parts of {} elements in all, dimension {} of {} has {}",
              total, d, x.shape(), x.dim(d));
  std::vector<Tensor> parts;
  int64_t begin = 0;
  for (int64_t n : sizes) {
    parts.push_back(dispatch<Slice>({d, begin, n, 1}, x));
    begin += n;
  }
  return parts;
}

std::vector<Tensor> split(const Tensor& x, int64_t size, int64_t axis) {
  SR_CHECK_AS(kShape, size >= 1, "split: parts of {} elements, expected at least 1", size);
  const int64_t n = x.dim(normalize_axis(axis, x.rank()));
  std::vector<int64_t> sizes;
  for (int64_t begin = 0; begin < std::max<int64_t>(n, 1); begin += size)
    sizes.push_back(std::min(size, n - begin));
  return split(x, sizes, axis);
}

std::vector<Tensor> chunk(const Tensor& x, int64_t parts, int64_t axis) {
  SR_CHECK_AS(kShape, parts >= 1, "chunk: {} parts, expected at least 1", parts);
  const int64_t n = x.dim(normalize_axis(axis, x.rank()));
  return split(x, std::max<int64_t>(1, (n + parts - 1) / parts), axis);
}

std::vector<Tensor> meshgrid(const std::vector<Tensor>& rows) {
  Shape grid;
  for (const Tensor& row : rows) {
    SR_CHECK_AS(kShape, row.rank() == 1, "meshgrid: a row has shape {}, expected one dimension", row.shape());
    grid.push_back(row.numel());
  }
  std::vector<Tensor> coordinates;
  for (size_t i = 0; i < rows.size(); ++i) {
    Shape line;
    for (int d = 0; d < grid.rank(); ++d) line.push_back(d == static_cast<int>(i) ? grid[d] : 1);
    coordinates.push_back(broadcast_to(reshape(rows[i], line), grid));
  }
  return coordinates;
}

OpList ops_view() {
  return {&op_info<Reshape>(), &op_info<Permute>(), &op_info<Slice>(), &op_info<BroadcastTo>()};
}

}  // namespace suiren
