// What the profiler sees of ops, their parts and threads; its table and its trace.

#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "suiren/base/file.h"
#include "suiren/base/threads.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/full/full.h"
#include "suiren/ops/matmul/matmul.h"
#include "suiren/profile/profiler.h"
#include "suiren/profile/table.h"

namespace suiren::profile {
namespace {

using nlohmann::json;

Roofs some_roofs() {
  Roofs r;
  r.flops.fill(1e11);
  r.read = 2e10;
  r.update = 1e10;
  return r;
}

const Row& row_of(const std::vector<Row>& rows, const std::string& op) {
  for (const Row& r : rows)
    if (r.op == op) return r;
  throw std::runtime_error("no row for " + op);
}

json trace_of(const Profiler& p) {
  const auto path = std::filesystem::temp_directory_path() / ("trace-" + std::to_string(getpid()) + ".json");
  p.write_chrome_trace(path);
  const json j = json::parse(read_file(path));
  std::filesystem::remove(path);
  return j;
}

// An op made of others, as no kernel runs it.
struct TwoProducts {
  static constexpr OpName name = "two_products";
  static constexpr const char* doc = "y = a @ a @ a";
  using Attrs = NoAttrs;
  static constexpr auto fields = std::tuple{};
  static constexpr DTypes dtypes = kFloating;
  static Specs infer(const Attrs&, const TensorSpec& a) { return {a}; }
  static Tensor decompose(const Attrs&, const Tensor& a) { return matmul(matmul(a, a), a); }
  static Samples samples() { return {}; }
};

TEST(Profiler, CountsCallsOfWatchedStepsAlone) {
  Profiler p(some_roofs());
  const Tensor a = ones({64, 64}), b = ones({32, 64});
  matmul(a, a);
  {
    const Profiler::Watch watch(p, 0);
    matmul(a, a);
    matmul(a, a);
    matmul(b, a);
  }
  matmul(a, a);
  {
    const Profiler::Watch watch(p, 1);
    const Tensor c = a + a;
  }
  const Profile seen = p.profile();
  EXPECT_EQ(seen.steps, 2);
  ASSERT_EQ(seen.by_shape.size(), 3u);
  const auto ops = seen.by_op();
  ASSERT_EQ(ops.size(), 2u);
  EXPECT_EQ(row_of(ops, "matmul").calls, 3);
  EXPECT_EQ(row_of(ops, "matmul").flops, 2.0 * 64 * 64 * (64 + 64 + 32));
  EXPECT_EQ(row_of(ops, "add").calls, 1);
  EXPECT_EQ(row_of(ops, "add").bytes, 4.0 * 3 * 64 * 64);
  EXPECT_DOUBLE_EQ(row_of(ops, "add").roof_seconds, 4.0 * 3 * 64 * 64 / 1e10);
  EXPECT_EQ(seen.by_shape[0].calls + seen.by_shape[1].calls + seen.by_shape[2].calls, 4);
  for (const Row& r : seen.by_shape)
    EXPECT_EQ(r.calls, r.shapes == "f32 [64, 64], f32 [64, 64]" && r.op == "matmul" ? 2 : 1);
}

TEST(Profiler, PartsCarryTheCostAndTheirTimeIsNotCountedTwice) {
  Profiler p(some_roofs());
  const Tensor a = ones({200, 200});
  {
    const Profiler::Watch watch(p, 0);
    dispatch<TwoProducts>({}, a);
  }
  const Profile seen = p.profile();
  const Row outer = row_of(seen.by_shape, "two_products"), parts = row_of(seen.by_shape, "matmul");
  EXPECT_EQ(outer.flops + outer.bytes, 0);
  EXPECT_EQ(parts.calls, 2);
  EXPECT_EQ(parts.flops, 2 * 2.0 * 200 * 200 * 200);
  EXPECT_GE(outer.seconds, 0);
  EXPECT_GE(parts.seconds, 0);
  EXPECT_LE(outer.seconds + parts.seconds, seen.seconds);

  const json trace = trace_of(p);
  double begin = 0, end = 0, step_begin = 0, step_end = 0;
  int nested = 0;
  for (const json& e : trace["traceEvents"])
    if (e["ph"] == "X" && e["name"] != "matmul") {
      const double ts = e["ts"], dur = e["dur"];
      if (e["name"] == "two_products") begin = ts, end = ts + dur;
      if (e["name"] == "step 0") step_begin = ts, step_end = ts + dur;
    }
  EXPECT_LE(step_begin, begin);
  EXPECT_LE(end, step_end);
  for (const json& e : trace["traceEvents"])
    if (e["name"] == "matmul") {
      const double ts = e["ts"], dur = e["dur"];
      nested += ts >= begin && ts + dur <= end + 0.002;  // times are written to the nanosecond
      EXPECT_EQ(e["pid"], 1);
      EXPECT_EQ(e["tid"], 0);
      EXPECT_EQ(e["args"]["shapes"], "f32 [200, 200], f32 [200, 200]");
    }
  EXPECT_EQ(nested, 2);
}

TEST(Profiler, ThreadsSideBySideShareTheMachine) {
  const int before = thread_count();
  set_thread_count(3);
  Profiler p(some_roofs());
  const Tensor a = ones({150, 150});
  {
    const Profiler::Watch watch(p, 7);
    parallel_region([&](int, int) {
      for (int i = 0; i < 5; ++i) matmul(a, a);
    });
  }
  set_thread_count(before);
  const Profile seen = p.profile();
  EXPECT_EQ(seen.threads, 3);
  EXPECT_EQ(row_of(seen.by_shape, "matmul").calls, 15);
  EXPECT_LE(row_of(seen.by_shape, "matmul").seconds, seen.seconds);
  const json trace = trace_of(p);
  std::map<int, double> until;  // the calls of one thread come one after another
  for (const json& e : trace["traceEvents"])
    if (e["name"] == "matmul") {
      EXPECT_GE(e["ts"].get<double>(), until[e["tid"]] - 0.002);
      until[e["tid"]] = e["ts"].get<double>() + e["dur"].get<double>();
    }
  EXPECT_EQ(until.size(), 3u);
}

TEST(Profiler, TheTraceEndsWhereItsRoomDoesAndSaysSo) {
  Profiler p(some_roofs(), 4);
  const Tensor a = ones({3});
  {
    const Profiler::Watch watch(p, 0);
    for (int i = 0; i < 10; ++i) const Tensor c = a + a;
  }
  const Profile seen = p.profile();
  EXPECT_EQ(row_of(seen.by_shape, "add").calls, 10);
  EXPECT_EQ(seen.events, 4);
  EXPECT_EQ(seen.events_left_out, 6);
  const json trace = trace_of(p);
  EXPECT_EQ(trace["otherData"]["events_left_out"], 6);
  EXPECT_EQ(std::count_if(trace["traceEvents"].begin(), trace["traceEvents"].end(),
                          [](const json& e) { return e["name"] == "add"; }),
            4);
}

TEST(Profiler, AnOpThatThrowsLeavesTheRestInOrder) {
  Profiler p(some_roofs());
  const Tensor a = ones({2, 3});
  {
    const Profiler::Watch watch(p, 0);
    EXPECT_THROW(matmul(a, a), Error);
    const Tensor c = a + a;
  }
  EXPECT_EQ(p.profile().by_shape.size(), 1u);
  EXPECT_THROW(p.write_chrome_trace("/nonexistent/trace.json"), Error);
}

TEST(ProfileTable, FitsAHundredColumnsAndAddsUp) {
  Profile p;
  p.steps = 2;
  p.threads = 2;
  p.seconds = 2;
  p.roofs = some_roofs();
  for (int i = 0; i < 20; ++i) {
    const double s = i == 0 ? 1.0 : 0.02;
    p.by_shape.push_back(
        {.op = "op_" + std::to_string(i),
         .shapes = "f32 [16, 256, 4, 64], f32 [16, 256, 4, 64], f32 [16, 256, 4, 64], bf16 [3]",
         .calls = 3,
         .seconds = s,
         .flops = 5e10,
         .bytes = 1e6,
         .roof_seconds = s / 2,
         .flop_seconds = i == 0 ? s / 2 : 0});
  }
  const std::string text = profile_table(p, 10);
  std::istringstream in(text);
  std::map<std::string, std::string> lines;
  for (std::string line; std::getline(in, line);) {
    EXPECT_LE(line.size(), 100u) << line;
    std::istringstream words(line);
    std::string first;
    words >> first;
    lines.emplace(first, line);
  }
  EXPECT_NE(lines["op_0"].find("50.0 GFLOP/s"), std::string::npos) << lines["op_0"];
  EXPECT_NE(lines["op_0"].find("500.00"), std::string::npos) << "a second in two steps: " << lines["op_0"];
  EXPECT_NE(lines["op_0"].find("50.0%"), std::string::npos);
  EXPECT_NE(lines["op_0"].find("1.5"), std::string::npos) << "three calls in two steps";
  EXPECT_NE(lines["op_1"].find("GB/s"), std::string::npos);
  EXPECT_NE(lines["10"].find("more"), std::string::npos);
  EXPECT_NE(lines["outside"].find("310.00"), std::string::npos)
      << "2 - 1 - 19 / 50, a step: " << lines["outside"];
  EXPECT_NE(lines["the"].find("100.0%"), std::string::npos);
  EXPECT_NE(text.find("op_0 [16,256,4,64] [16,256,4,64]"), std::string::npos);
}

}  // namespace
}  // namespace suiren::profile
