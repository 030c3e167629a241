// Matrix products over any strides: which of the products in gemm.h a call is.

#include <type_traits>
#include <vector>

#include "backends/cpu/gemm/gemm.h"
#include "backends/cpu/packed_weights.h"
#include "backends/cpu/stage.h"
#include "backends/cpu/walk.h"

namespace suiren::cpu {
namespace {

// The batch dimensions of a product, outermost first, merged where both operands step on evenly. Strides in
// elements; 0 where an operand is broadcast.
struct Batch {
  int rank = 0;
  int64_t dims[kMaxRank], a[kMaxRank], b[kMaxRank];

  Batch(const Operand& x, const Operand& y, const Operand& out) {
    for (int d = 0; d < out.rank() - 2; ++d) {
      if (out.dim(d) == 1) continue;
      add(out.dim(d), step(x, d - out.rank()), step(y, d - out.rank()));
    }
  }
  static int64_t step(const Operand& x, int from_end) {
    return -from_end > x.rank() || x.dim(from_end) == 1 ? 0 : x.stride(from_end);
  }
  void add(int64_t extent, int64_t sa, int64_t sb) {
    if (rank > 0 && a[rank - 1] == sa * extent && b[rank - 1] == sb * extent) {
      dims[rank - 1] *= extent, a[rank - 1] = sa, b[rank - 1] = sb;
    } else {
      dims[rank] = extent, a[rank] = sa, b[rank] = sb;
      ++rank;
    }
  }
};

template <class T>
MatrixView<T> matrix(const Operand& x) {
  return {x.data<T>(), x.dim(-2), x.dim(-1), x.stride(-2), x.stride(-1)};
}

template <class T, class R = T>
void multiply(const Operand& x, const Operand& y, const Operand& out) {
  MatrixView<T> a = matrix<T>(x), b = matrix<T>(y);
  R* c = out.data<R>();
  Batch batch(x, y, out);
  if (batch.rank == 1 && batch.b[0] == 0 && (a.rows == 1 || batch.a[0] == a.rows * a.row_stride)) {
    if (a.rows == 1) a.row_stride = batch.a[0];  // [B, M, K] x [K, N]: one product of B * M rows
    a.rows *= batch.dims[0];
    batch.rank = 0;
  }
  std::shared_ptr<const PackedB> packed;
  GemmOptions options;
  if constexpr (!std::is_same_v<T, double> && !std::is_integral_v<T>) {
    bool one = y.stable() && b.rows > 0 && b.cols > 0;
    for (int i = 0; i < batch.rank; ++i) one = one && batch.b[i] == 0;
    if (one) packed = packed_weight(y, a.rows), options.packed = packed.get();
  }
  if (batch.rank == 0) return gemm(a, b, c, b.cols, options);
  const int last = batch.rank - 1;
  const int64_t size = a.rows * b.cols;
  int64_t outer = 1;
  for (int i = 0; i < last; ++i) outer *= batch.dims[i];
  for (int64_t i = 0; i < outer; ++i) {
    MatrixView<T> ai = a, bi = b;
    int64_t rest = i;
    for (int d = last - 1; d >= 0; --d) {
      ai.data += rest % batch.dims[d] * batch.a[d];
      bi.data += rest % batch.dims[d] * batch.b[d];
      rest /= batch.dims[d];
    }
    gemm_batched(batch.dims[last], ai, batch.a[last], bi, batch.b[last], c + i * batch.dims[last] * size,
                 size, b.cols, options);
  }
}

void matmul(const Call& c, void*) {
  if (c.out(0).numel() == 0) return;
  visit_dtype(dtype_of_operand(c.in(0).dtype()), [&]<class T>() {
    if constexpr (!std::is_integral_v<T>) multiply<T>(c.in(0), c.in(1), c.out(0));
  });
}

void int_matmul(const Call& c, void*) {
  if (c.out(0).numel() > 0) multiply<int8_t, int32_t>(c.in(0), c.in(1), c.out(0));
}

// y (+)= a[i] b[i] for ascending i, in the type R of the sums. Each product is complete before it is added,
// so that the sum is the same when the matrices come one at a time.
template <class T, class R>
void add_products(int64_t count, MatrixView<T> a, int64_t a_step, MatrixView<T> b, int64_t b_step, R* y,
                  bool onto) {
  for (int64_t i = 0; i < count; ++i, a.data += a_step, b.data += b_step)
    gemm(a, b, y, b.cols, {.accumulate = onto || i > 0, .whole = true});
  if (count == 0 && !onto) std::fill(y, y + a.rows * b.cols, R(0));
}

template <class T>
void sum_products(const Operand& a, const Operand& b, const Operand& y) {
  const auto add = [&](auto* sum) {
    add_products(a.dim(0), matrix<T>(a), a.stride(0), matrix<T>(b), b.stride(0), sum, false);
  };
  if (a.dim(0) == 1) return gemm(matrix<T>(a), matrix<T>(b), y.data<T>(), b.dim(2));  // rounds as it stores
  if constexpr (sizeof(T) > 2) return add(y.data<T>());
  std::vector<float> sum(static_cast<size_t>(y.numel()));
  add(sum.data());
  unstage(dtype_of_operand(y.dtype()), sum.data(), y.data<char>(), sizeof(T), y.numel());
}

void matmul_sum(const Call& c, void*) {
  if (c.out(0).numel() == 0) return;
  visit_dtype(dtype_of_operand(c.in(0).dtype()), [&]<class T>() {
    if constexpr (!std::is_integral_v<T>) sum_products<T>(c.in(0), c.in(1), c.out(0));
  });
}

// Inputs sum [M, N], a, b. Of bf16 and f16 each product is rounded before it is added to an f32 sum.
void matmul_accumulate(const Call& c, void*) {
  const Operand sum = c.in(0), a = c.in(1), b = c.in(2);
  if (sum.numel() == 0) return;
  visit_dtype(dtype_of_operand(a.dtype()), [&]<class T>() {
    if constexpr (sizeof(T) > 2 && !std::is_integral_v<T>) {
      add_products(a.dim(0), matrix<T>(a), a.stride(0), matrix<T>(b), b.stride(0), sum.data<T>(), true);
    } else if constexpr (!std::is_integral_v<T>) {
      std::vector<T> product(static_cast<size_t>(sum.numel()));
      MatrixView<T> x = matrix<T>(a), w = matrix<T>(b);
      for (int64_t i = 0; i < a.dim(0); ++i, x.data += a.stride(0), w.data += b.stride(0)) {
        gemm(x, w, product.data(), w.cols);
        add_narrow(dtype_of_operand(a.dtype()), reinterpret_cast<const char*>(product.data()),
                   sum.data<float>(), sum.numel());
      }
    }
  });
}

Reason accepts_accumulate(const Call& c) {
  if (!c.in(0).contiguous()) return "strides of the sum";
  const uint16_t dtype = c.in(1).dtype();
  return c.in(0).dtype() == (is_narrow(dtype) ? uint16_t{SR_F32} : dtype) ? nullptr : "dtype";
}

constexpr Kernel kKernels[] = {
    {"matmul_accumulate", "gemm", 10, accepts_accumulate, nullptr, matmul_accumulate},
    {"int_matmul", "gemm", 10, nullptr, nullptr, int_matmul},
    {"matmul", "gemm", 10, nullptr, nullptr, matmul},
    {"matmul_sum", "gemm", 10, nullptr, nullptr, matmul_sum},
};

}  // namespace

KernelList kernels_matmul() { return kKernels; }

}  // namespace suiren::cpu
