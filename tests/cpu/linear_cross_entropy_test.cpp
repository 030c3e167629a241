// The head of a language model in chunks against its parts in f64; sums over chunks, bf16, limits.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "backends/cpu/linear_cross_entropy.h"
#include "suiren/base/threads.h"
#include "suiren/core/autograd.h"
#include "suiren/core/dispatch.h"
#include "suiren/ops/ops.h"

namespace suiren {
namespace {

// 150 rows are two whole chunks of 64 and a part of one.
constexpr int64_t kRows = 150, kClasses = 40007, kWidth = 12;

struct Problem {
  Tensor x, weight, targets, g, sum;
  explicit Problem(int64_t rows = kRows, int64_t classes = kClasses, int64_t width = kWidth)
      : x(uniform({rows, width}, -2, 2, 3, 1)),
        weight(uniform({classes, width}, -2, 2, 3, 2)),
        targets(cast(uniform({rows}, 0, static_cast<double>(classes), 3, 3), kI64)),
        g(uniform({rows}, -1, 1, 3, 4)),
        sum(uniform({classes, width}, -1, 1, 3, 5)) {}
};

double largest(const Tensor& t) { return max(abs(cast(t, kF64))).item(); }
// The largest difference, beside the largest value.
double distance(const Tensor& got, const Tensor& want) {
  return largest(cast(got, kF64) - cast(want, kF64)) / largest(want);
}
// {loss, dx, dweight} in f64, of the parts.
Tensors exact(const Problem& p) {
  return linear_cross_entropy_gradients(cast(p.x, kF64), cast(p.weight, kF64), p.targets, cast(p.g, kF64));
}

TEST(LinearCrossEntropy, ChunksHaveTheLossAndGradientsOfTheWhole) {
  ASSERT_EQ(cpu::cross_entropy_chunk(kClasses), 64);
  const Problem p;
  const Tensors want = exact(p), got = linear_cross_entropy_gradients(p.x, p.weight, p.targets, p.g);
  EXPECT_LT(distance(linear_cross_entropy(p.x, p.weight, p.targets), want[0]), 1e-6);
  for (size_t i = 0; i < 3; ++i) EXPECT_LT(distance(got[i], want[i]), 2e-6) << i;
  const Tensor sum = copy(p.sum);
  const Tensors rest = linear_cross_entropy_accumulate(sum, p.x, p.weight, p.targets, p.g);
  EXPECT_LT(distance(sum, cast(p.sum, kF64) + want[2]), 2e-6);
  for (size_t i = 0; i < 2; ++i) EXPECT_EQ(rest[i].to_bytes(), got[i].to_bytes()) << i;
}

// One chunk: the product is whole before it is added, so that two sequences after each other have the bits of
// gradients that are added up.
TEST(LinearCrossEntropy, AChunkIsAddedToTheSumAsAWhole) {
  const Problem p(300, 1003, 40);  // more rows than a block of the product's sum
  ASSERT_GT(cpu::cross_entropy_chunk(1003), 300);
  const Tensor sum = copy(p.sum), want = copy(p.sum);
  linear_cross_entropy_accumulate(sum, p.x, p.weight, p.targets, p.g);
  accumulate(want, linear_cross_entropy_gradients(p.x, p.weight, p.targets, p.g)[2]);
  EXPECT_EQ(sum.to_bytes(), want.to_bytes());
}

// Logits and sums stay f32: what is lost is lost in the gradient of the logits and in the results.
TEST(LinearCrossEntropy, OfBf16RoundsNoLogits) {
  for (const Problem& p : {Problem(), Problem(70, 300, 33)}) {
    Problem narrow = p;
    narrow.x = cast(p.x, kBF16), narrow.weight = cast(p.weight, kBF16);
    const Tensors want = exact(narrow);
    const Tensors got = linear_cross_entropy_gradients(narrow.x, narrow.weight, p.targets, p.g);
    EXPECT_EQ(got[0].dtype(), kF32);
    EXPECT_EQ(got[2].dtype(), kBF16);
    EXPECT_LT(distance(linear_cross_entropy(narrow.x, narrow.weight, p.targets), want[0]), 1e-6);
    EXPECT_LT(distance(got[0], want[0]), 1e-6);
    for (size_t i = 1; i < 3; ++i) EXPECT_LT(distance(got[i], want[i]), 1.0 / 256) << i;
    const Tensor sum = copy(p.sum);
    linear_cross_entropy_accumulate(sum, narrow.x, narrow.weight, p.targets, p.g);
    EXPECT_LT(distance(sum, cast(p.sum, kF64) + want[2]), 1.0 / 256);
  }
}

TEST(LinearCrossEntropy, BitsAreThoseOfAnyThreadsAndOfAWeightKeptPacked) {
  const int before = thread_count();
  for (const DType dtype : {kF32, kBF16}) {
    const Problem p;
    const Tensor x = cast(p.x, dtype), weight = cast(p.weight, dtype);
    std::vector<std::vector<uint8_t>> want;
    for (const int threads : {1, 2, 3, 8}) {
      set_thread_count(threads);
      for (const bool stable : {false, true}) {
        weight.storage()->set_stable(stable);
        const Tensor sum = copy(p.sum);
        Tensors all = linear_cross_entropy_gradients(x, weight, p.targets, p.g);
        for (const Tensor& t : linear_cross_entropy_accumulate(sum, x, weight, p.targets, p.g))
          all.push_back(t);
        all.push_back(sum);
        all.push_back(linear_cross_entropy(x, weight, p.targets));
        std::vector<std::vector<uint8_t>> got;
        for (const Tensor& t : all) got.push_back(t.to_bytes());
        if (want.empty()) want = got;
        EXPECT_TRUE(got == want) << dtype << ", " << threads << " threads, packed " << stable;
      }
    }
  }
  set_thread_count(before);
}

// As the parts do: an infinite logit is an infinite loss, one of -infinity takes no part, NaN spreads.
TEST(LinearCrossEntropy, LimitsAreThoseOfItsParts) {
  const float inf = std::numeric_limits<float>::infinity();
  for (const float edge : {inf, -inf, std::numeric_limits<float>::quiet_NaN(), 3e38f}) {
    Problem p(3, 37, 1);
    const Tensor large = full({1, 1}, edge, kF32);
    const Tensor x = full({3, 1}, 1, kF32), weight = concat({large, slice(p.weight, 0, 1, 37)}, 0);
    const Tensor targets = Tensor::from(std::vector<int64_t>{0, 5, 36}, {3});
    const Tensors got = linear_cross_entropy_gradients(x, weight, targets, p.g);
    const Tensor z = linear(x, weight);
    const Tensors rows = cross_entropy_with_lse(z, targets);
    const Tensor d = cross_entropy_backward(z, targets, rows[1], p.g, zeros({3}));
    const std::vector<float> loss = got[0].to_vector<float>(), want = rows[0].to_vector<float>();
    const std::vector<float> dw = got[2].to_vector<float>(),
                             want_dw = matmul(transpose(d), x).to_vector<float>();
    const auto alike = [](float a, float b) {
      return (std::isnan(a) && std::isnan(b)) || a == b || std::abs(a - b) < 1e-5f;
    };
    for (size_t i = 0; i < loss.size(); ++i) EXPECT_TRUE(alike(loss[i], want[i])) << edge << " row " << i;
    for (size_t i = 0; i < dw.size(); ++i) EXPECT_TRUE(alike(dw[i], want_dw[i])) << edge << " class " << i;
  }
}

TEST(LinearCrossEntropy, NamesATargetOutOfRange) {
  const Problem p(3, 7, 2);
  for (const int64_t wrong : {int64_t{-1}, int64_t{7}}) {
    const Tensor targets = Tensor::from(std::vector<int64_t>{0, wrong, 6}, {3});
    try {
      linear_cross_entropy(p.x, p.weight, targets);
      ADD_FAILURE() << wrong;
    } catch (const Error& e) {
      EXPECT_EQ(e.message(), fmt::format("target {} of row 1 is out of range for 7 classes", wrong));
      EXPECT_EQ(e.op(), "linear_cross_entropy");
    }
  }
}

}  // namespace
}  // namespace suiren
