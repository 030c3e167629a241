// Two devices op by op: the null chip, on which every result is zero, is right about some ops and wrong about
// others.

#include "suiren/conform/compare.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "suiren/base/log.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/clamp/clamp.h"
#include "suiren/ops/copy/copy.h"
#include "suiren/ops/matmul/matmul.h"
#include "suiren/ops/rms_norm/rms_norm.h"
#include "suiren/ops/softmax/softmax.h"
#include "suiren/ops/unary/unary.h"
#include "suiren/ops/view/view.h"

namespace suiren::conform {
namespace {

class Compare : public testing::Test {
 protected:
  void SetUp() override {
    set_log_level(LogLevel::kQuiet);
    folder_ = std::filesystem::temp_directory_path() / ("suiren-compare-" + std::to_string(getpid()));
  }
  void TearDown() override {
    std::filesystem::remove_all(folder_);
    set_log_level(LogLevel::kInfo);
  }
  static Tensor wave(const Shape& shape, const Device& device = {}) {
    std::vector<float> v(static_cast<size_t>(shape.numel()));
    for (size_t i = 0; i < v.size(); ++i) v[i] = std::sin(static_cast<float>(i));
    return Tensor::from(v, shape, device);
  }
  std::string folder_;
};

TEST_F(Compare, DevicesThatAgreeAreTold) {
  for (const char* first : {"cpu", "example"}) {
    const Device a(first), b(std::string(first) == "cpu" ? "example" : "cpu");
    const Comparison r = compare_devices(
        [&] {
          softmax(matmul(rms_norm(wave({9, 33}, a), wave({33}, a)), transpose(wave({7, 33}, a))), -1);
        },
        b, folder_);
    EXPECT_FALSE(r.difference) << r.difference->op << ": " << r.difference->got << " for "
                               << r.difference->expected;
    EXPECT_GE(r.calls, first == std::string("cpu") ? 3 : 6)
        << "on the example chip, parts are ops of their own";
    EXPECT_FALSE(std::filesystem::exists(folder_));
  }
}

TEST_F(Compare, TheFirstOpThatDiffersIsNamed) {
  const Tensor zero = Tensor::zeros({kF32, {3, 4}, {}});
  const Comparison r = compare_devices(
      [&] {
        const Tensor y = add(zero, copy(zero));  // zero on every chip
        neg(exp(transpose(y)));                  // 1, and then -1
      },
      Device("null"), folder_);
  ASSERT_TRUE(r.difference);
  EXPECT_EQ(r.difference->op, "exp");
  EXPECT_EQ(r.difference->call, 3);
  EXPECT_EQ(r.difference->inputs, "f32 [4, 3]");
  EXPECT_EQ(r.difference->result, "output 0");
  EXPECT_EQ(r.difference->expected, 1);
  EXPECT_EQ(r.difference->got, 0);
  EXPECT_EQ(r.difference->different, 12);
}

TEST_F(Compare, ASavedCallRunsAgain) {
  const Tensor x = slice(transpose(wave({6, 5})), 1, 1, 5, 2);
  ASSERT_TRUE(compare_devices([&] { clamp(x, -0.3, HUGE_VAL); }, Device("null"), folder_).difference);
  const Comparison wrong = replay_call(folder_, Device("null")),
                   right = replay_call(folder_, Device("example"));
  ASSERT_TRUE(wrong.difference);
  EXPECT_EQ(wrong.difference->op, "clamp");
  EXPECT_FALSE(right.difference);
  EXPECT_EQ(right.calls, 1);
}

TEST_F(Compare, WritesInPlaceAreCompared) {
  const Tensor x = wave({4});
  const Comparison r = compare_devices([&] { assign(x, wave({4})); }, Device("null"), folder_);
  ASSERT_TRUE(r.difference);
  EXPECT_EQ(r.difference->op, "assign");
  EXPECT_EQ(r.difference->result, "input 0 after the call");
}

}  // namespace
}  // namespace suiren::conform
