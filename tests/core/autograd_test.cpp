#include "suiren/core/autograd.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <thread>

#include "suiren/core/dispatch.h"
#include "suiren/core/host_array.h"
#include "suiren/ops/accumulate/accumulate.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/copy/copy.h"
#include "suiren/ops/matmul/matmul.h"
#include "suiren/ops/norms/norms.h"
#include "suiren/ops/reduce/reduce.h"
#include "suiren/ops/rms_norm/rms_norm.h"
#include "suiren/ops/unary/unary.h"
#include "suiren/ops/view/view.h"

namespace suiren {
namespace {

Tensor leaf(const std::vector<double>& v, const Shape& shape) {
  Tensor t = Tensor::from(v, shape);
  return t.set_requires_grad();
}
Tensor leaf(double v) { return leaf({v}, {}); }

std::string error_of(const std::function<void()>& f, ErrorCode code) {
  try {
    f();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), code) << e.what();
    return e.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

bool says(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(Gradients, OfAPolynomialToFourthOrder) {
  const Tensor x = leaf(1.5);
  Tensor y = x * x * x * x;
  const double expected[] = {4 * std::pow(1.5, 3), 12 * std::pow(1.5, 2), 24 * 1.5, 24};
  for (double want : expected) {
    y = gradients(y, {x}, {.create_graph = true})[0];
    EXPECT_DOUBLE_EQ(y.item(), want);
  }
  EXPECT_DOUBLE_EQ(gradients(y, {x})[0].item(), 0);
}

TEST(Gradients, OfSine) {  // every derivative of sin is +-sin or +-cos
  const Tensor x = leaf(0.7);
  Tensor y = sin(x);
  const double expected[] = {std::cos(0.7), -std::sin(0.7), -std::cos(0.7), std::sin(0.7)};
  for (double want : expected) {
    y = gradients(y, {x}, {.create_graph = true})[0];
    EXPECT_NEAR(y.item(), want, 1e-14);
  }
}

TEST(Gradients, MixedSecondOrder) {
  const Tensor x = leaf(2), y = leaf(3);
  const Tensor f = x * x * y * y * y;
  const Tensors g = gradients(f, {x, y}, {.create_graph = true});
  EXPECT_DOUBLE_EQ(g[0].item(), 2 * 2 * 27);
  EXPECT_DOUBLE_EQ(g[1].item(), 4 * 3 * 9);
  EXPECT_DOUBLE_EQ(gradients(g[0], {y}, {.create_graph = true})[0].item(), 2 * 2 * 3 * 9);
  EXPECT_DOUBLE_EQ(gradients(g[1], {x})[0].item(), 2 * 2 * 3 * 9);
}

TEST(Gradients, MeetInADiamond) {
  const Tensor x = leaf({1, 2, 3}, {3});
  const Tensor a = x * 2.0, b = x * x, y = sum(a * b + a - b * b);  // 2x^3 + 2x - x^4
  const auto g = gradients(y, {x})[0].to_vector<double>();
  for (int i = 0; i < 3; ++i) {
    const double v = i + 1;
    EXPECT_DOUBLE_EQ(g[static_cast<size_t>(i)], 6 * v * v + 2 - 4 * v * v * v);
  }
}

TEST(Gradients, WithRespectToWhatIsNoLeaf) {
  const Tensor x = leaf({1, 2}, {2}), h = x * x, y = sum(h * h * h);
  const Tensors g = gradients(y, {h, x});
  EXPECT_EQ(g[0].to_vector<double>(), (std::vector<double>{3, 48}));
  EXPECT_EQ(g[1].to_vector<double>(), (std::vector<double>{6, 192}));
}

TEST(Gradients, OfOneInputNamedTwiceAndOfTheOutputItself) {
  const Tensor x = leaf(3);
  const Tensor y = x * x;
  const Tensors g = gradients(y, {x, x, y});
  EXPECT_EQ(g[0].item(), 6);
  EXPECT_EQ(g[1].item(), 6);
  EXPECT_EQ(g[2].item(), 1);
}

TEST(Gradients, AreZeroWhereNothingDepends) {
  const Tensor x = leaf(3), other = leaf({1, 2}, {2});
  EXPECT_EQ(gradients(x * x, {other})[0].to_vector<double>(), (std::vector<double>{0, 0}));
}

TEST(Gradients, OfSeveralOutputsAddUp) {
  const Tensor x = leaf({1, 2}, {2});
  const Tensor w = Tensor::from(std::vector<double>{10, 100}, {2});
  const Tensors g = gradients({x * x, x * 3.0}, {x}, {w, w});
  EXPECT_EQ(g[0].to_vector<double>(), (std::vector<double>{20 + 30, 400 + 300}));
}

TEST(Gradients, ThroughSlicesThatOverlap) {
  const Tensor x = leaf({1, 2, 3, 4}, {4});
  const Tensor y = sum(slice(x, 0, 0, 3) * slice(x, 0, 1, 4));  // x0x1 + x1x2 + x2x3
  EXPECT_EQ(gradients(y, {x})[0].to_vector<double>(), (std::vector<double>{2, 4, 6, 3}));
}

TEST(Gradients, AskForWhatTheyNeed) {
  const Tensor x = leaf({1, 2}, {2});
  EXPECT_TRUE(says(error_of([&] { gradients(x * x, {x}); }, ErrorCode::kShape), "[2]"));
  const Tensor plain = Tensor::from(std::vector<double>{1}, {});
  EXPECT_TRUE(says(error_of([&] { gradients(sum(x), {plain}); }, ErrorCode::kInvalid), "set_requires_grad"));
  error_of([&] { gradients({x * x}, {x}, {plain}); }, ErrorCode::kShape);
  error_of([&] { gradients({x * x}, {x}, {plain, plain}); }, ErrorCode::kInvalid);
}

TEST(Graphs, AreFreedUnlessRetained) {
  const Tensor x = leaf(2);
  const Tensor y = x * x * x;
  EXPECT_EQ(gradients(y, {x}, {.retain_graph = true})[0].item(), 12);
  EXPECT_EQ(gradients(y, {x})[0].item(), 12);
  EXPECT_TRUE(says(error_of([&] { gradients(y, {x}); }, ErrorCode::kInvalid), "retain_graph"));
}

TEST(Graphs, FreeTheirTensorsAsThePassGoes) {
  const Tensor x = leaf({1, 2}, {2});
  std::weak_ptr<Storage> kept;
  Tensor y;
  {
    const Tensor h = exp(x);
    kept = h.storage();
    y = sum(h * h);
  }
  EXPECT_FALSE(kept.expired()) << "the tape needs it";
  gradients(y, {x});
  EXPECT_TRUE(kept.expired());
}

TEST(Graphs, OfANodeThatKeepsItsOutputIsNoCycle) {
  std::weak_ptr<Node> node;
  {
    const Tensor x = leaf(1), y = exp(x);
    node = y.node();
  }
  EXPECT_TRUE(node.expired());
}

TEST(Graphs, OfAHundredThousandNodesEndWithoutADeepStack) {
  for (bool backward : {false, true}) {
    const Tensor x = leaf(1);
    Tensor y = x;
    for (int i = 0; i < 100000; ++i) y = reshape(y, i % 2 ? Shape{} : Shape{1});
    if (backward) {
      EXPECT_EQ(gradients(y, {x})[0].item(), 1);
    }
  }
}

TEST(Graphs, OfManyRecomputedBlocksEndWithoutADeepStack) {
  const auto block = [](const Tensors& in) { return Tensors{in[0] + 1.0}; };
  const Tensor x = leaf(1);
  Tensor y = x;
  for (int i = 0; i < 30000; ++i) y = recompute(block, {y})[0];
  EXPECT_EQ(y.item(), 30001);
  EXPECT_EQ(gradients(y, {x}, {.retain_graph = true})[0].item(), 1);
}

// ---- Grad mode and detach -------------------------------------------------------------------------------

TEST(GradModes, StopRecording) {
  const Tensor x = leaf(2);
  {
    const NoGrad off;
    EXPECT_FALSE(grad_enabled());
    EXPECT_FALSE((x * x).requires_grad());
    const GradMode on(true);
    EXPECT_TRUE((x * x).requires_grad());
  }
  EXPECT_TRUE(grad_enabled());
  EXPECT_TRUE((x * x).requires_grad());
}

TEST(GradModes, ArePerThread) {
  const NoGrad off;
  bool elsewhere = false, recorded = false;
  std::thread other([&] {
    elsewhere = grad_enabled();
    recorded = (leaf(2) * 3.0).requires_grad();
  });
  other.join();
  EXPECT_TRUE(elsewhere);
  EXPECT_TRUE(recorded);
  EXPECT_FALSE(grad_enabled());
}

TEST(GradModes, ManyThreadsHaveGraphsOfTheirOwn) {
  std::vector<double> results(8);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < results.size(); ++t)
    threads.emplace_back([&, t] {
      for (int round = 0; round < 50; ++round) {
        const Tensor x = leaf(static_cast<double>(t + 1));
        Tensor y = x;
        for (int i = 0; i < 10; ++i) y = y * x;
        results[t] = gradients(y, {x})[0].item();
      }
    });
  for (auto& t : threads) t.join();
  for (size_t t = 0; t < results.size(); ++t)
    EXPECT_DOUBLE_EQ(results[t], 11 * std::pow(static_cast<double>(t + 1), 10));
}

TEST(Detach, CutsTheHistory) {
  const Tensor x = leaf(3);
  const Tensor y = x * (x * x).detach();
  EXPECT_EQ(gradients(y, {x})[0].item(), 9);
}

// ---- Writes in place ------------------------------------------------------------------------------------

TEST(InPlaceWrites, ThatSpoilAGradientAreRefused) {
  const Tensor x = leaf({1, 2}, {2});
  const Tensor h = x * 2.0;
  const Tensor y = sum(h * h);
  {
    const NoGrad off;
    assign(h.detach(), Tensor::from(std::vector<double>{7, 7}, {2}));
  }
  const std::string text = error_of([&] { gradients(y, {x}); }, ErrorCode::kInvalid);
  EXPECT_TRUE(says(text, "mul")) << text;
  EXPECT_TRUE(says(text, "written in place")) << text;
  EXPECT_TRUE(says(text, "[2]")) << text;
}

TEST(InPlaceWrites, ThroughAViewAreSeen) {
  const Tensor x = leaf({1, 2}, {2});
  const Tensor data = Tensor::from(std::vector<double>{5, 6, 7, 8}, {2, 2});
  const Tensor y = sum(x * slice(data, 0, 0, 1));
  assign(slice(data, 0, 1, 2), Tensor::from(std::vector<double>{0, 0}, {1, 2}));
  EXPECT_TRUE(says(error_of([&] { gradients(y, {x}); }, ErrorCode::kInvalid), "written in place"));
}

TEST(InPlaceWrites, OnWhatNoGradientNeedsAreFine) {
  const Tensor x = leaf({1, 2}, {2});
  const Tensor h = x + 1.0;  // the gradient of a sum needs no values
  const Tensor y = sum(h);
  {
    const NoGrad off;
    assign(h.detach(), Tensor::from(std::vector<double>{7, 7}, {2}));
  }
  EXPECT_EQ(gradients(y, {x})[0].to_vector<double>(), (std::vector<double>{1, 1}));
}

TEST(InPlaceWrites, IntoWhatRequiresAGradientAreRefused) {
  const Tensor x = leaf({1, 2}, {2}), plain = Tensor::from(std::vector<double>{3, 4}, {2});
  EXPECT_TRUE(says(error_of([&] { accumulate(x, plain); }, ErrorCode::kInvalid), "[accumulate]"));
  EXPECT_TRUE(says(error_of([&] { assign(slice(x, 0, 0, 1), slice(plain, 0, 0, 1)); }, ErrorCode::kInvalid),
                   "NoGrad"));
  EXPECT_TRUE(says(error_of([&] { accumulate(plain, x); }, ErrorCode::kInvalid), "would lose"));
  EXPECT_EQ(plain.to_vector<double>(), (std::vector<double>{3, 4})) << "a refused write writes nothing";
  const NoGrad off;
  accumulate(x, plain);
  EXPECT_EQ(x.to_vector<double>(), (std::vector<double>{4, 6}));
}

TEST(InPlaceWrites, IntoABroadcastAreRefused) {
  const Tensor wide = broadcast_to(Tensor::from(std::vector<double>{1}, {1}), {3});
  const Tensor plain = Tensor::from(std::vector<double>{1, 2, 3}, {3});
  EXPECT_TRUE(says(error_of([&] { assign(wide, plain); }, ErrorCode::kInvalid), "broadcast"));
}

// ---- Accumulation and recompute -------------------------------------------------------------------------

TEST(AccumulateGradients, AddsUpInPlace) {
  const Tensor x = leaf({1, 2}, {2}), unused = leaf(1);
  Tensors sums;
  accumulate_gradients(sum(x * x), {x, unused}, sums);
  EXPECT_EQ(sums[0].to_vector<double>(), (std::vector<double>{2, 4}));
  EXPECT_FALSE(sums[1].defined());
  const auto storage = sums[0].storage();
  accumulate_gradients(sum(x * x * x), {x, unused}, sums);
  EXPECT_EQ(sums[0].to_vector<double>(), (std::vector<double>{2 + 3, 4 + 12}));
  EXPECT_EQ(sums[0].storage(), storage);
  EXPECT_EQ(x.to_vector<double>(), (std::vector<double>{1, 2}));
}

// The first gradient that arrives becomes the sum; it must not be a tensor that something else still reads.
TEST(AccumulateGradients, DoesNotWriteIntoSharedTensors) {
  const Tensor x = leaf({1, 2}, {2}), y = leaf({5, 6}, {2});
  Tensors sums;
  accumulate_gradients(sum(x + y), {x, y}, sums);  // both gradients are the same ones
  accumulate_gradients(sum(x * 10.0), {x, y}, sums);
  EXPECT_EQ(sums[0].to_vector<double>(), (std::vector<double>{11, 11}));
  EXPECT_EQ(sums[1].to_vector<double>(), (std::vector<double>{1, 1}));
}

Tensor pattern(const Shape& shape, DType dtype, double phase) {
  HostArray a{dtype, shape, std::vector<Wide>(static_cast<size_t>(shape.numel()))};
  for (int64_t i = 0; i < a.numel(); ++i) a[i] = std::sin(phase + 0.37 * static_cast<double>(i * i));
  return from_host_array(a, Device());
}

// A weight that one product uses is added to in place; with two uses their gradients are added to each other
// first. Either way the bits are those of gradients() added up.
TEST(AccumulateGradients, OfProductsHaveTheBitsOfGradientsAddedUp) {
  for (DType dtype : {kF64, kF32, kBF16}) {
    const DType wide = dtype == kBF16 ? kF32 : dtype;
    Tensor once = pattern({33, 20}, dtype, 0.1), straight = pattern({20, 33}, dtype, 0.2),
           twice = pattern({33, 20}, dtype, 0.3);
    for (Tensor* t : {&once, &straight, &twice}) t->set_requires_grad();
    const Tensors leaves{once, straight, twice};
    Tensors sums, expected;
    std::vector<std::shared_ptr<Storage>> storages;
    for (int step = 0; step < 3; ++step) {  // 300 rows: more than a block of the product's sum
      const Tensor x = pattern({1, 300, 20}, dtype, step), z = pattern({1, 300, 33}, dtype, 9 + step);
      const auto loss = [&] {
        return sum((linear(x, once) + matmul(x, straight) + linear(x, twice)) * z) +
               sum(linear(sin(x), twice) * z);
      };
      accumulate_gradients(loss(), leaves, sums);
      const Tensors g = gradients(loss(), leaves);
      for (size_t i = 0; i < leaves.size(); ++i) {
        sums[i] = cast(sums[i], wide);
        const Tensor more = cast(g[i], wide);
        if (step == 0) {
          expected.push_back(more);
          storages.push_back(sums[i].storage());
        } else {
          expected[i] = expected[i] + more;
        }
        EXPECT_EQ(sums[i].to_bytes(), expected[i].to_bytes()) << dtype << " weight " << i << " step " << step;
        EXPECT_EQ(sums[i].storage(), storages[i]);
      }
    }
  }
}

TEST(Recompute, EqualsPlainGradientsBitForBit) {
  Tensor x = pattern({5, 16}, kF32, 0.1), w = pattern({16, 16}, kF32, 0.2), n = pattern({16}, kF32, 0.3);
  for (Tensor* t : {&x, &w, &n}) t->set_requires_grad();
  const auto block = [](const Tensors& in) {
    return Tensors{silu(matmul(rms_norm(in[0], in[2]), in[1])) + in[0]};
  };
  const auto loss = [&](bool again) {
    Tensor h = x;
    for (int layer = 0; layer < 3; ++layer) h = again ? recompute(block, {h, w, n})[0] : block({h, w, n})[0];
    return sum(h * h);
  };
  const Tensor plain = loss(false), less = loss(true);
  EXPECT_EQ(plain.to_bytes(), less.to_bytes());
  const Tensors a = gradients(plain, {x, w, n}), b = gradients(less, {x, w, n});
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_NE(a[i].to_vector<float>(), std::vector<float>(static_cast<size_t>(a[i].numel()))) << "all zero";
    EXPECT_EQ(a[i].to_bytes(), b[i].to_bytes()) << i;
  }
}

// A kernel may ask for row-major inputs and then decline these: the parts still lead to what the caller gave.
TEST(Autograd, ReachesStridedInputsOfAnOpThatWasDeclinedAfterAll) {
  const Tensor x = permute(Tensor::from(std::vector<float>{1, 2, 3, 4, 5, 6}, {3, 2}), {1, 0}).detach();
  const Tensor unit = Tensor::from(std::vector<float>{1, 1, 1}, {3}), zero = Tensor::zeros(unit.spec());
  Tensor leaf = x;
  leaf.set_requires_grad();
  const Tensor y = batch_norm_inference(leaf, zero, unit, unit, zero, 3.0);  // x / 2
  EXPECT_EQ(gradients(sum(y, {}), {leaf})[0].to_vector<float>(), std::vector<float>(6, 0.5f));
}

TEST(Recompute, KeepsOnlyItsInputs) {
  const Tensor x = leaf({1, 2}, {2});
  std::weak_ptr<Storage> inner;
  const auto block = [&](const Tensors& in) {
    const Tensor h = exp(in[0]);
    inner = h.storage();
    return Tensors{h * h};
  };
  const Tensor y = recompute(block, {x})[0];
  EXPECT_TRUE(inner.expired());
  const auto g = gradients(sum(y), {x})[0].to_vector<double>();
  EXPECT_NEAR(g[0], 2 * std::exp(2.0), 1e-12);
}

TEST(Recompute, OfNothingDifferentiableRecordsNothing) {
  const Tensor x = Tensor::from(std::vector<double>{1, 2}, {2});
  const Tensors y = recompute([](const Tensors& in) { return Tensors{in[0] * 2.0}; }, {x});
  EXPECT_FALSE(y[0].requires_grad());
}

// One input of the block comes from the other: each path must count once, to second order too.
TEST(Recompute, OfInputsThatDependOnEachOther) {
  const auto f = [](const Tensors& in) { return Tensors{in[0] * in[0] * in[1]}; };
  for (bool again : {false, true}) {
    const Tensor x = leaf(2);
    const Tensor h = x * x;
    const Tensor y = again ? recompute(f, {x, h})[0] : f({x, h})[0];  // x^4
    const Tensor g = gradients(y, {x}, {.create_graph = true})[0];
    EXPECT_DOUBLE_EQ(g.item(), 32);
    const Tensor gg = gradients(g, {x}, {.create_graph = true})[0];
    EXPECT_DOUBLE_EQ(gg.item(), 48);
    EXPECT_DOUBLE_EQ(gradients(gg, {x})[0].item(), 48);
  }
}

TEST(Recompute, RefusesInputsThatWereWritten) {
  const Tensor x = leaf({1, 2}, {2}), data = Tensor::from(std::vector<double>{1, 2}, {2});
  const Tensor y = sum(recompute([](const Tensors& in) { return Tensors{in[0] * in[1]}; }, {x, data})[0]);
  assign(data, Tensor::from(std::vector<double>{0, 0}, {2}));
  EXPECT_TRUE(says(error_of([&] { gradients(y, {x}); }, ErrorCode::kInvalid), "written in place"));
}

TEST(Recompute, IsFreedLikeAnyNode) {
  const Tensor x = leaf(2);
  const Tensor y = recompute([](const Tensors& in) { return Tensors{in[0] * in[0]}; }, {x})[0];
  EXPECT_EQ(gradients(y, {x})[0].item(), 4);
  EXPECT_TRUE(says(error_of([&] { gradients(y, {x}); }, ErrorCode::kInvalid), "retain_graph"));
}

}  // namespace
}  // namespace suiren
