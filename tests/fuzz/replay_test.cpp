// Every input that fuzzing once found, and those written by hand for a known kind of attack, on the parser
// that it is for: tests/fuzz/regressions/<target>/*.

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <ostream>

#include "suiren/base/file.h"
#include "tests/fuzz/target.h"

namespace suiren::fuzz {
void PrintTo(const Target* t, std::ostream* to) { *to << t->name; }
namespace {

namespace fs = std::filesystem;

class Replay : public testing::TestWithParam<const Target*> {};
INSTANTIATE_TEST_SUITE_P(Fuzz, Replay, testing::ValuesIn(targets()),
                         [](const auto& info) { return std::string(info.param->name); });

TEST_P(Replay, EndsInASuirenErrorOrWell) {
  const fs::path folder = fs::path("tests/fuzz/regressions") / GetParam()->name;
  int inputs = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    SCOPED_TRACE(entry.path().string());
    const std::string text = read_file(entry.path());
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(check(*GetParam(), {reinterpret_cast<const uint8_t*>(text.data()), text.size()}), "");
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    EXPECT_LT(took.count(), 10) << "hangs";
    ++inputs;
  }
  EXPECT_GT(inputs, 0) << folder << " holds no inputs";
  RecordProperty("inputs", inputs);
}

TEST_P(Replay, TakesNothingAndNoise) {
  EXPECT_EQ(check(*GetParam(), {}), "");
  std::vector<uint8_t> noise(4096);
  for (size_t i = 0; i < noise.size(); ++i) noise[i] = static_cast<uint8_t>(i * i * 2654435761u >> 13);
  for (size_t size : {1, 2, 7, 8, 9, 4096}) EXPECT_EQ(check(*GetParam(), Bytes(noise).first(size)), "");
}

}  // namespace
}  // namespace suiren::fuzz
