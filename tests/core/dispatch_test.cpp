// Dispatch on the CPU and on a chip that can do almost nothing (tests/chip/plugins/opaque.cpp).

#include "suiren/core/dispatch.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <numeric>

#include "suiren/base/log.h"
#include "suiren/core/autograd.h"
#include "suiren/core/backend.h"
#include "suiren/core/host_array.h"
#include "suiren/ops/accumulate/accumulate.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/catalog.h"
#include "suiren/ops/copy/copy.h"
#include "suiren/ops/reduce/reduce.h"
#include "suiren/ops/rms_norm/rms_norm.h"
#include "suiren/ops/unary/unary.h"
#include "suiren/ops/view/view.h"

namespace suiren {
namespace {

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

Tensor counting(const Shape& shape, const Device& device = {}) {
  std::vector<float> v(static_cast<size_t>(shape.numel()));
  std::iota(v.begin(), v.end(), 1.0f);
  return Tensor::from(v, shape, device);
}

class Chip : public testing::Test {
 protected:
  void SetUp() override {
    set_log_level(LogLevel::kQuiet);
    reset_fallback_ledger();
  }
  void TearDown() override {
    set_strict_device(false);
    set_log_level(LogLevel::kInfo);
  }
  static Device chip() { return Device(SUIREN_TEST_CHIP); }
};

TEST(Ops, AreFoundByName) {
  EXPECT_STREQ(find_op("matmul").name, "matmul");
  EXPECT_TRUE(says(error_of([] { find_op("matmull"); }, ErrorCode::kNotFound), "did you mean 'matmul'"));
}

TEST(Ops, NameThemselvesInErrors) {
  const std::string text = error_of([] { add(counting({2}), counting({3})); }, ErrorCode::kShape);
  EXPECT_EQ(text.rfind("[add] ", 0), 0u) << text;
  EXPECT_TRUE(says(text, "[2]") && says(text, "[3]")) << text;
  EXPECT_TRUE(says(error_of([] { add(counting({2}), Tensor()); }, ErrorCode::kShape), "undefined"));
}

TEST(Ops, HaveUniqueNamesAndARowEach) {
  const auto rows = ops_rows();
  ASSERT_EQ(rows.size(), all_ops().size());
  const std::string table = ops_table_markdown();
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_TRUE(i == 0 || rows[i - 1].name < rows[i].name) << rows[i].name;
    EXPECT_TRUE(says(table, "\n## " + rows[i].name + "\n"));
    EXPECT_FALSE(rows[i].doc.empty() || rows[i].dtypes.empty() || rows[i].gradient.empty());
    EXPECT_FALSE(rows[i].room.empty() || rows[i].calls.empty()) << rows[i].name;
  }
}

// In the main process every op that works on floats has a kernel or parts: nothing falls to the reference.
TEST_F(Chip, TheCpuNeedsNoReferenceForFloats) {
  const Tensor x = counting({4, 6});
  (void)sum(exp(transpose(x)) * 2.0, {0});
  (void)rms_norm(x, counting({6}));
  accumulate(slice(counting({4, 6}), 1, 0, 6, 2), slice(x, 1, 1, 6, 2));
  for (const Fallback& f : fallback_ledger()) ADD_FAILURE() << f.op << " on " << f.shapes << ": " << f.reason;
}

TEST_F(Chip, HoldsTensorsThatTheHostCannotAddress) {
  const Tensor x = counting({3, 4}, chip());
  EXPECT_EQ(x.device().name(), "opaque:0");
  EXPECT_FALSE(x.device().is_cpu());
  EXPECT_EQ(x.to_vector<float>(), counting({3, 4}).to_vector<float>());
  EXPECT_EQ(transpose(x).to_vector<float>(), transpose(counting({3, 4})).to_vector<float>());
  EXPECT_EQ(slice(x, 1, 1, 4, 2).to(Device()).to_vector<float>(), (std::vector<float>{2, 4, 6, 8, 10, 12}));
  EXPECT_EQ(x.alias({3}, {-4}, 11).to_vector<float>(), (std::vector<float>{12, 8, 4}));
  EXPECT_EQ(Tensor::zeros({kF32, {2}, chip()}).to_vector<float>(), (std::vector<float>{0, 0}));
  EXPECT_EQ(slice(x, 0, 2, 3).to_vector<float>()[0], 9);
  EXPECT_EQ(slice(slice(x, 0, 2, 3), 1, 3, 4).item(), 12);
  EXPECT_TRUE(says(error_of([&] { x.data<float>(); }, ErrorCode::kUnsupported), "opaque:0"));
}

TEST_F(Chip, RunsItsOwnKernels) {
  const Tensor x = counting({3, 4}, chip());
  EXPECT_EQ(add(x, x).to_vector<float>(),
            mul(counting({3, 4}), Tensor::from(std::vector<float>{2}, {})).to_vector<float>());
  EXPECT_TRUE(fallback_ledger().empty());
}

TEST_F(Chip, GetsRowMajorOperandsWhenItAsks) {
  const Tensor x = transpose(counting({3, 4}, chip())), y = add(x, x);
  EXPECT_EQ(y.to_vector<float>()[1], 10);
  EXPECT_EQ(y.device(), chip());
  for (const Fallback& f : fallback_ledger()) EXPECT_EQ(f.op, "copy");
  EXPECT_FALSE(fallback_ledger().empty());
}

TEST_F(Chip, FallsBackToTheCpuAndSaysWhatItCost) {
  const Tensor x = counting({5}, chip());
  for (int i = 0; i < 3; ++i) {
    const Tensor y = exp(x);
    EXPECT_EQ(y.device(), chip());
    EXPECT_EQ(y.to_bytes(), exp(counting({5})).to_bytes());
  }
  const auto rows = fallback_ledger();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].device, "opaque:0");
  EXPECT_EQ(rows[0].op, "exp");
  EXPECT_EQ(rows[0].shapes, "f32 [5]");
  EXPECT_EQ(rows[0].where, "cpu");
  EXPECT_EQ(rows[0].reason, "this chip only adds");
  EXPECT_EQ(rows[0].count, 3);
  EXPECT_EQ(rows[0].bytes, 3 * 2 * 20) << "in and out, each time";
  reset_fallback_ledger();
  EXPECT_TRUE(fallback_ledger().empty());
}

TEST_F(Chip, RunsFusedOpsByTheirParts) {
  const Tensor x = counting({3, 8}), w = counting({8});
  const Tensor y = rms_norm(x.to(chip()), w.to(chip())), cpu = rms_norm(x, w);
  for (size_t i = 0; i < 24; ++i) EXPECT_NEAR(y.to_vector<float>()[i], cpu.to_vector<float>()[i], 1e-5);
  for (const Fallback& f : fallback_ledger()) EXPECT_NE(f.op, "rms_norm");
}

TEST_F(Chip, IsWrittenInPlaceThroughViews) {
  const Tensor x = counting({3, 4}, chip());
  assign(slice(x, 1, 1, 4, 2), Tensor::zeros({kF32, {3, 2}, chip()}));
  EXPECT_EQ(x.to_vector<float>(), (std::vector<float>{1, 0, 3, 0, 5, 0, 7, 0, 9, 0, 11, 0}));
  accumulate(slice(x, 0, 0, 1), slice(x, 0, 1, 2));
  EXPECT_EQ(slice(x, 0, 0, 1).to_vector<float>(), (std::vector<float>{6, 0, 10, 0}));
}

TEST_F(Chip, HasGradients) {
  Tensor x = counting({4}, chip());
  x.set_requires_grad();
  const Tensor y = sum(x * x * x);
  const Tensor g = gradients(y, {x}, {.create_graph = true})[0];
  EXPECT_EQ(g.device(), chip());
  EXPECT_EQ(g.to_vector<float>(), (std::vector<float>{3, 12, 27, 48}));
  EXPECT_EQ(gradients(sum(g), {x})[0].to_vector<float>(), (std::vector<float>{6, 12, 18, 24}));
}

TEST_F(Chip, UnderStrictDeviceRefusesToLeave) {
  set_strict_device(true);
  const Tensor x = counting({5}, chip());
  EXPECT_EQ(add(x, x).to_vector<float>()[4], 10);
  const std::string text = error_of([&] { exp(x); }, ErrorCode::kUnsupported);
  EXPECT_TRUE(says(text, "[exp]") && says(text, "opaque:0") && says(text, "--strict-device") &&
              says(text, "f32 [5]") && says(text, "this chip only adds"))
      << text;
}

TEST_F(Chip, FaultsAreDeviceErrors) {
  const std::string text = error_of([] { neg(counting({5}, chip())); }, ErrorCode::kDevice);
  EXPECT_TRUE(says(text, "opaque:0") && says(text, "neg") && says(text, "unit 7 gave no answer")) << text;
  EXPECT_EQ(exit_code(ErrorCode::kDevice), 1);
}

TEST_F(Chip, DoesNotMixWithOthers) {
  const std::string text = error_of([] { add(counting({5}, chip()), counting({5})); }, ErrorCode::kShape);
  EXPECT_TRUE(says(text, "cpu:0") && says(text, "opaque:0")) << text;
}

TEST_F(Chip, IsNamedAmongTheDevices) {
  (void)chip();
  EXPECT_EQ(Device("opaque").name(), "opaque:0");
  EXPECT_EQ(Device("opaque:0"), chip());
  bool found = false;
  for (const sr_backend* b : all_backends()) found = found || std::string(b->kind) == "opaque";
  EXPECT_TRUE(found);
  error_of([] { Device("opaque:1"); }, ErrorCode::kNotFound);
  error_of([] { Device("/nonexistent/chip.so"); }, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace suiren
