#pragma once
// Runs the suiren binary as a person would.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "suiren/base/digest.h"
#include "suiren/base/file.h"

namespace suiren::cli_test {

namespace fs = std::filesystem;
using nlohmann::json;

struct Outcome {
  int code = -1;  ///< exit code, or -signal
  std::string out, err;
};

class Cli : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("suiren-cli-" + std::to_string(getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string at(const std::string& name) const { return (folder_ / name).string(); }
  std::string put(const std::string& name, const std::string& text) const {
    std::ofstream(at(name), std::ios::binary) << text;
    return at(name);
  }

  pid_t start(std::vector<std::string> args) const {
    const pid_t pid = fork();
    if (pid != 0) return pid;
    args.insert(args.begin(), SUIREN_BINARY);
    std::vector<char*> argv;
    for (auto& a : args) argv.push_back(a.data());
    argv.push_back(nullptr);
    dup2(open(at("out").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644), 1);
    dup2(open(at("err").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644), 2);
    execv(argv[0], argv.data());
    _exit(127);
  }
  Outcome wait(pid_t pid) const {
    int status = 0;
    waitpid(pid, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), read_file(at("out")),
            read_file(at("err"))};
  }
  Outcome run(const std::vector<std::string>& args) const { return wait(start(args)); }
  /// run() that must succeed; its standard output.
  std::string must(const std::vector<std::string>& args) const {
    const Outcome o = run(args);
    EXPECT_EQ(o.code, 0) << o.err;
    return o.out;
  }
  /// The SHA-256 of a run's final weights.
  static std::string weights(const std::string& run) {
    return sha256(read_file(run + "/model/model.safetensors"));
  }

  /// A configuration on the committed golden tokens; `output` under the test's folder.
  std::string config(const std::string& output, const std::string& extra = "") const {
    return put(
        output + ".yaml",
        "output: " + at(output) +
            "\ninit_from: tests/golden/training/init\n"
            "data: {tokens: tests/golden/training/tokens.u16, order: sequential, sequence_length: 64}\n"
            "batch: {sequences: 4, accumulate: 1}\nsteps: 20\n"
            "optimizer: {name: adamw, lr: 3.0e-3, betas: [0.9, 0.95], eps: 1.0e-8, weight_decay: 0.1, "
            "grad_clip: 1.0}\n"
            "schedule: {name: cosine, warmup_steps: 4, final_ratio: 0.1}\nprecision: float32\nseed: 1\n"
            "checkpoint: {every: 10, keep: 2}\neval: {every: 0}\n" +
            extra);
  }

  fs::path folder_;
};

}  // namespace suiren::cli_test
