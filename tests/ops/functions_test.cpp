// Functions that are made of ops and are no ops themselves: the parts of a tensor, and orders by name.

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

#include "suiren/core/autograd.h"
#include "suiren/ops/ops.h"

namespace suiren {
namespace {

using Values = std::vector<double>;

Tensor numbers(const Shape& shape) {
  Values v(static_cast<size_t>(shape.numel()));
  std::iota(v.begin(), v.end(), 0);
  return Tensor::from(v, shape);
}
Tensor row(const Values& v) { return Tensor::from(v, {static_cast<int64_t>(v.size())}); }
void expect(const Tensor& t, const Shape& shape, const Values& v) {
  EXPECT_EQ(t.shape(), shape);
  EXPECT_EQ(t.to_vector<double>(), v);
}

TEST(Parts, SplitByOneSizeHasASmallerEnd) {
  const auto parts = split(numbers({2, 5}), 2, -1);
  ASSERT_EQ(parts.size(), 3u);
  expect(parts[0], {2, 2}, {0, 1, 5, 6});
  expect(parts[1], {2, 2}, {2, 3, 7, 8});
  expect(parts[2], {2, 1}, {4, 9});
  EXPECT_EQ(split(numbers({0}), 3, 0).size(), 1u);
  EXPECT_THROW(split(numbers({4}), 0, 0), Error);
}

TEST(Parts, SplitBySizesCoversTheDimension) {
  const auto parts = split(numbers({4}), {1, 0, 3}, 0);
  ASSERT_EQ(parts.size(), 3u);
  expect(parts[0], {1}, {0});
  expect(parts[1], {0}, {});
  expect(parts[2], {3}, {1, 2, 3});
  EXPECT_THROW(split(numbers({4}), {1, 2}, 0), Error);
  EXPECT_THROW(split(numbers({4}), {5, -1}, 0), Error);
}

TEST(Parts, ChunkRoundsUp) {
  const auto parts = chunk(numbers({7}), 3, 0);
  ASSERT_EQ(parts.size(), 3u);
  expect(parts[0], {3}, {0, 1, 2});
  expect(parts[2], {1}, {6});
  EXPECT_EQ(chunk(numbers({2}), 5, 0).size(), 2u);
  EXPECT_THROW(chunk(numbers({2}), 0, 0), Error);
}

TEST(Parts, StackMakesADimension) {
  expect(stack({numbers({2}), numbers({2})}, 0), {2, 2}, {0, 1, 0, 1});
  expect(stack({numbers({2}), numbers({2})}, -1), {2, 2}, {0, 0, 1, 1});
  EXPECT_THROW(stack({}, 0), Error);
  EXPECT_THROW(stack({numbers({2}), numbers({3})}, 0), Error);
}

TEST(Parts, MovedimKeepsTheOrderOfTheOthers) {
  const Tensor x = numbers({2, 3, 4});
  EXPECT_EQ(movedim(x, 0, 2).shape(), (Shape{3, 4, 2}));
  EXPECT_EQ(movedim(x, -1, 0).to_vector<double>(), permute(x, {2, 0, 1}).to_vector<double>());
}

TEST(Parts, MeshgridVariesAlongOneDimensionEach) {
  const auto grid = meshgrid({row({1, 2}), row({3, 4, 5})});
  ASSERT_EQ(grid.size(), 2u);
  expect(grid[0], {2, 3}, {1, 1, 1, 2, 2, 2});
  expect(grid[1], {2, 3}, {3, 4, 5, 3, 4, 5});
  EXPECT_THROW(meshgrid({numbers({2, 2})}), Error);
}

TEST(Parts, TileFillsTheShorterOfShapeAndRepeats) {
  expect(tile(row({1, 2}), {2, 2}), {2, 4}, {1, 2, 1, 2, 1, 2, 1, 2});
  expect(tile(numbers({2, 1}), {2}), {2, 2}, {0, 0, 1, 1});
}

TEST(Parts, DiagEmbedIsUndoneByDiagonal) {
  expect(diag_embed(row({1, 2}), 1), {3, 3}, {0, 1, 0, 0, 0, 2, 0, 0, 0});
  const Tensor x = numbers({3, 4});
  expect(diagonal(diag_embed(x, -2), -2), {3, 4}, x.to_vector<double>());
}

TEST(Parts, FlipTakesAxesInAnyOrder) {
  expect(flip(numbers({2, 3}), {-1, 0}), {2, 3}, {5, 4, 3, 2, 1, 0});
  EXPECT_THROW(flip(numbers({2, 3}), {1, -1}), Error);
}

// The gradient of the product of each of 40 lines, along dimension 1 or, stored the other way round, 0.
std::vector<Values> product_gradients(const Values& line, bool columns) {
  const auto n = static_cast<int64_t>(line.size());
  const Tensor rows = cast(broadcast_to(row(line), {40, n}), kF32);
  const Tensor x = contiguous(columns ? permute(rows, {1, 0}) : rows).set_requires_grad();
  const Tensor y = prod(x, {columns ? 0 : 1}, false);
  const Tensor dx = gradients({y}, {x}, {ones(y.shape(), kF32)})[0];
  const Values all = contiguous(cast(columns ? permute(dx, {1, 0}) : dx, kF64)).to_vector<double>();
  std::vector<Values> lines;
  for (int64_t i = 0; i < 40; ++i) lines.emplace_back(all.begin() + i * n, all.begin() + (i + 1) * n);
  return lines;
}

TEST(Products, GradientsDoNotMindHowLargeOrSmallAPartIs) {
  constexpr double kLarge = 0x1p100;
  Values x(5000, 1 / kLarge);
  std::fill_n(x.begin(), 2500, -kLarge);
  Values expected(5000, kLarge);
  std::fill_n(expected.begin(), 2500, -1 / kLarge);
  for (const bool columns : {false, true})
    for (const Values& dx : product_gradients(x, columns)) EXPECT_EQ(dx, expected) << columns;
}

TEST(Products, OneZeroHasAllOfTheGradientAndTwoHaveNone) {
  for (const bool columns : {false, true}) {
    for (const Values& dx : product_gradients({2, 0, -3, 5}, columns)) EXPECT_EQ(dx, Values({0, -30, 0, 0}));
    for (const Values& dx : product_gradients({2, 0, -3, 0}, columns)) EXPECT_EQ(dx, Values(4, 0));
  }
}

TEST(Products, GradientsBesideAnInfiniteFactor) {
  const double inf = std::numeric_limits<double>::infinity();
  for (const bool columns : {false, true})
    for (const Values& dx : product_gradients({inf, 2, -3}, columns)) EXPECT_EQ(dx, Values({-6, -inf, inf}));
}

TEST(Orders, KthvalueAndMedian) {
  const Tensor x = Tensor::from(Values{5, 1, 4, 2, 9, 7, 8, 6}, {2, 4});
  const auto [second, where] = kthvalue(x, 2);
  expect(second, {2}, {2, 7});
  EXPECT_EQ(where.to_vector<int64_t>(), (std::vector<int64_t>{3, 1}));
  expect(median(x).first, {2}, {2, 7});
  expect(median(x, 0).first, {4}, {5, 1, 4, 2});
  EXPECT_THROW(kthvalue(x, 5), Error);
  EXPECT_THROW(kthvalue(x, 0), Error);
}

TEST(Orders, BucketizeIsSearchsortedTurnedAround) {
  const Tensor edges = row({1, 3, 5}), x = row({0, 1, 2, 5, 6});
  EXPECT_EQ(bucketize(x, edges).to_vector<int64_t>(), (std::vector<int64_t>{0, 0, 1, 2, 3}));
  EXPECT_EQ(bucketize(x, edges, true).to_vector<int64_t>(), (std::vector<int64_t>{0, 1, 1, 3, 3}));
}

TEST(Orders, RandpermHoldsEveryNumberOnce) {
  const auto first = randperm(10000, 1).to_vector<int64_t>(),
             second = randperm(10000, 1, 1).to_vector<int64_t>();
  EXPECT_NE(first, second);
  std::vector<bool> seen(first.size());
  for (int64_t i : first) seen.at(static_cast<size_t>(i)) = true;
  EXPECT_EQ(std::count(seen.begin(), seen.end(), true), 10000);
}

// Frequencies of draws are near their weights: 5 standard deviations of 40,000 draws.
TEST(Orders, DrawsFollowTheirWeights) {
  const Tensor p = row({1, 0, 2, 5});
  const auto drawn = bincount(multinomial(p, 40000, true, 3), 4).to_vector<int64_t>();
  EXPECT_EQ(drawn[1], 0);
  EXPECT_NEAR(static_cast<double>(drawn[0]), 5000, 5 * 67);
  EXPECT_NEAR(static_cast<double>(drawn[2]), 10000, 5 * 87);
  const auto without = multinomial(broadcast_to(p, {40000, 4}), 1, false, 4);
  const auto first = bincount(without, 4).to_vector<int64_t>();
  EXPECT_EQ(first[1], 0);
  EXPECT_NEAR(static_cast<double>(first[0]), 5000, 5 * 67);
  EXPECT_NEAR(mean(bernoulli(full({40000}, 0.3, kF64), 5)).item(), 0.3, 5 * 0.0023);
  EXPECT_NEAR(mean(exponential({40000}, 2, 5, 0, kF64)).item(), 0.5, 5 * 0.0025);
}

}  // namespace
}  // namespace suiren
