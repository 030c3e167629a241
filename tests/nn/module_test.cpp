#include "suiren/nn/module.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "suiren/base/file.h"
#include "suiren/base/threads.h"
#include "suiren/io/safetensors.h"
#include "suiren/nn/layers.h"

namespace suiren::nn {
namespace {

struct Pair : Module {
  explicit Pair(bool swapped = false, DType dtype = kF32)
      : first(6, 4, true, {Device(), dtype}),
        norm(5, 1e-6, {Device(), dtype}),
        table(7, 5, {Device(), dtype}) {
    if (swapped) add_child("table", table), add_child("norm", norm), add_child("a.first", first);
    if (!swapped) add_child("a.first", first), add_child("norm", norm), add_child("table", table);
  }
  Linear first;
  RmsNorm norm;
  Embedding table;
};

std::string message(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

class ModuleTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "suiren_module_test";
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string folder_;
};

TEST_F(ModuleTest, NamesStandInOrderOfRegistration) {
  const Pair m;
  std::vector<std::string> names;
  for (const auto& [name, tensor] : m.named_parameters()) {
    names.push_back(name);
    EXPECT_TRUE(tensor->requires_grad());
    EXPECT_TRUE(tensor->storage()->stable());
  }
  EXPECT_EQ(names,
            (std::vector<std::string>{"a.first.weight", "a.first.bias", "norm.weight", "table.weight"}));
  EXPECT_EQ(m.parameter_count(), 24 + 4 + 5 + 35);
}

TEST_F(ModuleTest, InitializationDependsOnNameAndSeedOnly) {
  Pair a(false), b(true), other(false);
  const int threads = thread_count();
  a.initialize(5, 0.02);
  set_thread_count(3);
  b.initialize(5, 0.02);
  set_thread_count(threads);
  other.initialize(6, 0.02);
  EXPECT_EQ(a.first.weight.to_bytes(), b.first.weight.to_bytes());
  EXPECT_EQ(a.table.weight.to_bytes(), b.table.weight.to_bytes());
  EXPECT_NE(a.table.weight.to_bytes(), other.table.weight.to_bytes());
  EXPECT_EQ(a.norm.weight.to_vector<float>(), std::vector<float>(5, 1.0f));
  EXPECT_EQ(a.first.bias.to_vector<float>(), std::vector<float>(4, 0.0f));
  EXPECT_NE(a.first.weight.to_vector<float>()[0], a.table.weight.to_vector<float>()[0]);
}

TEST_F(ModuleTest, NormalHasItsDeviation) {
  Linear l(200, 100, false);
  l.initialize(1, 0.5);
  double sum = 0, squares = 0;
  for (const float x : l.weight.to_vector<float>()) sum += x, squares += double{x} * x;
  EXPECT_NEAR(sum / 20000, 0, 4 * 0.5 / std::sqrt(20000.0));
  EXPECT_NEAR(std::sqrt(squares / 20000), 0.5, 0.01);
}

TEST_F(ModuleTest, SavesAndLoadsTheSameBits) {
  Pair a, b;
  a.initialize(1, 0.1);
  b.initialize(2, 0.1);
  const Tensor held = b.first.weight;  // a handle taken before sees what is loaded
  a.save(folder_ + "/m.safetensors", {{"format", "pt"}});
  b.load(folder_ + "/m.safetensors");
  EXPECT_EQ(held.to_bytes(), a.first.weight.to_bytes());
  for (size_t i = 0; i < a.parameters().size(); ++i)
    EXPECT_EQ(a.parameters()[i].to_bytes(), b.parameters()[i].to_bytes());
  EXPECT_TRUE(b.first.weight.requires_grad());
  EXPECT_EQ(io::SafeTensors::open(folder_ + "/m.safetensors").metadata().at("format"), "pt");
}

TEST_F(ModuleTest, ConvertsFloatingTypes) {
  Pair wide(false, kF64), half(false, kBF16), back;
  wide.initialize(3, 1);
  wide.save(folder_ + "/wide.safetensors");
  half.load(folder_ + "/wide.safetensors");
  half.save(folder_ + "/half.safetensors");
  back.load(folder_ + "/half.safetensors");
  const std::vector<double> x = wide.table.weight.to_vector<double>();
  const std::vector<float> y = back.table.weight.to_vector<float>();
  for (size_t i = 0; i < x.size(); ++i)
    EXPECT_EQ(y[i], static_cast<float>(bfloat16(static_cast<float>(x[i])))) << i;
}

TEST_F(ModuleTest, ReadsShardsAndRefusesATensorInTwo) {
  struct Half : Module {
    Linear l{6, 4, true};
    Half() { add_child("a.first", l); }
  };
  struct Rest : Module {
    RmsNorm norm{5, 1e-6};
    Embedding table{7, 5};
    Rest() { add_child("norm", norm), add_child("table", table); }
  };
  Half one;
  Rest two;
  one.initialize(1, 1), two.initialize(1, 1);
  one.save(folder_ + "/1.safetensors"), two.save(folder_ + "/2.safetensors");
  Pair all;
  all.load_files({folder_ + "/1.safetensors", folder_ + "/2.safetensors"});
  EXPECT_EQ(all.first.weight.to_bytes(), one.l.weight.to_bytes());
  EXPECT_EQ(all.table.weight.to_bytes(), two.table.weight.to_bytes());
  EXPECT_NE(message([&] {
              all.load_files({folder_ + "/1.safetensors", folder_ + "/1.safetensors"});
            }).find("a.first.weight stands in another shard too"),
            std::string::npos);
}

TEST_F(ModuleTest, ErrorsNameTheTensorsAndChangeNothing) {
  struct Other : Module {
    Linear l{6, 3, true};
    RmsNorm norm{5, 1e-6};
    Other() { add_child("a.first", l), add_child("extra", norm); }
  };
  Other other;
  other.initialize(9, 1);
  other.save(folder_ + "/o.safetensors");
  Pair m;
  m.initialize(1, 0.1);
  const auto before = m.first.weight.to_bytes();
  const std::string text = message([&] { m.load(folder_ + "/o.safetensors"); });
  EXPECT_NE(
      text.find("missing: norm.weight, table.weight; unexpected: extra.weight; "
                "a.first.weight has shape [3, 6], expected [4, 6], a.first.bias has shape [3], expected [4]"),
      std::string::npos)
      << text;
  EXPECT_EQ(m.first.weight.to_bytes(), before);
}

TEST_F(ModuleTest, LayersComputeTheirFormulas) {
  Linear l(3, 2, true, {Device(), kF64});
  l.initialize(4, 1);
  const auto x = Tensor::from(std::vector<double>{1, 2, 3, -1, 0, 5}, {1, 2, 3});
  const auto w = l.weight.to_vector<double>();
  const auto y = l(x).to_vector<double>();
  for (size_t r = 0; r < 2; ++r)
    for (size_t o = 0; o < 2; ++o) {
      double want = 0;
      for (size_t k = 0; k < 3; ++k) want += x.to_vector<double>()[r * 3 + k] * w[o * 3 + k];
      EXPECT_NEAR(y[r * 2 + o], want, 1e-14);
    }
  RmsNorm n(3, 0.25, {Device(), kF64});
  n.initialize(4, 1);
  EXPECT_NEAR(n(x).to_vector<double>()[1], 2 / std::sqrt(14.0 / 3 + 0.25), 1e-14);
  Embedding e(4, 2);
  e.initialize(4, 1);
  const auto rows = e(Tensor::from(std::vector<int64_t>{3, 0}, {2})).to_vector<float>();
  const auto table = e.weight.to_vector<float>();
  EXPECT_EQ(rows, (std::vector<float>{table[6], table[7], table[0], table[1]}));
}

}  // namespace
}  // namespace suiren::nn
