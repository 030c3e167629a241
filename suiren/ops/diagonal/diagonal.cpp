#include "suiren/ops/diagonal/diagonal.h"

#include <algorithm>

#include "suiren/core/dispatch.h"
#include "suiren/ops/common.h"

namespace suiren {
namespace {

// Where the diagonal of a tensor of `shape` lies: the other dimensions, then the diagonal.
ViewOf place_of(const Shape& shape, const Strides& strides, int64_t offset, int64_t row, int64_t column) {
  SR_CHECK_AS(kShape, row != column && row >= 0 && column >= 0 && row < shape.rank() && column < shape.rank(),
              "dimensions {} and {} form no matrices of x with shape {}", row, column, shape);
  const int r = static_cast<int>(row), c = static_cast<int>(column);
  ViewOf v;
  for (int d = 0; d < shape.rank(); ++d)
    if (d != r && d != c) v.shape.push_back(shape[d]), v.strides.push_back(strides[d]);
  const int64_t down = std::max<int64_t>(0, -offset), right = std::max<int64_t>(0, offset);
  const int64_t length = std::max<int64_t>(0, std::min(shape[r] - down, shape[c] - right));
  v.shape.push_back(length);
  v.strides.push_back(strides[r] + strides[c]);
  v.offset = length ? down * strides[r] + right * strides[c] : 0;
  return v;
}

// Calls f(element of the whole, element of the diagonal).
template <class F>
void for_each_on(const Shape& shape, int64_t offset, int64_t row, int64_t column, F f) {
  const Strides step = contiguous_strides(shape);
  const int r = static_cast<int>(row), c = static_cast<int>(column);
  const int64_t length = place_of(shape, step, offset, row, column).shape.dim(-1);
  for (int64_t e = 0; e < shape.numel(); ++e) {
    int64_t at = 0, size = length;
    if (e / step[c] % shape[c] - e / step[r] % shape[r] != offset) continue;
    for (int d = shape.rank() - 1; d >= 0; --d) {
      if (d == r || d == c) continue;
      at += e / step[d] % shape[d] * size;
      size *= shape[d];
    }
    f(e, at + (offset >= 0 ? e / step[r] % shape[r] : e / step[c] % shape[c]));
  }
}

struct Diagonal {
  static constexpr OpName name = "diagonal";
  static constexpr const char* doc =
      "y[..., i] = x[i, i + offset] of the matrices of dimensions row and column";
  struct Attrs {
    int64_t offset, row, column;
  };
  static constexpr auto fields =
      std::tuple{field("offset", &Attrs::offset), field("row", &Attrs::row), field("column", &Attrs::column)};
  static constexpr DTypes dtypes = kAnyType;
  static constexpr uint32_t saved_inputs = 0;
  static Specs infer(const Attrs& a, const TensorSpec& x) {
    return {
        {x.dtype, place_of(x.shape, contiguous_strides(x.shape), a.offset, a.row, a.column).shape, x.device}};
  }
  static ViewOf view(const Attrs& a, const Tensor& x) {
    ViewOf v = place_of(x.shape(), x.strides(), a.offset, a.row, a.column);
    v.offset += x.offset();
    return v;
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    for_each_on(in[0].shape, a.offset, a.row, a.column,
                [&](int64_t e, int64_t at) { out[0][at] = in[0][e]; });
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    return {diagonal_backward(c.grad(), c.in_spec(0).shape, a.offset, a.row, a.column)};
  }
  static Samples samples() {
    return {
        sample(Attrs{0, 0, 1}, {real({4, 4})}),
        sample(Attrs{0, 0, 1}, {real({1, 1})}),
        sample(Attrs{1, 0, 1}, {real({3, 5})}),
        sample(Attrs{-2, 1, 2}, {real({2, 5, 3})}),
        sample(Attrs{1, 2, 0}, {real({3, 2, 4})}),
        sample(Attrs{7, 0, 1}, {real({3, 5})}),
        bad(Attrs{0, 1, 1}, {real({3, 3})}, "dimensions 1 and 1 form no matrices of x with shape [3, 3]"),
        bad(Attrs{0, 0, 2}, {real({3, 3})}, "dimensions 0 and 2 form no matrices of x with shape [3, 3]")};
  }
};

struct DiagonalBackward {
  static constexpr OpName name = "diagonal_backward";
  static constexpr const char* doc =
      "y = 0 but g on the diagonal of the matrices of dimensions row and column";
  struct Attrs {
    Shape shape;
    int64_t offset, row, column;
  };
  static constexpr auto fields = std::tuple{field("shape", &Attrs::shape), field("offset", &Attrs::offset),
                                            field("row", &Attrs::row), field("column", &Attrs::column)};
  static constexpr DTypes dtypes = kAnyType;
  static constexpr uint32_t saved_inputs = 0;
  static Specs infer(const Attrs& a, const TensorSpec& g) {
    check_extents(a.shape);
    const Shape expected = place_of(a.shape, contiguous_strides(a.shape), a.offset, a.row, a.column).shape;
    SR_CHECK_AS(kShape, g.shape == expected, "g has shape {}, the diagonal {} of {} has {}", g.shape,
                a.offset, a.shape, expected);
    return {{g.dtype, a.shape, g.device}};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    for_each_on(a.shape, a.offset, a.row, a.column, [&](int64_t e, int64_t at) { out[0][e] = in[0][at]; });
  }
  static Grads vjp(const Attrs& a, const Vjp& c) { return {diagonal(c.grad(), a.offset, a.row, a.column)}; }
  static Samples samples() {
    return {sample(Attrs{{4, 4}, 0, 0, 1}, {real({4})}),
            sample(Attrs{{1, 1}, 0, 0, 1}, {real({1})}),
            sample(Attrs{{3, 5}, 1, 0, 1}, {real({3})}),
            sample(Attrs{{2, 5, 3}, -2, 1, 2}, {real({2, 3})}),
            sample(Attrs{{3, 2, 4}, 1, 2, 0}, {real({2, 2})}),
            sample(Attrs{{3, 5}, 7, 0, 1}, {real({0})}),
            bad(Attrs{{3, 3}, 1, 0, 1}, {real({3})}, "g has shape [3], the diagonal 1 of [3, 3] has [2]"),
            bad(Attrs{{3, -1}, 1, 0, 1}, {real({3})}, "shape [3, -1] has a negative extent")};
  }
};

}  // namespace

Tensor diagonal(const Tensor& x, int64_t offset, int64_t row, int64_t column) {
  return dispatch<Diagonal>({offset, normalize_axis(row, x.rank()), normalize_axis(column, x.rank())}, x);
}
Tensor diagonal_backward(const Tensor& g, const Shape& shape, int64_t offset, int64_t row, int64_t column) {
  const int rank = shape.rank();
  return dispatch<DiagonalBackward>({shape, offset, normalize_axis(row, rank), normalize_axis(column, rank)},
                                    g);
}
Tensor diag_embed(const Tensor& x, int64_t offset) {
  SR_CHECK_AS(kShape, x.rank() >= 1, "diag_embed: x has no dimension to lay on a diagonal");
  Shape shape = x.shape();
  shape[x.rank() - 1] += std::abs(offset);
  shape.push_back(shape.dim(-1));
  return diagonal_backward(x, shape, offset, -2, -1);
}

OpList ops_diagonal() { return {&op_info<Diagonal>(), &op_info<DiagonalBackward>()}; }

}  // namespace suiren
