// Systems that want pivoting, of sizes around the block of the kernels, and what they say when there is no
// answer.

#include "suiren/ops/linalg/linalg.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "suiren/core/op.h"
#include "suiren/ops/matmul/matmul.h"
#include "suiren/ops/random/random.h"
#include "suiren/ops/view/view.h"

namespace suiren {
namespace {

constexpr int64_t kSizes[] = {1, 2, 7, 31, 32, 33, 64, 100, 161};

double largest_difference(const Tensor& a, const Tensor& b) {
  const HostArray x = to_host_array(a), y = to_host_array(b);
  double most = 0;
  for (int64_t i = 0; i < x.numel(); ++i) most = std::max(most, static_cast<double>(std::fabs(x[i] - y[i])));
  return most;
}

Tensor random_matrices(const Shape& shape, DType dtype, uint64_t stream) {
  return normal(shape, 0, 1, 17, stream, dtype);
}

// Nothing favours the diagonal here: without the exchange of rows the residuals grow by orders of magnitude.
TEST(Linalg, SolvesSystemsThatWantPivoting) {
  for (DType d : {kF32, kF64})
    for (int64_t n : kSizes) {
      SCOPED_TRACE(fmt::format("{} x {} {}", n, n, d));
      const Tensor a = random_matrices({2, n, n}, d, 1), b = random_matrices({2, n, 3}, d, 2);
      const double size = std::sqrt(static_cast<double>(n)) * (d == kF32 ? 2e-4 : 4e-13);
      EXPECT_LT(largest_difference(matmul(a, solve(a, b)), b), size);
    }
}

TEST(Linalg, CholeskyOfAProductGivesItBack) {
  for (DType d : {kF32, kF64})
    for (int64_t n : kSizes) {
      SCOPED_TRACE(fmt::format("{} x {} {}", n, n, d));
      const Tensor root = random_matrices({3, n, n}, d, 3), x = matmul(root, transpose(root));
      const Tensor y = cholesky(x, 1);
      HostArray want = to_host_array(x);
      for (int64_t i = 0; i < want.numel(); ++i)
        if (i % (n * n) % (n + 1) == 0) want[i] += 1;
      EXPECT_LT(largest_difference(matmul(y, transpose(y)), from_host_array(want, Device())),
                static_cast<double>(n) * (d == kF32 ? 3e-6 : 1e-14));
    }
}

// |det| of a triangular matrix, its rows reversed, is the product of its diagonal; reversing n rows has the
// sign (-1)^(n (n - 1) / 2).
TEST(Linalg, TheDeterminantHasTheSignOfThePermutation) {
  for (int64_t n : {1, 2, 3, 4, 5, 34, 35}) {
    HostArray x{kF64, {n, n}, std::vector<Wide>(static_cast<size_t>(n * n))};
    Wide product = n * (n - 1) / 2 % 2 ? -1 : 1;
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j <= i; ++j) {
        const Wide value =
            i == j ? 0.5L + 0.125L * static_cast<Wide>(i % 9) : 0.01L * static_cast<Wide>(i - j);
        x[(n - 1 - i) * n + j] = value;
        if (i == j) product *= value;
      }
    const Tensor t = from_host_array(x, Device());
    const double want = static_cast<double>(product);
    EXPECT_NEAR(det(t).item(), want, 1e-12 * std::fabs(want)) << n;
    const std::vector<Tensor> parts = slogdet(t);
    EXPECT_EQ(parts[0].item(), want < 0 ? -1 : 1) << n;
    EXPECT_NEAR(parts[1].item(), std::log(std::fabs(want)), 1e-12 * static_cast<double>(n)) << n;
  }
}

TEST(Linalg, SingularMatricesAreSaid) {
  const auto message = [](const std::function<void()>& f) -> std::string {
    try {
      f();
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kInvalid);
      return e.what();
    }
    return "no error";
  };
  const auto expect = [&](const std::function<void()>& f, const char* text) {
    const std::string said = message(f);
    EXPECT_NE(said.find(text), std::string::npos) << said;
  };
  HostArray x{kF32, {2, 3, 3}, std::vector<Wide>(18)};
  for (int64_t i = 0; i < 9; ++i) x[i] = i % 4 == 0 ? 2 : 0.5L;      // regular
  for (int64_t i = 9; i < 18; ++i) x[i] = static_cast<Wide>(i / 3);  // equal columns
  const Tensor a = from_host_array(x, Device()), b = random_matrices({2, 3, 1}, kF32, 4);
  expect([&] { solve(a, b); }, "a is singular: matrix 1 has no inverse");
  expect([&] { inverse(a); }, "a is singular: matrix 1 has no inverse");
  EXPECT_EQ(to_host_array(det(a))[1], 0);
  EXPECT_EQ(to_host_array(slogdet(a)[0])[1], 0);
  EXPECT_EQ(to_host_array(slogdet(a)[1])[1], -HUGE_VALL);
  x[4] = 0;
  const Tensor hole = from_host_array(x, Device());
  expect([&] { triangular_solve(hole, b); }, "a is singular: element (1, 1) is 0");
  expect([&] { cholesky(hole); }, "x is not positive definite: its leading minor of order 2 is not positive");
}

TEST(Linalg, BatchesBroadcastAndVectorsAreColumns) {
  const Tensor a = random_matrices({4, 4}, kF64, 5), b = random_matrices({3, 4, 2}, kF64, 6);
  EXPECT_LT(largest_difference(matmul(a, solve(a, b)), b), 1e-12);
  const Tensor v = random_matrices({4}, kF64, 7), x = solve(a, v);
  EXPECT_EQ(x.shape(), Shape{4});
  EXPECT_LT(largest_difference(matmul(a, unsqueeze(x, 1)), unsqueeze(v, 1)), 1e-12);
}

}  // namespace
}  // namespace suiren
