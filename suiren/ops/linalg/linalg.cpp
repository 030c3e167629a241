#include "suiren/ops/linalg/linalg.h"

#include <cmath>

#include "suiren/core/dispatch.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/common.h"
#include "suiren/ops/compare/compare.h"
#include "suiren/ops/full/full.h"
#include "suiren/ops/matmul/matmul.h"
#include "suiren/ops/unary/unary.h"
#include "suiren/ops/view/view.h"
#include "suiren/ops/where/where.h"

namespace suiren {
namespace {

constexpr DTypes kFullPrecision{1u << DType::kF32 | 1u << DType::kF64};

void check_matrix(const char* name, const TensorSpec& x) {
  SR_CHECK_AS(kShape, kFullPrecision.has(x.dtype), "{} is {}, expected f32 or f64; cast it first", name,
              x.dtype);
  SR_CHECK_AS(kShape, x.rank() >= 2 && x.dim(-1) == x.dim(-2), "{} has shape {}, expected [..., N, N]", name,
              x.shape);
}
Shape batch_of(const Shape& s) { return Shape(std::span<const int64_t>(s.data(), size_t(s.rank() - 2))); }
Shape with_matrix(Shape batch, int64_t rows, int64_t columns) {
  batch.push_back(rows);
  batch.push_back(columns);
  return batch;
}

Specs check_system(const TensorSpec& a, const TensorSpec& b) {
  check_matrix("a", a);
  check_same_dtype("b", b, "a", a);
  SR_CHECK_AS(kShape,
              b.rank() == a.rank() && b.dim(-2) == a.dim(-1) && batch_of(a.shape) == batch_of(b.shape),
              "a has shape {} and b {}: expected [..., N, N] and [..., N, M]", a.shape, b.shape);
  return {b};
}

// 1 where row - column is at least `least`: the lower triangle for 0, below the diagonal for 1.
Tensor at_least_below(int64_t n, int64_t least, const Tensor& like) {
  const Tensor i = reshape(arange(0, n, 1, kI64, like.device()), {n, 1}),
               j = arange(least, n + least, 1, kI64, like.device());
  return cast(ge(i, j), like.dtype());
}
Tensor lower(const Tensor& x, int64_t least) { return x * at_least_below(x.dim(-1), least, x); }
Tensor diagonal_mask(const Tensor& like) {
  return at_least_below(like.dim(-1), 0, like) - at_least_below(like.dim(-1), 1, like);
}

// ---- References: one matrix [n, n], row-major, in Wide ---------------------------------------------------

using Matrix = std::vector<Wide>;

Matrix shifted(const HostArray& x, int64_t index, int64_t n, double shift) {
  Matrix m(x.v.begin() + index * n * n, x.v.begin() + (index + 1) * n * n);
  for (int64_t i = 0; i < n; ++i) m[static_cast<size_t>(i * n + i)] += static_cast<Wide>(shift);
  return m;
}

// m becomes its LU factors; rows of b [n, columns] move along. Returns the sign of the permutation, 0 when
// singular.
int eliminate(Matrix& m, int64_t n, Wide* b, int64_t columns) {
  const auto at = [&](int64_t i, int64_t j) -> Wide& { return m[static_cast<size_t>(i * n + j)]; };
  int sign = 1;
  for (int64_t k = 0; k < n; ++k) {
    int64_t top = k;
    for (int64_t i = k + 1; i < n; ++i)
      if (std::fabs(at(i, k)) > std::fabs(at(top, k))) top = i;
    if (at(top, k) == 0) return 0;
    if (top != k) {
      sign = -sign;
      for (int64_t j = 0; j < n; ++j) std::swap(at(top, j), at(k, j));
      for (int64_t j = 0; j < columns; ++j) std::swap(b[top * columns + j], b[k * columns + j]);
    }
    for (int64_t i = k + 1; i < n; ++i) {
      const Wide factor = at(i, k) /= at(k, k);
      for (int64_t j = k + 1; j < n; ++j) at(i, j) -= factor * at(k, j);
      for (int64_t j = 0; j < columns; ++j) b[i * columns + j] -= factor * b[k * columns + j];
    }
  }
  return sign;
}

// x [n, columns] becomes the solution of m x = b for a triangle of m, read with the given strides.
void substitute(const Wide* m, int64_t rows, int64_t cols, int64_t n, bool upper, bool unit, Wide* x,
                int64_t columns) {
  for (int64_t step = 0; step < n; ++step) {
    const int64_t i = upper ? n - 1 - step : step;
    const Wide pivot = unit ? 1 : m[i * rows + i * cols];
    SR_CHECK(pivot != 0, "a is singular: element ({}, {}) is 0", i, i);
    for (int64_t j = 0; j < columns; ++j) {
      Wide sum = x[i * columns + j];
      for (int64_t k = upper ? i + 1 : 0; k < (upper ? n : i); ++k)
        sum -= m[i * rows + k * cols] * x[k * columns + j];
      x[i * columns + j] = sum / pivot;
    }
  }
}

// ---- Ops --------------------------------------------------------------------------------------------------

struct ShiftAttrs {
  double shift;
};
constexpr auto kShiftField = std::tuple{field("shift", &ShiftAttrs::shift)};

// Small elements beside the shift: every layout of them, rows repeated too, is a matrix of good condition.
SampleInput matrix(Shape s, double size = 0.1) { return real(s, -size, size); }

struct Cholesky {
  static constexpr OpName name = "cholesky";
  static constexpr const char* doc = "lower triangular y with y y^T = x + shift I";
  using Attrs = ShiftAttrs;
  static constexpr auto fields = kShiftField;
  static constexpr DTypes dtypes = kFullPrecision;
  static constexpr uint32_t saved_inputs = 0, saved_outputs = 1;
  static Specs infer(const Attrs&, const TensorSpec& x) {
    check_matrix("x", x);
    return {x};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    const int64_t n = in[0].dim(-1);
    for (int64_t b = 0; b < batch_of(in[0].shape).numel(); ++b) {
      const Matrix m = shifted(in[0], b, n, a.shift);
      Wide* y = out[0].v.data() + b * n * n;
      for (int64_t i = 0; i < n; ++i)
        for (int64_t j = 0; j <= i; ++j) {
          Wide sum = m[static_cast<size_t>(i * n + j)];
          for (int64_t k = 0; k < j; ++k) sum -= y[i * n + k] * y[j * n + k];
          SR_CHECK(i != j || sum > 0,
                   "x is not positive definite: its leading minor of order {} is not positive", i + 1);
          y[i * n + j] = i == j ? std::sqrt(sum) : sum / y[j * n + j];
        }
    }
  }
  // With M = the lower half of y^T g (its diagonal halved), S = y^-T M y^-1 is d / dx for all of x at once;
  // the lower triangle stands for both.
  static Grads vjp(const Attrs&, const Vjp& c) {
    const Tensor y = c.out(0), product = matmul(transpose(y), lower(c.grad(), 0));
    const Tensor m = lower(product, 0) - 0.5 * (product * diagonal_mask(product));
    const Tensor half = triangular_solve(y, m, false, true);
    const Tensor s = triangular_solve(y, transpose(half), false, true);
    return {lower(s + transpose(s), 1) + s * diagonal_mask(s)};
  }
  static Samples samples() {
    return {sample(Attrs{12}, {matrix({3, 3})}),
            sample(Attrs{1}, {matrix({1, 1})}),
            sample(Attrs{12}, {matrix({2, 5, 5})}),
            sample(Attrs{9}, {matrix({7, 2, 2}, 0.2)}),
            sample(Attrs{1}, {matrix({0, 3, 3})}),
            sample(Attrs{1}, {matrix({2, 0, 0})}),
            bad(Attrs{0}, {real({2, 3})}, "x has shape [2, 3], expected [..., N, N]"),
            bad(Attrs{-4}, {matrix({3, 3})},
                "x is not positive definite: its leading minor of order 1 is not positive")};
  }
};

struct TriangularSolve {
  static constexpr OpName name = "triangular_solve";
  static constexpr const char* doc = "x with op(a) x = b for a triangle of a";
  struct Attrs {
    bool upper, transposed, unit;
  };
  static constexpr auto fields = std::tuple{
      field("upper", &Attrs::upper), field("transposed", &Attrs::transposed), field("unit", &Attrs::unit)};
  static constexpr DTypes dtypes = kFullPrecision;
  static constexpr uint32_t saved_inputs = 1, saved_outputs = 1;
  static Specs infer(const Attrs&, const TensorSpec& a, const TensorSpec& b) { return check_system(a, b); }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    const int64_t n = in[1].dim(-2), columns = in[1].dim(-1);
    out[0].v = in[1].v;
    for (int64_t i = 0; i < batch_of(in[0].shape).numel(); ++i)
      substitute(in[0].v.data() + i * n * n, a.transposed ? 1 : n, a.transposed ? n : 1, n,
                 a.upper != a.transposed, a.unit, out[0].v.data() + i * n * columns, columns);
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    const Tensor m = c.in(0), x = c.out(0);
    const Tensor db = triangular_solve(m, c.grad(), a.upper, !a.transposed, a.unit);
    if (!c.needs(0)) return {{}, db};
    const Tensor da = neg(a.transposed ? matmul(x, transpose(db)) : matmul(db, transpose(x)));
    const int64_t least = a.unit ? 1 : 0;
    return {a.upper ? transpose(lower(transpose(da), least)) : lower(da, least), db};
  }
  static Samples samples() {
    Samples list;
    for (int i = 0; i < 8; ++i) {
      const Attrs a{(i & 1) != 0, (i & 2) != 0, (i & 4) != 0};
      // Diagonals away from zero, and elements so even that solutions do not grow.
      const auto call = [&](Shape m, Shape b) {
        const SampleInput triangle = a.unit ? matrix(m) : real(m, 1, 1.2);
        Sample s = sample(a, {triangle, real(b)});
        s.loosen = 20;  // a solution is a chain of as many roundings as the matrix has rows
        list.push_back(s);
      };
      call({3, 3}, {3, 2});
      call({1, 1}, {1, 1});
      if (i % 3 == 0) call({2, 5, 5}, {2, 5, 1});
      call({0, 2, 2}, {0, 2, 3});
    }
    const Attrs a{false, false, false};
    list.push_back(bad(a, {real({2, 3}), real({2, 3})}, "a has shape [2, 3], expected [..., N, N]"));
    list.push_back(bad(a, {real({3, 3}), real({2, 3})},
                       "a has shape [3, 3] and b [2, 3]: expected [..., N, N] and [..., N, M]"));
    list.push_back(bad(a, {real({2, 2}, 0, 0), real({2, 3})}, "a is singular: element (0, 0) is 0"));
    return list;
  }
};

struct Solve {
  static constexpr OpName name = "solve";
  static constexpr const char* doc = "x with (a + shift I) x = b";
  using Attrs = ShiftAttrs;
  static constexpr auto fields = kShiftField;
  static constexpr DTypes dtypes = kFullPrecision;
  static constexpr uint32_t saved_inputs = 1, saved_outputs = 1;
  static Specs infer(const Attrs&, const TensorSpec& a, const TensorSpec& b) { return check_system(a, b); }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    const int64_t n = in[1].dim(-2), columns = in[1].dim(-1);
    out[0].v = in[1].v;
    for (int64_t i = 0; i < batch_of(in[0].shape).numel(); ++i) {
      Matrix m = shifted(in[0], i, n, a.shift);
      Wide* x = out[0].v.data() + i * n * columns;
      SR_CHECK(eliminate(m, n, x, columns) != 0, "a is singular: matrix {} has no inverse", i);
      substitute(m.data(), n, 1, n, true, false, x, columns);
    }
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    const Tensor db = solve(transpose(c.in(0)), c.grad(), a.shift);
    return {c.needs(0) ? neg(matmul(db, transpose(c.out(0)))) : Tensor(), db};
  }
  static Samples samples() {
    Samples list{sample(Attrs{2}, {matrix({3, 3}), real({3, 2})}),
                 sample(Attrs{1}, {matrix({1, 1}), real({1, 1})}),
                 sample(Attrs{-3}, {matrix({2, 5, 5}), real({2, 5, 1})}),
                 sample(Attrs{1}, {matrix({4, 4}, 0.02), real({4, 7})}),
                 sample(Attrs{1}, {matrix({0, 3, 3}), real({0, 3, 2})}),
                 sample(Attrs{1}, {matrix({2, 0, 0}), real({2, 0, 2})})};
    for (Sample& s : list) s.loosen = 20;  // the condition of the matrices
    list.push_back(bad(Attrs{0}, {real({3, 3}), real({2, 3})},
                       "a has shape [3, 3] and b [2, 3]: expected [..., N, N] and [..., N, M]"));
    list.push_back(
        bad(Attrs{0}, {real({2, 2, 2}, 0, 0), real({2, 2, 1})}, "a is singular: matrix 0 has no inverse"));
    return list;
  }
};

struct Inverse {
  static constexpr OpName name = "inverse";
  static constexpr const char* doc = "y = (x + shift I)^-1";
  using Attrs = ShiftAttrs;
  static constexpr auto fields = kShiftField;
  static constexpr DTypes dtypes = kFullPrecision;
  static constexpr uint32_t saved_inputs = 0, saved_outputs = 1;
  static Specs infer(const Attrs&, const TensorSpec& x) {
    check_matrix("x", x);
    return {x};
  }
  static Tensor decompose(const Attrs& a, const Tensor& x) {
    const int64_t n = x.dim(-1);
    const Tensor one = diagonal_mask(full({n, n}, 0, x.dtype(), x.device()));
    return solve(x, broadcast_to(one, x.shape()), a.shift);
  }
  static Grads vjp(const Attrs&, const Vjp& c) {
    const Tensor turned = transpose(c.out(0));
    return {neg(matmul(matmul(turned, c.grad()), turned))};
  }
  static Samples samples() {
    Samples list{sample(Attrs{2}, {matrix({3, 3})}), sample(Attrs{1}, {matrix({1, 1})}),
                 sample(Attrs{-3}, {matrix({2, 5, 5})}), sample(Attrs{1}, {matrix({0, 3, 3})})};
    for (Sample& s : list) s.loosen = 20;  // the condition of the matrices
    list.push_back(bad(Attrs{0}, {real({2, 3})}, "x has shape [2, 3], expected [..., N, N]"));
    return list;
  }
};

struct Det {
  static constexpr OpName name = "det";
  static constexpr const char* doc = "y = det(x + shift I)";
  using Attrs = ShiftAttrs;
  static constexpr auto fields = kShiftField;
  static constexpr DTypes dtypes = kFullPrecision;
  static constexpr uint32_t saved_outputs = 1;
  static Specs infer(const Attrs&, const TensorSpec& x) {
    check_matrix("x", x);
    return {{x.dtype, batch_of(x.shape), x.device}};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    const int64_t n = in[0].dim(-1);
    for (int64_t i = 0; i < out[0].numel(); ++i) {
      Matrix m = shifted(in[0], i, n, a.shift);
      Wide product = eliminate(m, n, nullptr, 0);
      for (int64_t k = 0; k < n && product != 0; ++k) product *= m[static_cast<size_t>(k * n + k)];
      out[0][i] = product;
    }
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    const Tensor scale = unsqueeze(unsqueeze(c.grad() * c.out(0), -1), -1);
    return {scale * transpose(inverse(c.in(0), a.shift))};
  }
  static Samples samples() {
    Samples list{sample(Attrs{1}, {matrix({3, 3}, 0.05)}), sample(Attrs{1}, {matrix({1, 1}, 0.05)}),
                 sample(Attrs{-1}, {matrix({2, 5, 5}, 0.05)}), sample(Attrs{1}, {matrix({0, 3, 3})})};
    for (Sample& s : list) s.loosen = 20;  // a product of as many rounded factors as the matrix has rows
    list.push_back(sample(Attrs{1}, {matrix({2, 0, 0})}));
    list.push_back(bad(Attrs{0}, {real({2, 3})}, "x has shape [2, 3], expected [..., N, N]"));
    return list;
  }
};

struct SlogDet {
  static constexpr OpName name = "slogdet";
  static constexpr const char* doc = "sign and log |det(x + shift I)|";
  using Attrs = ShiftAttrs;
  static constexpr auto fields = kShiftField;
  static constexpr DTypes dtypes = kFullPrecision;
  static Specs infer(const Attrs& a, const TensorSpec& x) {
    const TensorSpec y = Det::infer(a, x)[0];
    return {y, y};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    const int64_t n = in[0].dim(-1);
    for (int64_t i = 0; i < out[0].numel(); ++i) {
      Matrix m = shifted(in[0], i, n, a.shift);
      Wide sign = eliminate(m, n, nullptr, 0), log = sign == 0 ? -HUGE_VALL : 0;
      for (int64_t k = 0; k < n && sign != 0; ++k) {
        const Wide pivot = m[static_cast<size_t>(k * n + k)];
        sign *= pivot < 0 ? -1 : 1;
        log += std::log(std::fabs(pivot));
      }
      out[0][i] = sign;
      out[1][i] = log;
    }
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    return {unsqueeze(unsqueeze(c.grad(1), -1), -1) * transpose(inverse(c.in(0), a.shift))};
  }
  static Samples samples() { return Det::samples(); }
};

// a and b with one batch: broadcast views.
Tensors one_batch(const Tensor& a, const Tensor& b) {
  SR_CHECK_AS(kShape, a.rank() >= 2 && b.rank() >= 2,
              "a has shape {} and b {}: expected [..., N, N] and [..., N, M]", a.shape(), b.shape());
  const Shape batch = broadcast(batch_of(a.shape()), batch_of(b.shape()));
  return {broadcast_to(a, with_matrix(batch, a.dim(-2), a.dim(-1))),
          broadcast_to(b, with_matrix(batch, b.dim(-2), b.dim(-1)))};
}

}  // namespace

Tensor cholesky(const Tensor& x, double shift) { return dispatch<Cholesky>({shift}, x); }
Tensor triangular_solve(const Tensor& a, const Tensor& b, bool upper, bool transposed, bool unit) {
  const Tensors in = one_batch(a, b);
  return dispatch<TriangularSolve>({upper, transposed, unit}, in[0], in[1]);
}
Tensor solve(const Tensor& a, const Tensor& b, double shift) {
  if (a.rank() == 2 && b.rank() == 1) return squeeze(solve(a, unsqueeze(b, 1), shift), 1);
  const Tensors in = one_batch(a, b);
  return dispatch<Solve>({shift}, in[0], in[1]);
}
Tensor inverse(const Tensor& x, double shift) { return dispatch<Inverse>({shift}, x); }
Tensor det(const Tensor& x, double shift) { return dispatch<Det>({shift}, x); }
Tensors slogdet(const Tensor& x, double shift) { return dispatch_all<SlogDet>({shift}, x); }

OpList ops_linalg() {
  return {&op_info<Cholesky>(), &op_info<TriangularSolve>(), &op_info<Solve>(), &op_info<Inverse>(),
          &op_info<Det>(),      &op_info<SlogDet>()};
}

}  // namespace suiren
