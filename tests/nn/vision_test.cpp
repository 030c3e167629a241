// Layers for images: their formulas against loops in f64, names and first values, training and evaluation.

#include "suiren/nn/vision.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "suiren/core/autograd.h"
#include "suiren/nn/layers.h"
#include "suiren/nn/sequential.h"
#include "suiren/ops/ops.h"

namespace suiren::nn {
namespace {

const Placement kWide{Device(), kF64};

Tensor random(const Shape& shape, uint64_t stream) { return uniform(shape, -1, 1, 5, stream, kF64); }

TEST(Vision, Conv2dComputesItsFormula) {
  Conv2d layer(4, 6, {.kernel = {3, 2}, .stride = {2, 1}, .padding = 1, .groups = 2}, kWide);
  layer.initialize(3);
  EXPECT_EQ(layer.weight.shape(), (Shape{6, 2, 3, 2}));
  const Tensor x = random({2, 4, 5, 6}, 1), y = layer(x);
  ASSERT_EQ(y.shape(), (Shape{2, 6, 3, 7}));
  const auto in = x.to_vector<double>(), w = layer.weight.to_vector<double>(),
             b = layer.bias.to_vector<double>(), out = y.to_vector<double>();
  size_t at = 0;
  for (int64_t n = 0; n < 2; ++n)
    for (int64_t o = 0; o < 6; ++o)
      for (int64_t i = 0; i < 3; ++i)
        for (int64_t j = 0; j < 7; ++j, ++at) {
          double want = b[static_cast<size_t>(o)];
          for (int64_t c = 0; c < 2; ++c)
            for (int64_t k = 0; k < 3; ++k)
              for (int64_t l = 0; l < 2; ++l) {
                const int64_t row = 2 * i - 1 + k, column = j - 1 + l, channel = o / 3 * 2 + c;
                if (row < 0 || row >= 5 || column < 0 || column >= 6) continue;
                want += in[static_cast<size_t>(((n * 4 + channel) * 5 + row) * 6 + column)] *
                        w[static_cast<size_t>(((o * 2 + c) * 3 + k) * 2 + l)];
              }
          EXPECT_NEAR(out[at], want, 1e-13) << at;
        }
}

// <conv(x), y> = <x, conv_transpose(y)> for one weight.
TEST(Vision, ConvTransposeIsTheTransposeOfConv) {
  Conv2d conv(3, 4, {.kernel = 3, .stride = 2, .padding = 1, .bias = false}, kWide);
  ConvTranspose2d back(4, 3, {.kernel = 3, .stride = 2, .padding = 1, .output_padding = 1, .bias = false},
                       kWide);
  conv.initialize(1);
  {
    const NoGrad off;
    assign(back.weight, conv.weight);
  }
  const Tensor x = random({2, 3, 8, 8}, 1), y = random({2, 4, 4, 4}, 2);
  EXPECT_EQ(back(y).shape(), x.shape());
  EXPECT_NEAR(sum(conv(x) * y).item(), sum(x * back(y)).item(), 1e-12);
}

TEST(Vision, InitialValuesAreThoseOfTorch) {
  Conv2d conv(8, 16, {.kernel = 5});
  Linear linear(50, 30);
  for (Module* m : {static_cast<Module*>(&conv), static_cast<Module*>(&linear)}) {
    m->initialize(7);
    const double bound = 1 / std::sqrt(m == &conv ? 8.0 * 25 : 50.0);
    for (const Tensor& t : m->parameters()) {
      const double high = max(t).item(), low = min(t).item();
      EXPECT_LE(high, bound);
      EXPECT_GE(low, -bound);
      EXPECT_GT(high, 0.6 * bound);
      EXPECT_LT(low, -0.6 * bound);
    }
  }
}

TEST(Vision, BatchNormFollowsTheBatchAndThenStandsStill) {
  BatchNorm2d norm(3, 1e-5, 0.1, kWide);
  norm.initialize(1);
  EXPECT_EQ(norm.parameter_count(), 6);
  EXPECT_EQ(norm.named_buffers().size(), 2u);
  const Tensor x = random({4, 3, 5, 2}, 1) * 3.0 + 2.0;
  const Tensor y = norm(x);
  const double n = 40;
  for (int64_t c = 0; c < 3; ++c) {
    const Tensor channel = slice(x, 1, c, c + 1), normal = slice(y, 1, c, c + 1);
    const double m = mean(channel).item(), v = mean(square(channel - m)).item();
    EXPECT_NEAR(mean(normal).item(), 0, 1e-12);
    EXPECT_NEAR(mean(square(normal)).item(), v / (v + 1e-5), 1e-10);
    EXPECT_NEAR(norm.running_mean.to_vector<double>()[static_cast<size_t>(c)], 0.1 * m, 1e-12);
    EXPECT_NEAR(norm.running_var.to_vector<double>()[static_cast<size_t>(c)], 0.9 + 0.1 * v * n / (n - 1),
                1e-12);
  }
  norm.eval();
  const auto before = norm.running_var.to_bytes();
  const double m = norm.running_mean.to_vector<double>()[0], v = norm.running_var.to_vector<double>()[0];
  EXPECT_NEAR(norm(x).to_vector<double>()[0], (x.to_vector<double>()[0] - m) / std::sqrt(v + 1e-5), 1e-12);
  EXPECT_EQ(norm.running_var.to_bytes(), before);
  norm.train();
  EXPECT_THROW(norm(random({1, 3, 1, 1}, 2)), Error);
}

TEST(Vision, DropoutIsForTrainingOnly) {
  Dropout drop(0.5, 3);
  const Tensor x = ones({1000}, kF64);
  const auto first = drop(x).to_vector<double>(), second = drop(x).to_vector<double>();
  EXPECT_NE(first, second);
  double kept = 0;
  for (double v : first) {
    EXPECT_TRUE(v == 0 || v == 2);
    kept += v == 2;
  }
  EXPECT_NEAR(kept, 500, 80);
  drop.eval();
  EXPECT_EQ(drop(x).to_vector<double>(), x.to_vector<double>());
}

TEST(Vision, PoolsNormsAndTheRestAreTheirOps) {
  const Tensor x = random({2, 4, 6, 8}, 1);
  const auto same = [](const Tensor& a, const Tensor& b) {
    EXPECT_EQ(a.shape(), b.shape());
    EXPECT_EQ(a.to_bytes(), b.to_bytes());
  };
  same(MaxPool2d(2)(x), max_pool(x, {2, 2}));
  same(MaxPool2d(3, {.stride = 2, .padding = 1})(x), max_pool(x, {3, 3}, {.stride = {2, 2}, .padding = {1}}));
  same(AvgPool2d({2, 4})(x), avg_pool(x, {2, 4}));
  same(AdaptiveAvgPool2d(1)(x), adaptive_avg_pool(x, {1, 1}));
  same(Upsample(2)(x), upsample_nearest(x, {12, 16}));
  same(Upsample({1, 2}, true)(x), upsample_linear(x, {6, 16}));
  same(Flatten()(x), reshape(x, {2, 192}));
  same(Relu()(x), relu(x));
  same(Tanh()(x), tanh(x));
  GroupNorm groups(2, 4, 1e-5, kWide);
  groups.initialize(1);
  same(groups(x), group_norm(x, 2, groups.weight, groups.bias));
  LayerNorm rows({6, 8}, 1e-5, kWide);
  rows.initialize(1);
  same(rows(x), layer_norm(x, rows.weight, rows.bias));
  EXPECT_NEAR(mean(square(rows(x))).item(), 1, 1e-3);
}

TEST(Sequential, NamesMovesTrainsAndSaves) {
  const auto make = [] {
    return Sequential{Conv2d(1, 3, {.kernel = 3}), BatchNorm2d(3), Relu(),
                      Sequential{Flatten(), Linear(3 * 4, 2, false)}};
  };
  Sequential net = make();
  net.initialize(1);
  std::vector<std::string> names;
  for (const auto& [name, tensor] : net.named_parameters()) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"0.weight", "0.bias", "1.weight", "1.bias", "3.1.weight"}));
  EXPECT_EQ(net.named_buffers()[1].first, "1.running_var");
  const Tensor x = uniform({5, 1, 4, 4}, 0, 1, 1, 1);
  const Tensor y = net(x);
  EXPECT_EQ(y.shape(), (Shape{5, 2}));
  const Tensors grads = gradients(mean(y * y), net.parameters());
  EXPECT_GT(sum_squares(grads[0]).item(), 0);

  const std::string path = testing::TempDir() + "suiren_sequential.safetensors";
  net.save(path);
  Sequential again = make();
  again.load(path);
  net.eval(), again.eval();
  EXPECT_FALSE(net.training());
  EXPECT_EQ(net(x).to_bytes(), again(x).to_bytes());  // the running statistics came along
  std::filesystem::remove(path);

  struct Parent : Module {
    Parent() { add_child("linear", linear); }
    Linear linear{2, 2};
  };
  EXPECT_THROW(
      {
        Parent moved = Parent(Parent());
        Parent other(std::move(moved));
      },
      Error);
}

}  // namespace
}  // namespace suiren::nn
