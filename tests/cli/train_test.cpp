// Training through the command: the golden trace, same bits, interruption at any moment.

#include <random>
#include <set>

#include "suiren/io/safetensors.h"
#include "tests/cli/cli.h"

namespace suiren::cli_test {
namespace {

std::vector<json> lines(const std::string& path) {
  std::vector<json> rows;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) rows.push_back(json::parse(line));
  return rows;
}

TEST_F(Cli, RetracesTheGoldenRun) {
  must({"train", "--config", config("run"), "--quiet"});
  const json trace = json::parse(read_file("tests/golden/training/trace.json"))["float64"];
  const auto log = lines(at("run/log.jsonl"));
  ASSERT_EQ(log.size(), trace.size());
  for (size_t i = 0; i < log.size(); ++i) {
    EXPECT_EQ(log[i]["step"].get<size_t>(), i);
    EXPECT_EQ(log[i]["tokens"].get<size_t>(), (i + 1) * 256);
    const double loss = trace[i]["loss"], norm = trace[i]["grad_norm"], lr = trace[i]["lr"];
    EXPECT_NEAR(log[i]["loss"].get<double>(), loss, 1e-5 * loss) << i;
    EXPECT_NEAR(log[i]["grad_norm"].get<double>(), norm, 1e-4 * norm) << i;
    EXPECT_NEAR(log[i]["lr"].get<double>(), lr, 1e-9) << i;
  }
  const auto ours = io::SafeTensors::open(at("run/model/model.safetensors")),
             theirs = io::SafeTensors::open("tests/golden/training/final.safetensors");
  ASSERT_EQ(ours.entries().size(), theirs.entries().size());
  for (const auto& e : theirs.entries()) {
    const auto& o = ours.entry(e.name);
    ASSERT_EQ(o.bytes.size(), e.bytes.size());
    double difference = 0, norm = 0;
    for (size_t i = 0; i < e.bytes.size(); i += 4) {
      float a, b;
      memcpy(&a, o.bytes.data() + i, 4);
      memcpy(&b, e.bytes.data() + i, 4);
      difference += (a - b) * (a - b);
      norm += b * b;
    }
    EXPECT_LE(std::sqrt(difference), 1e-4 * std::sqrt(norm)) << e.name;
  }
}

TEST_F(Cli, ProfilesSomeStepsAndChangesNoBit) {
  must({"train", "--config", config("plain"), "--quiet"});
  const json j = json::parse(must({"train", "--config", config("seen"), "--quiet", "--json", "--profile",
                                   at("trace.json"), "--profile-steps", "3"}));
  EXPECT_EQ(weights(at("seen")), weights(at("plain")));
  const json& p = j["profile"];
  EXPECT_EQ(p["trace"], at("trace.json"));
  EXPECT_EQ(p["steps"], 3);
  EXPECT_EQ(p["events_left_out"], 0);
  double sum = p["outside_ops_seconds"];
  int64_t calls = 0;
  bool products = false;
  for (const json& op : p["ops"]) {
    sum += op["seconds"].get<double>();
    calls += op["calls"].get<int64_t>();
    products |= op["op"] == "matmul" && op["flops"] > 0;
  }
  EXPECT_NEAR(sum, p["seconds"].get<double>(), 1e-6);
  EXPECT_TRUE(products);
  std::set<std::string> steps;
  int64_t events = 0;
  const json trace = json::parse(read_file(at("trace.json")));
  for (const json& e : trace["traceEvents"]) {
    if (e.value("cat", "") == "step") steps.insert(e["name"]);
    events += e.value("cat", "") == "op";
  }
  EXPECT_EQ(steps, (std::set<std::string>{"step 2", "step 3", "step 4"}));
  EXPECT_EQ(events, calls);

  const std::string text = must({"train", "--config", config("table"), "--quiet", "--profile"});
  EXPECT_NE(text.find("profile of 10 steps"), std::string::npos) << text;
  EXPECT_TRUE(fs::exists(at("table/profile.json")));

  const Outcome brief = run({"train", "--config", config("brief"), "--set", "steps=2", "--set",
                             "schedule.warmup_steps=1", "--profile", at("none.json")});
  EXPECT_EQ(brief.code, 0);
  EXPECT_NE(brief.err.find("--profile: the run ended"), std::string::npos) << brief.err;
  EXPECT_FALSE(fs::exists(at("none.json")));
  for (const std::vector<std::string>& bad :
       {std::vector<std::string>{"--profile-steps", "3"}, {"--profile", "--profile-steps", "0"}}) {
    std::vector<std::string> args{"train", "--config", config("bad")};
    args.insert(args.end(), bad.begin(), bad.end());
    EXPECT_EQ(run(args).code, 2) << bad[0];
  }
}

TEST_F(Cli, SameBitsForAnyThreadsAndAnySplitOfABatch) {
  must({"train", "--config", config("base"), "--quiet"});
  const std::string expected = weights(at("base"));
  for (const char* threads : {"1", "2", "3", "4", "8"}) {
    must({"train", "--config", config(std::string("t") + threads), "--quiet", "--threads", threads});
    EXPECT_EQ(weights(at(std::string("t") + threads)), expected) << threads << " threads";
  }
  must({"train", "--config", config("split"), "--quiet", "--set", "batch.sequences=1", "--set",
        "batch.accumulate=4"});
  EXPECT_EQ(weights(at("split")), expected);
}

// Longer than a block of a product's sum: what adds gradients in place must have the bits of what adds them
// afterwards.
TEST_F(Cli, SameBitsForAnyThreadsOverLongSequences) {
  for (const char* precision : {"float32", "bfloat16"}) {
    std::string expected;
    for (const char* threads : {"1", "2", "8"}) {
      const std::string name = std::string(precision) + threads;
      must(
          {"train", "--config",
           put(name + ".yaml",
               "output: " + at(name) + "\nprecision: " + precision +
                   "\nmodel: {vocab_size: 512, hidden_size: 32, intermediate_size: 80, num_hidden_layers: 2, "
                   "num_attention_heads: 2, max_position_embeddings: 600, tie_word_embeddings: true}\n"
                   "data: {tokens: tests/golden/training/tokens.u16, sequence_length: 600}\n"
                   "batch: {sequences: 2}\nsteps: 3\nschedule: {warmup_steps: 1}\neval: {every: 0}\n"),
           "--quiet", "--threads", threads});
      if (expected.empty()) expected = weights(at(name));
      EXPECT_EQ(weights(at(name)), expected) << precision << ", " << threads << " threads";
    }
  }
}

// Weights and sums stay f32, so that bf16 changes the loss by its rounding alone; and the same bits hold,
// over a stop and the next start too.
TEST_F(Cli, Bfloat16FollowsFloat32WithTheSameBitsForAnyThreads) {
  const std::vector<std::string> bf16{"--set", "precision=bfloat16", "--quiet"};
  const auto train = [&](const std::string& name, std::vector<std::string> more) {
    std::vector<std::string> args{"train", "--config", config(name)};
    for (const auto* list : std::array{&bf16, &std::as_const(more)})
      args.insert(args.end(), list->begin(), list->end());
    must(args);
    return weights(at(name));
  };
  const std::string expected = train("base", {});
  const json trace = json::parse(read_file("tests/golden/training/trace.json"))["float64"];
  const auto log = lines(at("base/log.jsonl"));
  ASSERT_EQ(log.size(), trace.size());
  bool rounded = false;
  for (size_t i = 0; i < log.size(); ++i) {
    const double loss = trace[i]["loss"], ours = log[i]["loss"];
    EXPECT_NEAR(ours, loss, 5e-3 * loss) << i;
    rounded = rounded || std::abs(ours - loss) > 1e-5 * loss;
  }
  EXPECT_TRUE(rounded) << "the model did not run in bf16";
  for (const char* threads : {"1", "3"})
    EXPECT_EQ(train(std::string("t") + threads, {"--threads", threads}), expected) << threads << " threads";
  EXPECT_EQ(train("split", {"--set", "batch.sequences=1", "--set", "batch.accumulate=4"}), expected);
  EXPECT_EQ(train("source", {"--set", "checkpoint.every=7", "--set", "checkpoint.keep=9"}), expected);
  std::vector<std::string> checkpoints;
  for (const auto& c : fs::directory_iterator(at("source/checkpoints"))) checkpoints.push_back(c.path());
  ASSERT_GT(checkpoints.size(), 1u);
  EXPECT_EQ(train("rest", {"--resume", *std::ranges::min_element(checkpoints)}), expected);
}

TEST_F(Cli, KilledFiftyTimesAtRandomMomentsEndsInTheSameBits) {
  const std::vector<std::string> more{
      "--set", "steps=150", "--set", "checkpoint.every=3", "--set", "schedule.warmup_steps=9", "--quiet"};
  const auto command = [&](const std::string& name) {
    std::vector<std::string> args{"train", "--config", config(name)};
    args.insert(args.end(), more.begin(), more.end());
    return args;
  };
  const auto begin = std::chrono::steady_clock::now();
  must(command("whole"));
  const double whole_ms =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  const std::string expected = weights(at("whole"));
  std::mt19937 random(20);
  int kills = 0, finished = 0;
  for (int round = 0; kills < 50; ++round) {
    const std::string name = "killed" + std::to_string(round);
    while (true) {
      const pid_t pid = start(command(name));
      std::this_thread::sleep_for(std::chrono::microseconds(
          static_cast<int64_t>(std::uniform_real_distribution<>(0.02, 0.5)(random) * whole_ms * 1000)));
      if (waitpid(pid, nullptr, WNOHANG) != 0) break;
      const bool enough = kills == 50;  // then this one may end by itself
      if (!enough) {
        kill(pid, SIGKILL);
        ++kills;
      }
      waitpid(pid, nullptr, 0);
      if (enough) break;
    }
    must(command(name));  // ends what is left, or says that it is finished
    EXPECT_EQ(weights(at(name)), expected) << name;
    EXPECT_EQ(lines(at(name + "/log.jsonl")).size(), 150u);
    fs::remove_all(at(name));
    ++finished;
  }
  EXPECT_EQ(kills, 50);
  EXPECT_GE(finished, 1);
}

TEST_F(Cli, SigtermSavesAndTheSameCommandGoesOn) {
  must({"train", "--config", config("whole"), "--quiet", "--set", "steps=400"});
  const pid_t pid =
      start({"train", "--config", config("run"), "--set", "steps=400", "--set", "checkpoint.every=0"});
  while (!fs::exists(at("run/log.jsonl")) || fs::file_size(at("run/log.jsonl")) < 500)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  kill(pid, SIGTERM);
  const Outcome stopped = wait(pid);
  EXPECT_EQ(stopped.code, 130) << stopped.err;
  EXPECT_NE(stopped.err.find("the same command goes on"), std::string::npos) << stopped.err;
  const Outcome resumed =
      run({"train", "--config", config("run"), "--set", "steps=400", "--set", "checkpoint.every=0"});
  EXPECT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_NE(resumed.err.find("resuming"), std::string::npos) << resumed.err;
  EXPECT_EQ(weights(at("run")), weights(at("whole")));
  const Outcome again = run({"train", "--config", config("run"), "--set", "steps=400"});
  EXPECT_EQ(again.code, 0);
  EXPECT_NE(again.err.find("is finished"), std::string::npos) << again.err;
}

TEST_F(Cli, ResumesFromWhatItIsTold) {
  must({"train", "--config", config("run"), "--quiet"});
  const std::string expected = weights(at("run"));
  fs::remove(at("run/run.json"));
  fs::remove_all(at("run/checkpoints/step-000020"));
  fs::copy(at("run"), at("from"), fs::copy_options::recursive);
  must({"train", "--config", config("run"), "--quiet"});  // from step 10 of its own
  EXPECT_EQ(weights(at("run")), expected);
  must({"train", "--config", config("other"), "--resume", at("from/checkpoints/step-000010"), "--quiet"});
  EXPECT_EQ(weights(at("other")), expected);
  const Outcome never = run({"train", "--config", config("run"), "--resume", "never"});
  EXPECT_EQ(never.code, 2);
  EXPECT_NE(never.err.find("already holds a run"), std::string::npos) << never.err;
  const Outcome changed =
      run({"train", "--config", config("run"), "--set", "optimizer.lr=1e-5", "--set", "seed=9"});
  EXPECT_EQ(changed.code, 2);
  EXPECT_NE(changed.err.find("optimizer.lr: 0.003 -> 1e-05"), std::string::npos) << changed.err;
  EXPECT_NE(changed.err.find("seed: 1 -> 9"), std::string::npos) << changed.err;
}

TEST_F(Cli, CheckpointsEveryZeroAreNone) {
  must({"train", "--config", config("run"), "--quiet", "--set", "checkpoint.every=0"});
  EXPECT_FALSE(fs::exists(at("run/checkpoints")));
  // Finished: other settings are refused; but a run that left nothing to go on from starts anew.
  EXPECT_EQ(run({"train", "--config", config("run"), "--set", "seed=5"}).code, 2);
  json record = json::parse(read_file(at("run/run.json")));
  record["finished"] = false;
  std::ofstream(at("run/run.json")) << record.dump();
  must({"train", "--config", config("run"), "--set", "steps=4", "--set", "schedule.warmup_steps=1",
        "--quiet"});
  EXPECT_EQ(lines(at("run/log.jsonl")).size(), 4u);
}

TEST_F(Cli, ADamagedCheckpointIsNamedAndPassedOver) {
  must({"train", "--config", config("run"), "--quiet"});
  const std::string expected = weights(at("run")),
                    damaged = at("run/checkpoints/step-000020/optimizer.safetensors");
  std::string bytes = read_file(damaged);
  bytes[bytes.size() / 2] ^= 4;
  std::ofstream(damaged, std::ios::binary | std::ios::trunc) << bytes;
  json record = json::parse(read_file(at("run/run.json")));
  record["finished"] = false;
  std::ofstream(at("run/run.json")) << record.dump();
  const Outcome o = run({"train", "--config", config("run")});
  EXPECT_EQ(o.code, 0) << o.err;
  EXPECT_NE(o.err.find(damaged + " is damaged"), std::string::npos) << o.err;
  EXPECT_NE(o.err.find("at step 10"), std::string::npos) << o.err;
  EXPECT_EQ(weights(at("run")), expected);
  std::ofstream(damaged, std::ios::binary | std::ios::trunc) << bytes;
  const Outcome told =
      run({"train", "--config", config("new"), "--resume", at("run/checkpoints/step-000020")});
  EXPECT_EQ(told.code, 2);
}

TEST_F(Cli, ALossThatIsNoNumberStopsTheRunAndKeepsTheLastCheckpoint) {
  const Outcome o = run({"train", "--config", config("run"), "--set", "optimizer.lr=1000", "--set",
                         "optimizer.grad_clip=0", "--set", "checkpoint.every=1", "--set",
                         "schedule.warmup_steps=0", "--set", "optimizer.name=sgd", "--set", "steps=200"});
  EXPECT_EQ(o.code, 1) << o.err;
  EXPECT_NE(o.err.find("at step"), std::string::npos) << o.err;
  EXPECT_NE(o.err.find("nothing was updated"), std::string::npos) << o.err;
  EXPECT_FALSE(fs::is_empty(at("run/checkpoints")));
}

TEST_F(Cli, TwoProcessesDoNotWriteOneRun) {
  const pid_t pid = start({"train", "--config", config("run"), "--set", "steps=100000", "--quiet"});
  while (!fs::exists(at("run/log.jsonl"))) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  const Outcome second = run({"train", "--config", config("run"), "--set", "steps=100000"});
  EXPECT_EQ(second.code, 2);
  EXPECT_NE(second.err.find("is being written by another process"), std::string::npos) << second.err;
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
}

}  // namespace
}  // namespace suiren::cli_test
