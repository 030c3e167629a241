// Recurrent layers against the formulas step by step in f64, and the shapes and names that they promise.

#include "suiren/nn/recurrent.h"

#include <gtest/gtest.h>

#include <cmath>

#include "suiren/core/autograd.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/copy/copy.h"
#include "suiren/ops/random/random.h"
#include "suiren/ops/reduce/reduce.h"

namespace suiren::nn {
namespace {

using Rows = std::vector<double>;

Rows values(const Tensor& t) {
  const HostArray a = to_host_array(t);
  return Rows(a.v.begin(), a.v.end());
}
double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// weight [G, n] times x, plus bias.
Rows affine(const Rows& weight, const Rows& bias, const double* x, size_t n) {
  Rows y = bias;
  for (size_t g = 0; g < y.size(); ++g)
    for (size_t k = 0; k < n; ++k) y[g] += weight[g * n + k] * x[k];
  return y;
}

struct Weights {
  Rows w_ih, w_hh, b_ih, b_hh;
  Weights(const Module& m, int layer) {
    const NamedParameters all = m.named_parameters();
    const auto at = [&](int i) { return values(*all[static_cast<size_t>(4 * layer + i)].second); };
    w_ih = at(0), w_hh = at(1), b_ih = at(2), b_hh = at(3);
  }
};

// One layer over one sequence x [T, I]; h and c hold the state.
Rows run_lstm(const Weights& w, const Rows& x, size_t I, Rows& h, Rows& c) {
  const size_t H = h.size();
  Rows out;
  for (size_t t = 0; t * I < x.size(); ++t) {
    Rows a = affine(w.w_ih, w.b_ih, &x[t * I], I);
    const Rows q = affine(w.w_hh, w.b_hh, h.data(), H);
    for (size_t k = 0; k < H; ++k) {
      const auto gate = [&](size_t g) { return a[g * H + k] + q[g * H + k]; };
      c[k] = sigmoid(gate(1)) * c[k] + sigmoid(gate(0)) * std::tanh(gate(2));
      h[k] = sigmoid(gate(3)) * std::tanh(c[k]);
    }
    out.insert(out.end(), h.begin(), h.end());
  }
  return out;
}

Rows run_gru(const Weights& w, const Rows& x, size_t I, Rows& h) {
  const size_t H = h.size();
  Rows out;
  for (size_t t = 0; t * I < x.size(); ++t) {
    const Rows p = affine(w.w_ih, w.b_ih, &x[t * I], I), q = affine(w.w_hh, w.b_hh, h.data(), H);
    for (size_t k = 0; k < H; ++k) {
      const double r = sigmoid(p[k] + q[k]), z = sigmoid(p[H + k] + q[H + k]);
      const double n = std::tanh(p[2 * H + k] + r * q[2 * H + k]);
      h[k] = (1 - z) * n + z * h[k];
    }
    out.insert(out.end(), h.begin(), h.end());
  }
  return out;
}

void fill(const Module& m) {
  uint64_t stream = 0;
  for (const auto& [name, tensor] : m.named_parameters()) {
    const NoGrad off;
    assign(*tensor, normal(tensor->shape(), 0, 0.4, 11, ++stream, tensor->dtype()));
  }
}

Rows row_of(const Rows& all, size_t i, size_t n) {
  return Rows(all.begin() + static_cast<int64_t>(i * n), all.begin() + static_cast<int64_t>((i + 1) * n));
}

void expect_near(const Rows& got, const Rows& want, double tolerance) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], want[i], tolerance) << "element " << i;
}

constexpr size_t B = 3, T = 9, I = 5, H = 21;

class RecurrentTest : public testing::TestWithParam<DType> {
 protected:
  double tolerance() const { return GetParam() == kF64 ? 1e-13 : 3e-6; }
  Tensor draw(const Shape& shape, uint64_t stream) const {
    return normal(shape, 0, 1, 5, stream, GetParam());
  }
};
INSTANTIATE_TEST_SUITE_P(Nn, RecurrentTest, testing::Values(kF32, kF64),
                         [](const auto& i) { return std::string(i.param.name()); });

TEST_P(RecurrentTest, LstmOfTwoLayersEqualsItsFormula) {
  const Lstm layer(I, H, 2, true, {Device(), GetParam()});
  fill(layer);
  const Tensor x = draw({B, T, I}, 1), h0 = draw({2, B, H}, 2), c0 = draw({2, B, H}, 3);
  const Lstm::Output out = layer(x, h0, c0);
  const Rows xs = values(x), hs = values(h0), cs = values(c0);
  const Rows y = values(out.y), h = values(out.h), c = values(out.c);
  for (size_t b = 0; b < B; ++b) {
    Rows sequence = row_of(xs, b, T * I);
    for (size_t l = 0; l < 2; ++l) {
      Rows state = row_of(hs, l * B + b, H), cell = row_of(cs, l * B + b, H);
      sequence = run_lstm(Weights(layer, static_cast<int>(l)), sequence, l == 0 ? I : H, state, cell);
      expect_near(row_of(h, l * B + b, H), state, tolerance());
      expect_near(row_of(c, l * B + b, H), cell, tolerance());
    }
    expect_near(row_of(y, b, T * H), sequence, tolerance());
  }
}

TEST_P(RecurrentTest, GruOfTwoLayersEqualsItsFormula) {
  const Gru layer(I, H, 2, true, {Device(), GetParam()});
  fill(layer);
  const Tensor x = draw({B, T, I}, 1), h0 = draw({2, B, H}, 2);
  const Gru::Output out = layer(x, h0);
  const Rows xs = values(x), hs = values(h0), y = values(out.y), h = values(out.h);
  for (size_t b = 0; b < B; ++b) {
    Rows sequence = row_of(xs, b, T * I);
    for (size_t l = 0; l < 2; ++l) {
      Rows state = row_of(hs, l * B + b, H);
      sequence = run_gru(Weights(layer, static_cast<int>(l)), sequence, l == 0 ? I : H, state);
      expect_near(row_of(h, l * B + b, H), state, tolerance());
    }
    expect_near(row_of(y, b, T * H), sequence, tolerance());
  }
}

// The gradient of the whole sequence is that of two halves, the state carried over.
TEST_P(RecurrentTest, HalvesOfASequenceHaveTheGradientOfTheWhole) {
  const Gru layer(I, H, 1, true, {Device(), GetParam()});
  fill(layer);
  Tensors parameters = layer.parameters();
  for (Tensor& p : parameters) p.set_requires_grad();
  const Tensor x = draw({B, T, I}, 1), weight = draw({B, T, H}, 4);
  const auto slice_of = [](const Tensor& t, int64_t begin, int64_t end) {
    return t.alias({t.dim(0), end - begin, t.dim(2)}, t.strides(), begin * t.strides()[1]);
  };
  const Tensors whole = gradients(sum(layer(x).y * weight), parameters);
  const Gru::Output first = layer(slice_of(x, 0, 4)), second = layer(slice_of(x, 4, T), first.h);
  const Tensor loss = sum(first.y * slice_of(weight, 0, 4)) + sum(second.y * slice_of(weight, 4, T));
  const Tensors halves = gradients(loss, parameters);
  for (size_t i = 0; i < whole.size(); ++i)
    expect_near(values(halves[i]), values(whole[i]), GetParam() == kF64 ? 1e-12 : 3e-5);
}

TEST(Recurrent, NamesAndShapesArePytorchs) {
  const Lstm layer(5, 4, 2, true);
  std::string names;
  for (const auto& [name, tensor] : layer.named_parameters())
    names += fmt::format("{} {}\n", name, tensor->shape());
  EXPECT_EQ(names,
            "weight_ih_l0 [16, 5]\nweight_hh_l0 [16, 4]\nbias_ih_l0 [16]\nbias_hh_l0 [16]\n"
            "weight_ih_l1 [16, 4]\nweight_hh_l1 [16, 4]\nbias_ih_l1 [16]\nbias_hh_l1 [16]\n");
  EXPECT_EQ(Gru(5, 4, 1, false).parameter_count(), 3 * 4 * (5 + 4));
}

TEST(Recurrent, AStateOfAnotherShapeIsRefused) {
  const Gru layer(5, 4, 2);
  fill(layer);
  const Tensor x = normal({3, 2, 5}, 0, 1, 1, 1);
  try {
    layer(x, normal({1, 3, 4}, 0, 1, 1, 2));
    FAIL() << "accepted";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("a state has shape [1, 3, 4], expected [layers, B, H] = [2, 3, 4]"),
              std::string::npos)
        << e.what();
  }
}

}  // namespace
}  // namespace suiren::nn
