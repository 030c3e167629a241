// Factorizations and triangular systems in f32 and f64. All are blocked: columns are factored kBlock at a
// time, and everything else is a matrix product. Matrices of a batch are spread over the threads; a single
// matrix leaves them to its products, whose bits do not depend on threads.

#include <algorithm>
#include <cmath>
#include <vector>

#include "backends/cpu/gemm/gemm.h"
#include "backends/cpu/kernel_list.h"
#include "suiren/base/error.h"
#include "suiren/base/threads.h"

namespace suiren::cpu {
namespace {

constexpr int64_t kBlock = 32;

// y -= factor x: most of a small matrix's work.
template <class T>
void subtract(T* __restrict y, const T* __restrict x, T factor, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] -= factor * x[i];
}

// c -= a b, through a negated copy of a: [rows, inner] of any strides, b [inner, cols] and c in rows.
template <class T>
void subtract_product(MatrixView<T> a, const T* b, int64_t ldb, T* c, int64_t ldc, int64_t cols) {
  if (a.rows == 0 || a.cols == 0 || cols == 0) return;
  std::vector<T> minus(static_cast<size_t>(a.rows * a.cols));
  for (int64_t i = 0; i < a.rows; ++i)
    for (int64_t k = 0; k < a.cols; ++k)
      minus[static_cast<size_t>(i * a.cols + k)] = -a.data[i * a.row_stride + k * a.col_stride];
  gemm(MatrixView<T>{minus.data(), a.rows, a.cols, a.cols, 1}, MatrixView<T>{b, a.cols, cols, ldb, 1}, c, ldc,
       {.accumulate = true});
}

// x [n, cols] becomes the solution of m x = b, m one triangle of any strides.
template <class T>
void substitute(MatrixView<T> m, bool upper, bool unit, T* x, int64_t ldx, int64_t cols) {
  const int64_t n = m.rows, blocks = (n + kBlock - 1) / kBlock;
  const auto at = [&](int64_t i, int64_t k) { return m.data[i * m.row_stride + k * m.col_stride]; };
  for (int64_t step = 0; step < blocks; ++step) {
    const int64_t b = upper ? blocks - 1 - step : step, first = b * kBlock,
                  last = std::min(n, first + kBlock);
    const int64_t from = upper ? last : 0, to = upper ? n : first;  // rows that are solved already
    const MatrixView<T> beside{m.data + first * m.row_stride + from * m.col_stride, last - first, to - from,
                               m.row_stride, m.col_stride};
    subtract_product(beside, x + from * ldx, ldx, x + first * ldx, ldx, cols);
    for (int64_t row = 0; row < last - first; ++row) {
      const int64_t i = upper ? last - 1 - row : first + row;
      for (int64_t k = upper ? i + 1 : first; k < (upper ? last : i); ++k)
        subtract(x + i * ldx, x + k * ldx, at(i, k), cols);
      if (unit) continue;
      const T pivot = at(i, i);
      SR_CHECK(pivot != 0, "a is singular: element ({}, {}) is 0", i, i);
      for (int64_t j = 0; j < cols; ++j) x[i * ldx + j] /= pivot;
    }
  }
}

// The lower triangle of a diagonal block, rows n apart, becomes its Cholesky factor; `order` counts from it.
template <class T>
void factor_block(T* y, int64_t n, int64_t width, int64_t order) {
  for (int64_t j = 0; j < width; ++j) {
    T d = y[j * n + j];
    for (int64_t k = 0; k < j; ++k) d -= y[j * n + k] * y[j * n + k];
    SR_CHECK(d > 0, "x is not positive definite: its leading minor of order {} is not positive",
             order + j + 1);
    const T root = y[j * n + j] = std::sqrt(d);
    for (int64_t i = j + 1; i < width; ++i) {
      T sum = y[i * n + j];
      for (int64_t k = 0; k < j; ++k) sum -= y[i * n + k] * y[j * n + k];
      y[i * n + j] = sum / root;
    }
  }
}

// The lower triangle of y [n, n] becomes its Cholesky factor; the rest becomes 0.
template <class T>
void factor(T* y, int64_t n) {
  std::vector<T> turned;  // the panel below a diagonal block, its columns as rows
  for (int64_t first = 0; first < n; first += kBlock) {
    const int64_t last = std::min(n, first + kBlock), width = last - first, below = n - last;
    T* corner = y + first * n + first;
    factor_block(corner, n, width, first);
    turned.resize(static_cast<size_t>(width * below));
    for (int64_t i = 0; i < below; ++i)
      for (int64_t k = 0; k < width; ++k)
        turned[static_cast<size_t>(k * below + i)] = y[(last + i) * n + first + k];
    substitute(MatrixView<T>{corner, width, width, n, 1}, false, false, turned.data(), below, below);
    for (int64_t i = 0; i < below; ++i)
      for (int64_t k = 0; k < width; ++k)
        y[(last + i) * n + first + k] = turned[static_cast<size_t>(k * below + i)];
    // What is left, block column after block column: minus the panel times itself.
    for (int64_t j = 0; j < below; j += 4 * kBlock) {
      const MatrixView<T> panel{y + (last + j) * n + first, below - j, width, n, 1};
      subtract_product(panel, turned.data() + j, below, y + (last + j) * n + last + j, n,
                       std::min(4 * kBlock, below - j));
    }
  }
  for (int64_t i = 0; i < n; ++i) std::fill(y + i * n + i + 1, y + (i + 1) * n, T(0));
}

// m [n, n] becomes its LU factors; rows of b [n, cols] move along. The sign of the permutation, 0 when
// singular.
template <class T>
int eliminate(T* m, int64_t n, T* b, int64_t cols) {
  int sign = 1;
  for (int64_t first = 0; first < n; first += kBlock) {
    const int64_t last = std::min(n, first + kBlock);
    for (int64_t k = first; k < last; ++k) {
      int64_t top = k;
      for (int64_t i = k + 1; i < n; ++i)
        if (std::fabs(m[i * n + k]) > std::fabs(m[top * n + k])) top = i;
      if (m[top * n + k] == 0) return 0;
      if (top != k) {
        sign = -sign;
        std::swap_ranges(m + top * n, m + (top + 1) * n, m + k * n);
        std::swap_ranges(b + top * cols, b + (top + 1) * cols, b + k * cols);
      }
      for (int64_t i = k + 1; i < n; ++i)
        subtract(m + i * n + k + 1, m + k * n + k + 1, m[i * n + k] /= m[k * n + k], last - k - 1);
    }
    if (last == n) break;
    const MatrixView<T> corner{m + first * n + first, last - first, last - first, n, 1};
    substitute(corner, false, true, m + first * n + last, n, n - last);
    subtract_product(MatrixView<T>{m + last * n + first, n - last, last - first, n, 1}, m + first * n + last,
                     n, m + last * n + last, n, n - last);
  }
  return sign;
}

// body(i) for each matrix of a batch.
void for_matrices(int64_t count, int64_t n, FunctionRef<void(int64_t)> body) {
  if (count == 1) return body(0);
  parallel_for(count, std::max<int64_t>(1, 20000 / std::max<int64_t>(1, n * n * n)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t i = begin; i < end; ++i) body(i);
               });
}

template <class T>
void shift_copy(const T* x, int64_t n, double shift, T* y) {
  std::copy_n(x, n * n, y);
  for (int64_t i = 0; i < n; ++i) y[i * n + i] += static_cast<T>(shift);
}

int64_t matrices(const Operand& x) {
  int64_t count = 1;
  for (int d = 0; d < x.rank() - 2; ++d) count *= x.dim(d);
  return count;
}

template <class F>
void by_dtype(const Call& c, F f) {
  if (c.in(0).dtype() == SR_F32)
    f(float{});
  else
    f(double{});
}

// Input x; attribute: shift.
void cholesky(const Call& c, void*) {
  const int64_t n = c.in(0).dim(-1);
  by_dtype(c, [&]<class T>(T) {
    const T* x = c.in(0).data<T>();
    T* y = c.out(0).data<T>();
    for_matrices(matrices(c.in(0)), n, [&](int64_t i) {
      shift_copy(x + i * n * n, n, c.attr_f64(0), y + i * n * n);
      factor(y + i * n * n, n);
    });
  });
}

// Inputs a, b; attributes: upper, transposed, unit.
void triangular_solve(const Call& c, void*) {
  const int64_t n = c.in(1).dim(-2), cols = c.in(1).dim(-1);
  const bool turned = c.attr_i64(1) != 0, upper = (c.attr_i64(0) != 0) != turned;
  by_dtype(c, [&]<class T>(T) {
    T* x = c.out(0).data<T>();
    std::copy_n(c.in(1).data<T>(), c.in(1).numel(), x);
    for_matrices(matrices(c.in(0)), n, [&](int64_t i) {
      const MatrixView<T> m{c.in(0).data<T>() + i * n * n, n, n, turned ? 1 : n, turned ? n : 1};
      substitute(m, upper, c.attr_i64(2) != 0, x + i * n * cols, cols, cols);
    });
  });
}

// Inputs a, b; attribute: shift.
void solve(const Call& c, void*) {
  const int64_t n = c.in(1).dim(-2), cols = c.in(1).dim(-1);
  by_dtype(c, [&]<class T>(T) {
    T* x = c.out(0).data<T>();
    std::copy_n(c.in(1).data<T>(), c.in(1).numel(), x);
    for_matrices(matrices(c.in(0)), n, [&](int64_t i) {
      std::vector<T> m(static_cast<size_t>(n * n));
      shift_copy(c.in(0).data<T>() + i * n * n, n, c.attr_f64(0), m.data());
      T* mine = x + i * n * cols;
      SR_CHECK(eliminate(m.data(), n, mine, cols) != 0, "a is singular: matrix {} has no inverse", i);
      const MatrixView<T> view{m.data(), n, n, n, 1};
      substitute(view, false, true, mine, cols, cols);
      substitute(view, true, false, mine, cols, cols);
    });
  });
}

// f(index, sign, diagonal, stride) of the LU factors of each x + shift I.
template <class T, class F>
void with_factors(const Call& c, F f) {
  const int64_t n = c.in(0).dim(-1);
  for_matrices(matrices(c.in(0)), n, [&](int64_t i) {
    std::vector<T> m(static_cast<size_t>(n * n));
    shift_copy(c.in(0).data<T>() + i * n * n, n, c.attr_f64(0), m.data());
    const int sign = eliminate<T>(m.data(), n, nullptr, 0);
    std::vector<T> diagonal(static_cast<size_t>(n));
    for (int64_t k = 0; k < n; ++k) diagonal[static_cast<size_t>(k)] = m[static_cast<size_t>(k * n + k)];
    f(i, sign, diagonal);
  });
}

void det(const Call& c, void*) {
  by_dtype(c, [&]<class T>(T) {
    with_factors<T>(c, [&](int64_t i, int sign, const std::vector<T>& diagonal) {
      double product = sign;
      if (sign)
        for (T d : diagonal) product *= static_cast<double>(d);
      c.out(0).data<T>()[i] = static_cast<T>(product);
    });
  });
}

void slogdet(const Call& c, void*) {
  by_dtype(c, [&]<class T>(T) {
    with_factors<T>(c, [&](int64_t i, int sign, const std::vector<T>& diagonal) {
      double log = sign ? 0 : -INFINITY;
      for (size_t k = 0; k < diagonal.size() && sign; ++k) {
        if (diagonal[k] < 0) sign = -sign;
        log += std::log(std::fabs(static_cast<double>(diagonal[k])));
      }
      c.out(0).data<T>()[i] = static_cast<T>(sign);
      c.out(1).data<T>()[i] = static_cast<T>(log);
    });
  });
}

constexpr Kernel kKernels[] = {
    {"cholesky", "blocks", 10, row_major_inputs, nullptr, cholesky},
    {"triangular_solve", "blocks", 10, row_major_inputs, nullptr, triangular_solve},
    {"solve", "lu", 10, row_major_inputs, nullptr, solve},
    {"det", "lu", 10, row_major_inputs, nullptr, det},
    {"slogdet", "lu", 10, row_major_inputs, nullptr, slogdet},
};

}  // namespace

KernelList kernels_linalg() { return kKernels; }

}  // namespace suiren::cpu
