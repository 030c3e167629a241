// backends/example and backends/null in the host: native ops, the alignment rule, fallbacks, late errors,
// memory.

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <thread>

#include "suiren/base/log.h"
#include "suiren/core/autograd.h"
#include "suiren/core/backend.h"
#include "suiren/core/dispatch.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/copy/copy.h"
#include "suiren/ops/matmul/matmul.h"
#include "suiren/ops/reduce/reduce.h"
#include "suiren/ops/rms_norm/rms_norm.h"
#include "suiren/ops/unary/unary.h"
#include "suiren/ops/view/view.h"

namespace suiren {
namespace {

Tensor ramp(const Shape& shape, double first, double step, const Device& device = {}) {
  std::vector<float> v(static_cast<size_t>(shape.numel()));
  for (size_t i = 0; i < v.size(); ++i) v[i] = static_cast<float>(first + step * static_cast<double>(i % 23));
  return Tensor::from(v, shape, device);
}

class Example : public testing::Test {
 protected:
  void SetUp() override {
    set_log_level(LogLevel::kQuiet);
    reset_fallback_ledger();
  }
  void TearDown() override {
    set_strict_device(false);
    set_log_level(LogLevel::kInfo);
  }
  static Device chip() { return Device("example"); }
  static void expect_near(const Tensor& got, const Tensor& want) {
    ASSERT_EQ(got.shape(), want.shape());
    const auto a = got.to_vector<float>(), b = want.to_vector<float>();
    for (size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 1e-5 * (1 + std::abs(b[i]))) << i;
  }
};

TEST_F(Example, IsFoundByItsKindBesideTheProgram) { EXPECT_EQ(chip().name(), "example:0"); }

TEST_F(Example, HasHandlesThatAreNoAddresses) {
  const Tensor x = ramp({3}, 1, 1, chip());
  EXPECT_EQ(x.storage()->pointer(), nullptr);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(x.storage()->memory()) % 2, 1u);
  EXPECT_EQ(x.to_vector<float>(), (std::vector<float>{1, 2, 3}));
}

TEST_F(Example, RunsMatmulAddAndCopyItself) {
  set_strict_device(true);
  const Tensor a = ramp({2, 5, 7}, -1, 0.25), b = ramp({7, 4}, 2, -0.5), c = ramp({2, 7, 3}, 0, 1);
  const Tensor ca = a.to(chip()), cb = b.to(chip()), cc = c.to(chip());
  expect_near(matmul(ca, cb), matmul(a, b));
  expect_near(matmul(ca, cc), matmul(a, c));
  expect_near(add(ca, ca), add(a, a));
  expect_near(copy(transpose(ca)), copy(transpose(a)));
  expect_near(matmul(ramp({2, 0}, 0, 0, chip()), ramp({0, 3}, 0, 0, chip())),
              Tensor::zeros({kF32, {2, 3}, {}}));
  EXPECT_TRUE(fallback_ledger().empty());
}

TEST_F(Example, GetsOperandsThatItsUnitsCanTake) {
  set_strict_device(true);
  const Tensor a = ramp({6, 40}, -1, 0.25), b = ramp({40, 6}, 2, -0.5);
  const Tensor ca = a.to(chip()), cb = b.to(chip());
  expect_near(matmul(transpose(cb), transpose(ca)), matmul(transpose(b), transpose(a)));  // strided
  expect_near(add(slice(ca, 0, 1, 3), slice(ca, 0, 2, 4)),
              add(slice(a, 0, 1, 3), slice(a, 0, 2, 4)));  // row-major, but not at a multiple of 128 bytes
  expect_near(add(slice(ca, 1, 3, 9), slice(ca, 0, 0, 6).alias({6, 6}, {40, 1}, 1)),
              add(slice(a, 1, 3, 9), a.alias({6, 6}, {40, 1}, 1)));
  EXPECT_TRUE(fallback_ledger().empty());
}

TEST_F(Example, RunsEverythingElseByPartsAndByCopy) {
  const Tensor x = ramp({4, 16}, -2, 0.3), w = ramp({16}, 0.5, 0.1);
  expect_near(rms_norm(x.to(chip()), w.to(chip())), rms_norm(x, w));
  for (const Fallback& f : fallback_ledger()) {
    EXPECT_NE(f.op, "rms_norm") << "its parts run";
    EXPECT_TRUE(f.op != "add" || f.reason == "shapes must be equal") << f.reason;
    EXPECT_EQ(f.device, "example:0");
    EXPECT_GT(f.bytes, 0);
    EXPECT_GT(f.milliseconds, 0);
  }
  EXPECT_FALSE(fallback_ledger().empty());
}

TEST_F(Example, HasGradients) {
  Tensor x = ramp({3, 4}, 1, 1, chip()), y = ramp({3, 4}, 1, 1);
  x.set_requires_grad();
  y.set_requires_grad();
  expect_near(gradients(sum(exp(x * 0.1) * x), {x})[0], gradients(sum(exp(y * 0.1) * y), {y})[0]);
}

TEST_F(Example, TakesCallsFromSeveralThreads) {
  const Tensor a = ramp({16, 16}, -1, 0.1, chip());
  const Tensor want = matmul(a, a).to(Device());
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i)
        wrong += add(matmul(a, a), a).to_bytes() != add(want, a.to(Device())).to_bytes();
    });
  for (auto& t : threads) t.join();
  EXPECT_EQ(wrong, 0);
}

// The rest speaks to the plug-in as a host does, on devices of its own.
class ExampleTable : public testing::Test {
 protected:
  void open(uint64_t limit = 0) {
    const sr_device_options options{sizeof options, 0, limit};
    ASSERT_EQ(t.device_open(0, &options, &device), SR_OK);
    ASSERT_EQ(t.stream_create(device, &stream), SR_OK);
  }
  void TearDown() override { t.device_close(device); }
  sr_status put(sr_memory to, const void* from, uint64_t bytes) {
    return t.copy(stream, to, 0, nullptr, nullptr, 0, from, bytes);
  }
  // c = a + b, n elements each.
  sr_status run_add(sr_memory a, sr_memory b, sr_memory c, int64_t n) {
    const int64_t one = 1;
    sr_tensor tensors[3];
    const sr_memory memory[] = {a, b, c};
    for (int i = 0; i < 3; ++i)
      tensors[i] = {
          sizeof(sr_tensor), static_cast<uint16_t>(i == 2), SR_F32, 1, 0, &n, &one, memory[i], 0, 0, nullptr};
    const sr_op op{sizeof op, intern("add"), 1, 3, tensors, 0, 0, nullptr};
    sr_support support{};
    support.struct_size = sizeof support;
    if (const sr_status s = t.op_query(device, &op, &support)) return s;
    EXPECT_EQ(support.level, uint32_t{SR_SUPPORT_NATIVE}) << support.reason;
    return t.op_run(stream, support.plan, &op, nullptr);
  }
  const sr_backend& t = find_backend("example");
  sr_device device = nullptr;
  sr_stream stream = nullptr;
};

TEST_F(ExampleTable, KeepsItsMemoryLimit) {
  open(1 << 20);
  sr_memory a = nullptr, b = nullptr;
  ASSERT_EQ(t.mem_alloc(device, 700 << 10, &a), SR_OK);
  EXPECT_EQ(t.mem_alloc(device, 700 << 10, &b), SR_ERROR_OUT_OF_MEMORY);
  EXPECT_NE(std::string(t.last_error()).find("716800"), std::string::npos) << t.last_error();
  EXPECT_EQ(t.mem_alloc(device, ~uint64_t{0}, &b), SR_ERROR_OUT_OF_MEMORY);
  t.mem_free(device, a);
  EXPECT_EQ(t.mem_alloc(device, 700 << 10, &b), SR_OK);
}

TEST_F(ExampleTable, FreesMemoryOnlyAfterTheWorkThatUsesIt) {
  open();
  const int64_t n = 1 << 20;
  std::vector<float> ones(n, 1), got(n);
  sr_memory a, b, c;
  ASSERT_EQ(t.mem_alloc(device, n * 4, &a), SR_OK);
  ASSERT_EQ(t.mem_alloc(device, n * 4, &b), SR_OK);
  ASSERT_EQ(t.mem_alloc(device, n * 4, &c), SR_OK);
  ASSERT_EQ(put(a, ones.data(), n * 4), SR_OK);
  ASSERT_EQ(put(b, ones.data(), n * 4), SR_OK);
  for (int i = 0; i < 20; ++i) ASSERT_EQ(run_add(a, b, c, n), SR_OK);
  t.mem_free(device, a);
  t.mem_free(device, b);
  ASSERT_EQ(t.copy(stream, nullptr, 0, got.data(), c, 0, nullptr, n * 4), SR_OK);
  EXPECT_EQ(got, std::vector<float>(n, 2));
}

TEST_F(ExampleTable, RefusesCopiesPastTheEnd) {
  open();
  sr_memory a;
  ASSERT_EQ(t.mem_alloc(device, 64, &a), SR_OK);
  char bytes[128] = {};
  EXPECT_EQ(put(a, bytes, 65), SR_ERROR_INVALID);
  EXPECT_EQ(t.copy(stream, nullptr, 0, bytes, a, ~uint64_t{0}, nullptr, 2), SR_ERROR_INVALID);
  EXPECT_EQ(put(a, bytes, 64), SR_OK);
}

TEST_F(ExampleTable, ClosesTwiceAndIgnoresNull) {
  open();
  t.device_close(device);
  t.device_close(device);
  t.device_close(nullptr);
  t.stream_destroy(nullptr);
}

TEST_F(ExampleTable, AnOldHostGetsAShortInfo) {
  open();
  sr_device_info info{};
  info.struct_size = offsetof(sr_device_info, concurrent_stream);
  info.concurrent_stream = 77;
  info.bandwidth = 7;
  ASSERT_EQ(t.device_info(device, &info), SR_OK);
  EXPECT_EQ(info.concurrent_stream, 77u);
  EXPECT_EQ(info.bandwidth, 7);
  EXPECT_EQ(info.alignment, 128u);
}

TEST(Null, HasShapesAndNothingElse) {
  set_strict_device(true);
  const Device chip("null");
  const Tensor x = ramp({1 << 10, 1 << 10}, 1, 1).to(chip);
  const Tensor y = sum(matmul(exp(x), x), {1});
  EXPECT_EQ(y.shape(), Shape({1 << 10}));
  EXPECT_EQ(y.to_vector<float>(), std::vector<float>(1 << 10, 0));
  const Tensor huge = Tensor::empty({int64_t{1} << 40}, kF32, chip);
  EXPECT_EQ(add(huge, huge).numel(), int64_t{1} << 40);
  set_strict_device(false);
}

}  // namespace
}  // namespace suiren
