// The conformance kit finds each lie of tests/conform/plugins/lying_chip.cpp and names it; the CPU and an
// honest chip pass.

#include <fmt/core.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "suiren/base/file.h"

namespace suiren {
namespace {

using nlohmann::json;

struct Ran {
  int status;
  json report;
};

Ran conform(const std::string& chip, const std::string& only, const std::string& lie = "") {
  const std::string file = testing::TempDir() + "suiren_conform_report.json";
  write_file(file, "{}");
  const std::string command =
      fmt::format("{}'{}' conform '{}' --quiet --patience {} --json '{}' {} > /dev/null 2>&1",
                  lie.empty() ? "" : "SUIREN_LIE=" + lie + " ", SUIREN_BINARY, chip, lie.empty() ? 60 : 10,
                  file, only.empty() ? "" : "--only " + only);
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, json::parse(read_file(file))};
}

std::string failures(const json& report) {
  std::string text;
  for (const json& c : report["checks"])
    if (c["outcome"] == "fail")
      text += fmt::format("\n{}/{}: {}", c["group"].get<std::string>(), c["check"].get<std::string>(),
                          c["detail"].get<std::string>());
  return text;
}

struct Lie {
  const char *lie, *check, *says;
  const char* chip = SUIREN_LYING_CHIP;
};
constexpr Lie kLies[] = {
    {"truncates", "ops/mul", "bf16"},
    {"low_precision", "ops/sum", "expected"},
    {"no_wait", "streams/waits", "did not wait"},
    {"reorders", "streams/order", "not what their order gives"},
    {"ignores_strides", "ops/add", "(inputs ff)"},
    {"ignores_offset", "ops/neg", "shifted"},
    {"claims_any_dtype", "ops/copy", "f16"},
    {"refuses_claimed", "ops/mul", "claimed NATIVE, but op_run failed"},
    {"one_in_100000", "ops/add", "element"},
    {"leaks", "memory/leaks", "grew by"},
    {"leaks", "memory/memory_limit", "memory is full"},
    {"past_the_end", "ops/neg", "behind the end"},
    {"misaligned", "memory/alignment", "not at a multiple of 64"},
    {"ok_when_full", "memory/exhaustion", "SR_OK and a null handle"},
    {"swallows", "streams/late_errors", "never reported"},
    {"late_twice", "streams/late_errors", "reported again"},
    {"frees_early", "memory/reuse", "given away while a queued copy"},
    {"crashes_on_unknown", "abi/unknown", "crashed with SIGABRT"},
    {"changes_its_mind", "abi/steady", "changed its mind"},
    {"drops_nan", "ops/add", "NaN"},
    {"flushes", "ops/copy", "denormal"},
    {"odd_tail", "ops/mul", "expected"},
    {"stale_plan", "ops/neg", "a plan is not its call's own"},
    {"crashes_on_empty", "ops/copy", "crashed with SIGABRT"},
    {"hangs", "ops/neg", "hung"},
    {"races", "streams/threads", ""},
    {"unbounded", "memory/bounds", "was accepted"},
    {"odd_copies", "memory/odd_copies", "bytes"},
    {"long_info", "abi/struct_size", "struct_size"},
    // At the second call, or under the thread sanitizer at the next.
    {"closes_twice", "abi/closing", " in closing "},
    {"none", "abi/symbols", "exports 2 symbols", SUIREN_TALKATIVE_CHIP},
};

TEST(Conform, CatchesEachLieAndNamesIt) {
  size_t caught = 0;
  for (const Lie& l : kLies) {
    const Ran r = conform(l.chip, l.check, l.lie);
    const std::string text = r.report.contains("checks") ? failures(r.report) : "no report";
    const bool named = r.status == 1 && text.find(std::string("\n") + l.check + ": ") != std::string::npos &&
                       text.find(l.says) != std::string::npos;
    EXPECT_TRUE(named) << l.lie << ": " << l.check << " should fail and say '" << l.says << "'; exit "
                       << r.status << text;
    caught += named;
  }
  fmt::print("lies caught {}/{}\n", caught, std::size(kLies));
}

TEST(Conform, PassesAnHonestChip) {
  const Ran r = conform(SUIREN_LYING_CHIP, "abi,memory,streams,ops,roofline,training/checkpoint");
  EXPECT_EQ(r.status, 0) << failures(r.report);
  EXPECT_GT(r.report["pass"].get<int>(), 30);
}

TEST(Conform, PassesTheExample) {
  // All but memory/large: this chip writes all of the 4 GiB, which a small machine has not.
  const Ran r = conform(SUIREN_EXAMPLE_CHIP,
                        "abi,streams,ops,gradients,training,roofline,memory/alignment,memory/odd_copies,"
                        "memory/zero_bytes,memory/bounds,memory/overlap,memory/red_zones,memory/exhaustion,"
                        "memory/memory_limit,memory/leaks,memory/reuse");
  EXPECT_EQ(r.status, 0) << failures(r.report);
  EXPECT_GT(r.report["pass"].get<int>(), 30);
}

// A chip that takes every op and computes nothing keeps the border and is wrong about all values.
TEST(Conform, SeesThatTheNullChipComputesNothing) {
  const Ran r =
      conform(SUIREN_NULL_CHIP, "abi/table,abi/symbols,memory/odd_copies,ops/add,ops/matmul,training/logits");
  EXPECT_EQ(r.status, 1);
  EXPECT_EQ(r.report["pass"].get<int>(), 2) << failures(r.report);
  EXPECT_EQ(r.report["fail"].get<int>(), 4) << failures(r.report);
}

TEST(Conform, PassesTheCpu) {
  const Ran r = conform("cpu", "");
  EXPECT_EQ(r.status, 0) << failures(r.report);
  EXPECT_GT(r.report["pass"].get<int>(), 100);
}

TEST(Conform, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(conform("cpu", "memory/leeks").status, 2);
  EXPECT_EQ(conform("/nonexistent/chip.so", "abi/table").status, 2);
  EXPECT_EQ(conform("nochip", "abi/table").status, 2);
}

}  // namespace
}  // namespace suiren
