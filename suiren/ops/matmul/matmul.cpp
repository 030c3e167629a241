#include "suiren/ops/matmul/matmul.h"

#include <algorithm>

#include "suiren/core/dispatch.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/common.h"
#include "suiren/ops/quantized_linear/quantized_linear.h"
#include "suiren/ops/reduce/reduce.h"
#include "suiren/ops/view/view.h"

namespace suiren {
namespace {

Shape batch_of(const Shape& s) { return Shape(std::span<const int64_t>(s.data(), size_t(s.rank() - 2))); }

void check_operands(const TensorSpec& a, const TensorSpec& b, DTypes dtypes = kFloating) {
  check_dtype(dtypes, "a", a);
  check_same_dtype("b", b, "a", a);
  SR_CHECK_AS(kShape, a.rank() >= 2 && b.rank() >= 2,
              "a has shape {} and b {}: both need at least 2 dimensions", a.shape, b.shape);
  SR_CHECK_AS(kShape, a.dim(-1) == b.dim(-2),
              "a has shape {} and b {}: the last dimension of a must equal the second to last of b", a.shape,
              b.shape);
}

Shape product_shape(const TensorSpec& a, const TensorSpec& b) {
  for (int i = 3; i <= std::min(a.rank(), b.rank()); ++i)
    SR_CHECK_AS(kShape, a.dim(-i) == b.dim(-i) || a.dim(-i) == 1 || b.dim(-i) == 1,
                "a has shape {} and b {}: the batch dimensions {} and {} do not broadcast", a.shape, b.shape,
                a.dim(-i), b.dim(-i));
  Shape shape = broadcast(batch_of(a.shape), batch_of(b.shape));
  shape.push_back(a.dim(-2));
  shape.push_back(b.dim(-1));
  return shape;
}

// Where the matrix of `operand` begins that belongs to matrix `index` of the broadcast batch.
int64_t matrix_start(const Shape& operand, const Shape& batch, int64_t index) {
  const Shape own = batch_of(operand);
  int64_t start = 0, step = operand.dim(-1) * operand.dim(-2);
  for (int i = batch.rank() - 1; i >= 0; --i) {
    const int64_t coordinate = index % batch[i];
    index /= batch[i];
    const int j = i - (batch.rank() - own.rank());
    if (j < 0) continue;
    if (own[j] != 1) start += coordinate * step;
    step *= own[j];
  }
  return start;
}

struct MatMul {
  static constexpr OpName name = "matmul";
  static constexpr const char* doc = "y[..., m, n] = sum over k of a[..., m, k] * b[..., k, n]";
  using Attrs = NoAttrs;
  static constexpr auto fields = std::tuple{};
  static constexpr DTypes dtypes = kFloating;
  static Specs infer(const Attrs&, const TensorSpec& a, const TensorSpec& b) {
    check_operands(a, b);
    return {{a.dtype, product_shape(a, b), a.device}};
  }
  static void reference(const Attrs&, std::span<const HostArray> in, std::span<HostArray> out) {
    const HostArray &a = in[0], &b = in[1];
    HostArray& y = out[0];
    const int64_t M = a.dim(-2), K = a.dim(-1), N = b.dim(-1);
    const Shape batch = batch_of(y.shape);
    for (int64_t i = 0; i < batch.numel(); ++i) {
      const int64_t a0 = matrix_start(a.shape, batch, i), b0 = matrix_start(b.shape, batch, i);
      for (int64_t m = 0; m < M; ++m)
        for (int64_t n = 0; n < N; ++n) {
          Wide sum = 0;
          for (int64_t k = 0; k < K; ++k) sum += a[a0 + m * K + k] * b[b0 + k * N + n];
          y[(i * M + m) * N + n] = sum;
        }
    }
  }
  static Grads vjp(const Attrs&, const Vjp& c) {
    const Tensor a = c.in(0), b = c.in(1), &g = c.grad();
    Tensor da, db;
    if (c.needs(0)) da = sum_to(matmul(g, transpose(b)), a.shape());
    if (c.needs(1) && b.rank() == 2 && a.rank() > 2)
      db = weight_gradient(a, b, g, c.sum(1));
    else if (c.needs(1))
      db = sum_to(matmul(transpose(a), g), b.shape());
    return {da, db};
  }
  // Of b, which all matrices of a share: added to `sum` where that is possible, and then undefined. The
  // gradient of a transposed view is made transposed too, so that the weight's own comes out row-major.
  static Tensor weight_gradient(const Tensor& a, const Tensor& b, const Tensor& g, Tensor sum) {
    const int64_t count = batch_of(a.shape()).numel(), M = a.dim(-2);
    const Tensor x = reshape(a, {count, M, a.dim(-1)}), y = reshape(g, {count, M, g.dim(-1)});
    const bool transposed = b.strides()[0] == 1;
    const Tensor left = transpose(transposed ? y : x), right = transposed ? x : y;
    if (sum.defined() && transposed) sum = transpose(sum);
    if (sum.defined() && sum.is_contiguous()) return matmul_accumulate(sum, left, right), Tensor();
    const Tensor db = matmul_sum(left, right);
    return transposed ? transpose(db) : db;
  }
  static Samples samples() {
    const Attrs a;
    return {
        sample(a, {real({3, 5}), real({5, 4})}),
        sample(a, {real({1, 1}), real({1, 1})}),
        sample(a, {real({33, 70}), real({70, 17})}),
        sample(a, {real({1, 300}), real({300, 9})}),  // one row, more than one block of k
        sample(a, {real({2, 3, 5}), real({5, 4})}),
        sample(a, {real({2, 3, 5}), real({2, 5, 4})}),
        sample(a, {real({2, 1, 3, 5}), real({3, 5, 2})}),
        sample(a, {real({3, 5}), real({2, 5, 2})}),
        sample(a, {real({0, 5}), real({5, 4})}),
        sample(a, {real({3, 0}), real({0, 4})}),
        sample(a, {real({0, 3, 5}), real({5, 4})}),
        bad(a, {real({2, 3}), real({4, 5})},
            "a has shape [2, 3] and b [4, 5]: the last dimension of a must equal the second to last of b"),
        bad(a, {real({3}), real({3, 2})}, "a has shape [3] and b [3, 2]: both need at least 2 dimensions"),
        bad(a, {index({2, 3}, 0, 4), index({3, 2}, 0, 4)}, "a is i64, expected a floating type"),
        bad(a, {real({2, 4, 3}), real({3, 3, 5})},
            "a has shape [2, 4, 3] and b [3, 3, 5]: the batch dimensions 2 and 3 do not broadcast")};
  }
};

struct MatMulSum {
  static constexpr OpName name = "matmul_sum";
  static constexpr const char* doc = "y = sum over i of a[i] @ b[i], added for ascending i";
  using Attrs = NoAttrs;
  static constexpr auto fields = std::tuple{};
  static constexpr DTypes dtypes = kFloating;
  static Specs infer(const Attrs&, const TensorSpec& a, const TensorSpec& b) {
    check_operands(a, b);
    SR_CHECK_AS(kShape, a.rank() == 3 && b.rank() == 3 && a.dim(0) == b.dim(0),
                "a has shape {} and b {}: expected [B, M, K] and [B, K, N]", a.shape, b.shape);
    return {{a.dtype, {a.dim(1), b.dim(2)}, a.device}};
  }
  static void reference(const Attrs&, std::span<const HostArray> in, std::span<HostArray> out) {
    const HostArray &a = in[0], &b = in[1];
    HostArray& y = out[0];
    const int64_t B = a.dim(0), M = a.dim(1), K = a.dim(2), N = b.dim(2);
    for (int64_t i = 0; i < B; ++i)
      for (int64_t m = 0; m < M; ++m)
        for (int64_t n = 0; n < N; ++n) {
          Wide sum = 0;
          for (int64_t k = 0; k < K; ++k) sum += a[(i * M + m) * K + k] * b[(i * K + k) * N + n];
          y[m * N + n] += sum;
        }
  }
  static Grads vjp(const Attrs&, const Vjp& c) {
    return {c.needs(0) ? matmul(c.grad(), transpose(c.in(1))) : Tensor(),
            c.needs(1) ? matmul(transpose(c.in(0)), c.grad()) : Tensor()};
  }
  static Samples samples() {
    const Attrs a;
    return {sample(a, {real({2, 3, 5}), real({2, 5, 4})}),
            sample(a, {real({1, 1, 1}), real({1, 1, 1})}),
            sample(a, {real({3, 20, 33}), real({3, 33, 18})}),
            sample(a, {real({0, 3, 5}), real({0, 5, 4})}),
            sample(a, {real({2, 3, 0}), real({2, 0, 4})}),
            bad(a, {real({2, 3, 5}), real({3, 5, 4})},
                "a has shape [2, 3, 5] and b [3, 5, 4]: expected [B, M, K] and [B, K, N]")};
  }
};

struct MatMulAccumulate {
  static constexpr OpName name = "matmul_accumulate";
  static constexpr const char* doc =
      "sum = sum + a[i] @ b[i] for ascending i, in place; a and b may be bf16 or f16 beside f32";
  using Attrs = NoAttrs;
  static constexpr auto fields = std::tuple{};
  static constexpr DTypes dtypes{1 << kF64.id() | 1 << kF32.id()};  // of the sum
  static constexpr uint32_t mutates = 1;
  static constexpr const char* no_gradient = "it writes in place";
  static Specs infer(const Attrs&, const TensorSpec& sum, const TensorSpec& a, const TensorSpec& b) {
    check_dtype(dtypes, "sum", sum);
    MatMulSum::infer({}, a, b);
    const bool widens = sum.dtype == kF32 && (a.dtype == kBF16 || a.dtype == kF16);
    if (!widens) check_same_dtype("sum", sum, "a", a);
    SR_CHECK_AS(kShape, sum.shape == (Shape{a.dim(1), b.dim(2)}),
                "sum has shape {}, the products of a and b have [{}, {}]", sum.shape, a.dim(1), b.dim(2));
    return {};
  }
  static Tensor decompose(const Attrs&, const Tensor& sum, const Tensor& a, const Tensor& b) {
    return sum + cast(matmul_sum(a, b), sum.dtype());
  }
  static Samples samples() {
    const Attrs a;
    return {sample(a, {real({5, 4}), real({1, 5, 3}), real({1, 3, 4})}),
            sample(a, {real({1, 1}), real({1, 1, 1}), real({1, 1, 1})}),
            sample(a, {real({3, 4}), real({2, 3, 5}), real({2, 5, 4})}),
            sample(a, {real({9, 34}), real({1, 9, 300}), real({1, 300, 34})}),  // over one block of k
            sample(a, {real({3, 4}), real({0, 3, 5}), real({0, 5, 4})}),
            sample(a, {real({0, 4}), real({1, 0, 5}), real({1, 5, 4})}),
            bad(a, {real({3, 3}), real({2, 3, 5}), real({2, 5, 4})},
                "sum has shape [3, 3], the products of a and b have [3, 4]"),
            bad(a, {real({3, 4}), real({2, 3, 5}), real({3, 5, 4})},
                "a has shape [2, 3, 5] and b [3, 5, 4]: expected [B, M, K] and [B, K, N]")};
  }
};

struct IntMatMul {
  static constexpr OpName name = "int_matmul";
  static constexpr const char* doc =
      "y[..., m, n] = sum over k of a[..., m, k] * b[..., k, n], exact, in i32";
  using Attrs = NoAttrs;
  static constexpr auto fields = std::tuple{};
  static constexpr DTypes dtypes{1 << kI8.id()};
  static constexpr const char* no_gradient = "integers have none";
  static constexpr int64_t kLongest = INT32_MAX / (128 * 128);
  static Specs infer(const Attrs&, const TensorSpec& a, const TensorSpec& b) {
    check_operands(a, b, dtypes);
    SR_CHECK_AS(kShape, a.dim(-1) <= kLongest, "a has shape {}: a sum of more than {} products may leave i32",
                a.shape, kLongest);
    return {{kI32, product_shape(a, b), a.device}};
  }
  static Tensor decompose(const Attrs&, const Tensor& a, const Tensor& b) {
    return cast(matmul(cast(a, kF64), cast(b, kF64)), kI32);
  }
  static Samples samples() {
    const NoAttrs a;
    const auto x = [](Shape s) { return real(s, -128, 127); };
    return {
        sample(a, {x({3, 5}), x({5, 4})}),
        sample(a, {x({1, 1}), x({1, 1})}),
        sample(a, {x({33, 70}), x({70, 17})}),
        sample(a, {x({1, 300}), x({300, 9})}),
        sample(a, {x({2, 3, 5}), x({5, 4})}),
        sample(a, {x({2, 1, 3, 5}), x({3, 5, 2})}),
        sample(a, {x({0, 5}), x({5, 4})}),
        sample(a, {x({3, 0}), x({0, 4})}),
        bad(a, {x({2, 3}), x({4, 5})},
            "a has shape [2, 3] and b [4, 5]: the last dimension of a must equal the second to last of b"),
        bad(a, {x({0, 131072}), x({131072, 0})},
            "a has shape [0, 131072]: a sum of more than 131071 products may leave i32")};
  }
};

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b) { return dispatch<MatMul>({}, a, b); }
Tensor matmul_sum(const Tensor& a, const Tensor& b) { return dispatch<MatMulSum>({}, a, b); }
void matmul_accumulate(const Tensor& sum, const Tensor& a, const Tensor& b) {
  dispatch_all<MatMulAccumulate>({}, sum, a, b);
}
Tensor int_matmul(const Tensor& a, const Tensor& b) { return dispatch<IntMatMul>({}, a, b); }

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  SR_CHECK_AS(kShape, weight.rank() == 2 && x.rank() >= 1 && x.dim(-1) == weight.dim(1),
              "linear: x has shape {} and weight {}, expected [..., K] and [N, K]", x.shape(),
              weight.shape());
  const Tensor rows = x.rank() == 1 ? unsqueeze(x, 0) : x;
  Tensor y = weight.dtype().is_block() ? quantized_linear(rows, weight) : matmul(rows, transpose(weight));
  if (bias.defined()) y = y + bias;
  return x.rank() == 1 ? squeeze(y, 0) : y;
}

OpList ops_matmul() {
  return {&op_info<MatMul>(), &op_info<MatMulSum>(), &op_info<MatMulAccumulate>(), &op_info<IntMatMul>()};
}

}  // namespace suiren
