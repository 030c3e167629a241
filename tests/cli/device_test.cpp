// suiren on chips that are plug-ins: training, the ledger, --strict-device, late errors, doctor, compare.

#include <cstdlib>

#include "tests/cli/cli.h"

namespace suiren::cli_test {
namespace {

class Devices : public Cli {
 protected:
  void TearDown() override {
    unsetenv("SUIREN_EXAMPLE_FAULT");
    Cli::TearDown();
  }
};

// The model of tests/golden/training, to the losses that torch computed in float64.
TEST_F(Devices, TheExampleChipTrainsToTheGoldenLosses) {
  const std::string table = must({"train", "--config", config("run"), "--device", "example", "--quiet"});
  const json trace = json::parse(read_file("tests/golden/training/trace.json"))["float64"];
  std::ifstream log(at("run/log.jsonl"));
  std::string line;
  size_t step = 0;
  for (; std::getline(log, line); ++step) {
    const json row = json::parse(line);
    const double loss = trace[step]["loss"], norm = trace[step]["grad_norm"];
    EXPECT_NEAR(row["loss"].get<double>(), loss, 1e-5 * loss) << "step " << step;
    EXPECT_NEAR(row["grad_norm"].get<double>(), norm, 1e-4 * norm) << "step " << step;
  }
  EXPECT_EQ(step, 20u);
  EXPECT_EQ(table.rfind("fallbacks of example:0: ops that ran on the CPU, by copy\n", 0), 0u) << table;
  for (const char* part : {"op ", "shapes", "calls", "copied", "ms", "share", "reason", "matmul_sum",
                           "\nmul ", "the example chip has matmul, add and copy", "more rows", "\nall "})
    EXPECT_NE(table.find(part), std::string::npos) << part << "\n" << table;
  for (const char* native : {"\nmatmul ", "\ncopy "})
    EXPECT_EQ(table.find(native), std::string::npos) << table;
}

TEST_F(Devices, TheLedgerIsInTheJsonToo) {
  const json r = json::parse(must({"train", "--config", config("run"), "--set", "steps=2",
                                   "schedule.warmup_steps=1", "--device", "example", "--quiet", "--json"}));
  ASSERT_FALSE(r["fallbacks"].empty());
  double share = 0;
  for (const json& f : r["fallbacks"]) {
    EXPECT_EQ(f["device"], "example:0");
    EXPECT_EQ(f["where"], "cpu");
    EXPECT_GT(f["count"], 0);
    EXPECT_GT(f["bytes"], 0);
    share += f["share"].get<double>();
  }
  EXPECT_GT(share, 0);
  EXPECT_LE(share, 1);
}

TEST_F(Devices, AProfileCountsTheCostOfAFallbackOnce) {
  const auto flops = [&](const std::string& device) {
    const json r =
        json::parse(must({"train", "--config", config(device), "--set", "steps=4", "schedule.warmup_steps=1",
                          "--device", device, "--quiet", "--json", "--profile", "--profile-steps", "1"}));
    for (const json& op : r["profile"]["ops"])
      if (op["op"] == "matmul_sum") return op["flops"].get<double>();
    return 0.0;
  };
  const double own = flops("cpu");
  EXPECT_GT(own, 0);
  EXPECT_EQ(flops("example"), own);
}

TEST_F(Devices, StrictDeviceStopsAtTheFirstOpThatWouldLeave) {
  const Outcome o =
      run({"train", "--config", config("run"), "--device", "example", "--strict-device", "--quiet"});
  EXPECT_EQ(o.code, 2);
  for (const char* part : {"[embedding]", "example:0", "f32 [512, 64]",
                           "the example chip has matmul, add and copy", "--strict-device"})
    EXPECT_NE(o.err.find(part), std::string::npos) << part << "\n" << o.err;
}

TEST_F(Devices, ALateErrorStopsTheRunWithTheChipsOwnSentence) {
  setenv("SUIREN_EXAMPLE_FAULT", "100", 1);
  const Outcome o = run({"train", "--config", config("run"), "--device", "example", "--quiet"});
  EXPECT_EQ(o.code, 1);
  EXPECT_NE(o.err.find("reports a parity error"), std::string::npos) << o.err;
  EXPECT_NE(o.err.find("example:0"), std::string::npos) << o.err;
}

TEST_F(Devices, TheNullChipRunsAWholeTraining) {
  const json r =
      json::parse(must({"train", "--config", config("run"), "--device", "null", "--quiet", "--json"}));
  EXPECT_EQ(r["steps"], 20);
  EXPECT_EQ(r["loss"], 0);
  EXPECT_FALSE(r.contains("fallbacks"));
}

TEST_F(Devices, DoctorListsWhatChipsSayOfThemselves) {
  const json r = json::parse(must({"doctor", "--json"}));
  std::map<std::string, json> found;
  for (const json& d : r["devices"]) found[d["name"]] = d;
  ASSERT_TRUE(found.contains("cpu:0") && found.contains("example:0") && found.contains("null:0"))
      << r["devices"];
  EXPECT_GT(found["cpu:0"]["memory_bytes"], 0);
  EXPECT_EQ(found["example:0"]["bandwidth_bytes_per_s"], 8e9);
  EXPECT_EQ(found["example:0"]["peak_flops"]["f32"], 4e9);
  EXPECT_FALSE(found["null:0"].contains("bandwidth_bytes_per_s"));
  EXPECT_NE(
      must({"doctor"}).find("example:0 · example chip (a thread of this process) · 8.0 GB/s · f32 4 GFLOP/s"),
      std::string::npos);
}

TEST_F(Devices, CompareFindsThatTheExampleChipAgrees) {
  const json r = json::parse(must({"compare", "--model", "tests/golden/training/init", "--device", "cpu",
                                   "--device", "example", "--json"}));
  EXPECT_EQ(r["agree"], true);
  EXPECT_GT(r["ops"], 20);
  EXPECT_GT(r["closest"], 0);
  EXPECT_NE(must({"compare", "--model", "tests/golden/training/init", "--device", "example", "--device",
                  "cpu", "--tokens", "5"})
                .find("they agree"),
            std::string::npos);
}

TEST_F(Devices, CompareNamesTheOpAndSavesTheCall) {
  const Outcome o = run({"compare", "--model", "tests/golden/training/init", "--device", "cpu", "--device",
                         "null", "--save", at("saved")});
  EXPECT_EQ(o.code, 1);
  EXPECT_NE(o.out.find("differs    op 1: cast(dtype=1) on f64 [64, 8]"), std::string::npos) << o.out;
  const Outcome again = run({"compare", "--replay", at("saved"), "--device", "null", "--json"});
  EXPECT_EQ(again.code, 1);
  EXPECT_EQ(json::parse(again.out)["difference"]["op"], "cast");
  EXPECT_NE(must({"compare", "--replay", at("saved"), "--device", "example"}).find("they agree"),
            std::string::npos);
  EXPECT_EQ(run({"compare", "--model", "tests/golden/training/init", "--device", "cpu"}).code, 2);
}

}  // namespace
}  // namespace suiren::cli_test
