// einsum and its kin against loops over all letters, written without a tensor library.

#include "suiren/ops/einsum/einsum.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>

#include "suiren/core/autograd.h"
#include "suiren/core/op.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/random/random.h"
#include "suiren/ops/reduce/reduce.h"

namespace suiren {
namespace {

const std::map<char, int64_t> kExtents{{'b', 3}, {'h', 2}, {'i', 4}, {'j', 5}, {'k', 6}, {'l', 7}};

Tensor operand(const std::string& letters, uint64_t stream) {
  Shape shape;
  for (char c : letters) shape.push_back(kExtents.at(c));
  return normal(shape, 0, 1, 3, stream, kF64);
}

// One loop for each letter; the result is row-major over the letters of `output`.
std::vector<Wide> by_loops(const std::vector<std::string>& inputs, const std::string& output,
                           const Tensors& operands) {
  std::vector<HostArray> x;
  for (const Tensor& t : operands) x.push_back(to_host_array(t));
  std::map<char, int64_t> at;
  for (const std::string& s : inputs)
    for (char c : s) at[c] = 0;
  const auto place = [&](const std::string& letters) {
    int64_t index = 0;
    for (char c : letters) index = index * kExtents.at(c) + at[c];
    return index;
  };
  int64_t size = 1;
  for (char c : output) size *= kExtents.at(c);
  std::vector<Wide> y(static_cast<size_t>(size));
  std::function<void(std::map<char, int64_t>::iterator)> walk = [&](auto letter) {
    if (letter == at.end()) {
      Wide product = 1;
      for (size_t i = 0; i < x.size(); ++i) product *= x[i][place(inputs[i])];
      y[static_cast<size_t>(place(output))] += product;
      return;
    }
    for (letter->second = 0; letter->second < kExtents.at(letter->first); ++letter->second)
      walk(std::next(letter));
    letter->second = 0;
  };
  walk(at.begin());
  return y;
}

void expect_equal(const Tensor& got, const std::vector<Wide>& want) {
  const HostArray y = to_host_array(got);
  ASSERT_EQ(y.v.size(), want.size());
  for (size_t i = 0; i < want.size(); ++i)
    ASSERT_NEAR(static_cast<double>(y.v[i]), static_cast<double>(want[i]), 1e-11) << "element " << i;
}

TEST(Einsum, EqualsLoopsOverAllLetters) {
  const struct {
    std::vector<std::string> inputs;
    std::string output;
  } cases[] = {{{"bij", "bjk"}, "bik"},
               {{"ij", "jk"}, "ki"},
               {{"ij"}, "ji"},
               {{"ij"}, ""},
               {{"bij"}, "j"},
               {{"ii"}, "i"},
               {{"iji"}, "j"},
               {{"ii"}, ""},
               {{"i", "j"}, "ij"},
               {{"bhik", "bhjk"}, "bhij"},
               {{"bi", "ijk", "bk"}, "bj"},
               {{"bi", "bi"}, "b"},
               {{"bij", "k"}, "bk"},
               {{"ij", "jk", "kl"}, "il"},
               {{"ijk", "kji"}, ""},
               {{"bij", "ij"}, "bij"}};
  for (const auto& c : cases) {
    std::string equation;
    Tensors operands;
    for (const std::string& s : c.inputs) {
      equation += (operands.empty() ? "" : ",") + s;
      operands.push_back(operand(s, operands.size() + 1));
    }
    equation += "->" + c.output;
    SCOPED_TRACE(equation);
    const Tensor y = einsum(equation, operands);
    EXPECT_EQ(static_cast<size_t>(y.rank()), c.output.size());
    expect_equal(y, by_loops(c.inputs, c.output, operands));
  }
}

TEST(Einsum, WithoutAnArrowTheResultNamesWhatStandsOnce) {
  const Tensor a = operand("kj", 1), b = operand("ji", 2);
  expect_equal(einsum("kj, ji", {a, b}), by_loops({"kj", "ji"}, "ik", {a, b}));
}

// d(sum of y w) / da is another einsum.
TEST(Einsum, HasTheGradientOfItsParts) {
  Tensor a = operand("bij", 1), b = operand("bjk", 2);
  a.set_requires_grad();
  const Tensor w = operand("bki", 3);
  const Tensor g = gradients(sum(einsum("bij,bjk->bki", {a, b}) * w), {a})[0];
  expect_equal(g, by_loops({"bki", "bjk"}, "bij", {w, b}));
}

TEST(Einsum, RefusesWhatHasNoMeaning) {
  const Tensor a = operand("ij", 1), b = operand("jk", 2);
  const struct {
    const char *equation, *error;
  } cases[] = {{"ij,jk,kl->il", "names 3 operands, got 2"},
               {"ijk,jk->i", "operand 0 has shape [4, 5], \"ijk\" names 3"},
               {"ij,ik->j", "'i' is 4 and, in operand 1, 5"},
               {"ij,jk->il", "asks for 'l', which no operand names"},
               {"ij,jk->ii", "names 'i' twice in the result"},
               {"i.,jk->ik", "'.' in \"i.,jk->ik\" is no letter"}};
  for (const auto& c : cases) try {
      einsum(c.equation, {a, b});
      ADD_FAILURE() << c.equation << " was accepted";
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find(c.error), std::string::npos) << e.what();
    }
}

TEST(Einsum, OuterTensordotAndKron) {
  const Tensor u = operand("i", 1), v = operand("j", 2);
  expect_equal(outer(u, v), by_loops({"i", "j"}, "ij", {u, v}));
  const Tensor a = operand("bij", 3), b = operand("ijk", 4);
  expect_equal(tensordot(a, b), by_loops({"bij", "ijk"}, "bk", {a, b}));
  const Tensor m = operand("bh", 5), n = operand("ij", 6), y = kron(m, n);
  ASSERT_EQ(y.shape(), (Shape{3 * 4, 2 * 5}));
  expect_equal(y, by_loops({"bh", "ij"}, "bihj", {m, n}));  // blocks: row (b, i), column (h, j)
}

}  // namespace
}  // namespace suiren
