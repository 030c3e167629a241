#include "suiren/ops/sort/sort.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "suiren/core/dispatch.h"
#include "suiren/ops/common.h"
#include "suiren/ops/full/full.h"
#include "suiren/ops/gather/gather.h"
#include "suiren/ops/view/view.h"

namespace suiren {
namespace {

// NaN is larger than every number.
bool less(Wide a, Wide b) { return a < b || (std::isnan(b) && !std::isnan(a)); }

// The first `count` places of each line of x in order, with their elements.
void order_lines(const HostArray& x, int64_t axis, bool descending, int64_t count, HostArray& values,
                 HostArray& indices) {
  const AxisView v(x.shape, axis), y(values.shape, axis);
  std::vector<int64_t> order(static_cast<size_t>(v.extent));
  for (int64_t o = 0; o < v.outers; ++o)
    for (int64_t i = 0; i < v.inners; ++i) {
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
        return descending ? less(x[v.at(o, b, i)], x[v.at(o, a, i)])
                          : less(x[v.at(o, a, i)], x[v.at(o, b, i)]);
      });
      for (int64_t k = 0; k < count; ++k) {
        const int64_t place = order[static_cast<size_t>(k)];
        values[y.at(o, k, i)] = x[v.at(o, place, i)];
        indices[y.at(o, k, i)] = static_cast<Wide>(place);
      }
    }
}

// The gradient of elements that were taken from x.
Grads put_back(int64_t axis, const Vjp& c) {
  const Tensor& g = c.grad();
  return {scatter_add(zeros(c.in_spec(0).shape, g.dtype(), g.device()), axis, c.out(1), g)};
}

struct SortAttrs {
  int64_t axis;
  bool descending;
};
constexpr auto kSortFields =
    std::tuple{field("axis", &SortAttrs::axis), field("descending", &SortAttrs::descending)};

Samples sort_samples() {
  const auto call = [](int64_t axis, bool descending, Shape x, bool apart = true) {
    Sample s = sample(SortAttrs{axis, descending}, {apart ? distinct(x, -100, 100) : real(x, -1, 1)});
    s.gradient = apart;  // false: nearly equal elements may change places
    return s;
  };
  return {call(0, false, {7}),
          call(0, true, {1}),
          call(1, true, {3, 5}),
          call(0, false, {3, 5}),
          call(1, true, {2, 6, 3}),
          call(3, false, {2, 1, 3, 4}),
          call(0, true, {40}, false),
          call(1, false, {2, 33}, false),
          call(1, false, {0, 4}),
          call(0, true, {0, 4}),
          bad(SortAttrs{2, false}, {real({2, 3})}, "dimension 2 is out of range for x with shape [2, 3]")};
}

struct Sort {
  static constexpr OpName name = "sort";
  static constexpr const char* doc =
      "values = x in order along axis, indices = where they were; stable, NaN is the largest";
  using Attrs = SortAttrs;
  static constexpr auto fields = kSortFields;
  static constexpr DTypes dtypes = kNumbers;
  static constexpr uint32_t saved_inputs = 0, saved_outputs = 0b10;
  static Specs infer(const Attrs& a, const TensorSpec& x) {
    check_dtype(dtypes, "x", x);
    check_axis(a.axis, x);
    return {x, {kI64, x.shape, x.device}};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    order_lines(in[0], a.axis, a.descending, in[0].dim(static_cast<int>(a.axis)), out[0], out[1]);
  }
  static Grads vjp(const Attrs& a, const Vjp& c) { return put_back(a.axis, c); }
  static Samples samples() { return sort_samples(); }
};

struct Argsort {
  static constexpr OpName name = "argsort";
  static constexpr const char* doc =
      "y = where the elements of x in order along axis were; stable, NaN is the largest";
  using Attrs = SortAttrs;
  static constexpr auto fields = kSortFields;
  static constexpr DTypes dtypes = kNumbers;
  static constexpr const char* no_gradient = "its result is an index";
  static Specs infer(const Attrs& a, const TensorSpec& x) { return {Sort::infer(a, x)[1]}; }
  static Tensor decompose(const Attrs& a, const Tensor& x) { return sort(x, a.axis, a.descending).second; }
  static Samples samples() { return sort_samples(); }
};

struct TopK {
  static constexpr OpName name = "topk";
  static constexpr const char* doc =
      "values = the k largest (or smallest) of x along axis, best first; indices = where they were";
  struct Attrs {
    int64_t k, axis;
    bool largest;
  };
  static constexpr auto fields =
      std::tuple{field("k", &Attrs::k), field("axis", &Attrs::axis), field("largest", &Attrs::largest)};
  static constexpr DTypes dtypes = kNumbers;
  static constexpr uint32_t saved_inputs = 0, saved_outputs = 0b10;
  static Specs infer(const Attrs& a, const TensorSpec& x) {
    check_dtype(dtypes, "x", x);
    check_axis(a.axis, x);
    const int axis = static_cast<int>(a.axis);
    SR_CHECK_AS(kShape, a.k >= 0 && a.k <= x.shape[axis], "k is {}, expected at most {}: dimension {} of {}",
                a.k, x.shape[axis], a.axis, x.shape);
    Shape shape = x.shape;
    shape[axis] = a.k;
    return {{x.dtype, shape, x.device}, {kI64, shape, x.device}};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    order_lines(in[0], a.axis, a.largest, a.k, out[0], out[1]);
  }
  static Grads vjp(const Attrs& a, const Vjp& c) { return put_back(a.axis, c); }
  static Samples samples() {
    const auto x = [](Shape s) { return distinct(s, -100, 100); };
    return {sample(Attrs{3, 0, true}, {x({37})}),
            sample(Attrs{1, 0, true}, {x({1})}),
            sample(Attrs{2, 1, false}, {x({3, 5})}),
            sample(Attrs{3, 0, true}, {x({3, 5})}),
            sample(Attrs{5, 1, true}, {x({2, 6, 3})}),
            sample(Attrs{90, 1, false}, {x({2, 100})}),
            sample(Attrs{0, 1, true}, {x({3, 5})}),
            sample(Attrs{2, 1, true}, {x({0, 4})}),
            bad(Attrs{6, 1, true}, {real({3, 5})}, "k is 6, expected at most 5: dimension 1 of [3, 5]"),
            bad(Attrs{1, 2, true}, {real({3, 5})}, "dimension 2 is out of range for x with shape [3, 5]")};
  }
};

struct SearchSorted {
  static constexpr OpName name = "searchsorted";
  static constexpr const char* doc = "y = how many elements of the ascending row are < v (right: <= v)";
  struct Attrs {
    bool right;
  };
  static constexpr auto fields = std::tuple{field("right", &Attrs::right)};
  static constexpr DTypes dtypes = kNumbers;
  static constexpr const char* no_gradient = "its result is an index";
  static Specs infer(const Attrs&, const TensorSpec& sorted, const TensorSpec& values) {
    check_dtype(dtypes, "sorted", sorted);
    check_same_dtype("sorted", sorted, "values", values);
    bool fits = sorted.rank() == 1 || sorted.rank() == values.rank();
    for (int d = 0; fits && d + 1 < sorted.rank(); ++d) fits = sorted.shape[d] == values.shape[d];
    SR_CHECK_AS(kShape, fits && sorted.rank() > 0,
                "sorted has shape {} and values {}: expected one row, or a row for each row of values",
                sorted.shape, values.shape);
    return {{kI64, values.shape, values.device}};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    const int64_t N = in[0].dim(-1), M = in[0].shape.rank() == 1 ? out[0].numel() : in[1].dim(-1);
    for (int64_t i = 0; i < out[0].numel(); ++i) {
      const auto row = in[0].v.begin() + i / M * N;
      out[0][i] = static_cast<Wide>((a.right ? std::upper_bound(row, row + N, in[1][i], less)
                                             : std::lower_bound(row, row + N, in[1][i], less)) -
                                    row);
    }
  }
  static Samples samples() {
    // Drawn rows are not ascending, but for those whose elements are all equal.
    return {
        sample(Attrs{false}, {constant({9}), constant({20})}),
        sample(Attrs{true}, {constant({9}), constant({2, 3, 4})}),
        sample(Attrs{false}, {constant({1}), constant({1})}),
        sample(Attrs{false}, {constant({5}, 1, 1), constant({7}, 0, 2)}),
        sample(Attrs{true}, {constant({5}, 1, 1), constant({7}, 0, 2)}),
        sample(Attrs{true}, {constant({2, 3, 5}), constant({2, 3, 4})}),
        sample(Attrs{false}, {constant({4}), constant({})}),
        sample(Attrs{false}, {constant({0}), constant({3})}),
        sample(Attrs{false}, {constant({3}), constant({0, 2})}),
        bad(Attrs{false}, {real({2, 3}), real({3, 3})},
            "sorted has shape [2, 3] and values [3, 3]: expected one row, or a row for each row of values"),
        bad(Attrs{false}, {real({3}), boolean({3})}, "values is bool; cast one to the dtype of the other")};
  }
};

}  // namespace

std::pair<Tensor, Tensor> sort(const Tensor& x, int64_t axis, bool descending) {
  const Tensors y = dispatch_all<Sort>({normalize_axis(axis, x.rank()), descending}, x);
  return {y[0], y[1]};
}
Tensor argsort(const Tensor& x, int64_t axis, bool descending) {
  return dispatch<Argsort>({normalize_axis(axis, x.rank()), descending}, x);
}
std::pair<Tensor, Tensor> topk(const Tensor& x, int64_t k, int64_t axis, bool largest) {
  const Tensors y = dispatch_all<TopK>({k, normalize_axis(axis, x.rank()), largest}, x);
  return {y[0], y[1]};
}
std::pair<Tensor, Tensor> kthvalue(const Tensor& x, int64_t k, int64_t axis) {
  const int64_t n = x.dim(normalize_axis(axis, x.rank()));
  SR_CHECK_AS(kShape, k >= 1 && k <= n, "kthvalue: k is {}, expected 1 to {}", k, n);
  const auto [values, indices] = sort(x, axis);
  const auto pick = [&](const Tensor& t) { return squeeze(slice(t, axis, k - 1, k), axis); };
  return {pick(values), pick(indices)};
}
std::pair<Tensor, Tensor> median(const Tensor& x, int64_t axis) {
  return kthvalue(x, (x.dim(normalize_axis(axis, x.rank())) + 1) / 2, axis);
}
Tensor searchsorted(const Tensor& sorted, const Tensor& values, bool right) {
  return dispatch<SearchSorted>({right}, sorted, values);
}
Tensor bucketize(const Tensor& x, const Tensor& boundaries, bool right) {
  return searchsorted(boundaries, x, right);
}

OpList ops_sort() {
  return {&op_info<Sort>(), &op_info<Argsort>(), &op_info<TopK>(), &op_info<SearchSorted>()};
}

}  // namespace suiren
