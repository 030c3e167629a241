// Rows R2 and R3: a save that is killed at any system call, and a checkpoint with any byte damaged.

#include "suiren/train/checkpoint.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "suiren/base/error.h"
#include "suiren/base/file.h"
#include "suiren/base/log.h"
#include "tests/train/checkpoints.h"
#include "tests/train/file_calls.h"

namespace suiren::train {
namespace {

namespace fs = std::filesystem;

Checkpoint make(int64_t step, float base) { return make_checkpoint(step, base); }

void expect_equal(const Checkpoint& a, const Checkpoint& b) {
  EXPECT_TRUE(same(a, b)) << "steps " << a.step << " and " << b.step;
}

class CheckpointTest : public testing::Test {
 protected:
  void SetUp() override {
    set_log_level(LogLevel::kQuiet);
    folder_ = fs::temp_directory_path() / ("suiren-checkpoint-" + std::to_string(getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override {
    fs::remove_all(folder_);
    set_log_level(LogLevel::kInfo);
  }
  std::string run() const { return folder_.string(); }
  fs::path folder_;
};

TEST_F(CheckpointTest, WhatIsSavedIsLoaded) {
  const Checkpoint c = make(10, 1.5f);
  save_checkpoint(run(), c, 2);
  expect_equal(load_checkpoint(checkpoint_path(run(), 10)), c);
}

TEST_F(CheckpointTest, KeepsTheNewest) {
  for (int64_t step : {10, 20, 30, 40}) save_checkpoint(run(), make(step, 1), 2);
  EXPECT_EQ(list_checkpoints(run()), (std::vector<int64_t>{30, 40}));
}

TEST_F(CheckpointTest, KilledAtEveryCallOfASaveLeavesOldOrNew) {
  // Once beside an older step, once in place of a checkpoint of the same step.
  for (int64_t new_step : {20, 10}) {
    const Checkpoint before = make(10, 1), after = make(new_step, 5);
    bool finished = false;
    int kills = 0, old_seen = 0, new_seen = 0;
    for (long n = 1; !finished; ++n) {
      fs::remove_all(folder_ / "checkpoints");
      save_checkpoint(run(), before, 2);
      const pid_t child = fork();
      if (child == 0) {
        die_at_call(n);
        save_checkpoint(run(), after, 2);
        _exit(0);
      }
      int status = 0;
      waitpid(child, &status, 0);
      finished = WIFEXITED(status) && WEXITSTATUS(status) == 0;
      kills += !finished;
      const auto found = load_latest(run());
      ASSERT_TRUE(found) << "killed at call " << n;
      const bool is_new = same(*found, after);
      EXPECT_TRUE(is_new || same(*found, before)) << "killed at call " << n;
      ++(is_new ? new_seen : old_seen);
    }
    EXPECT_GE(kills, 25);  // five files made, written, synced and renamed; folders made, synced and renamed
    EXPECT_GT(old_seen, 0);
    EXPECT_GT(new_seen, 0);
  }
}

TEST_F(CheckpointTest, EveryDamagedByteAndEveryTruncationIsFound) {
  save_checkpoint(run(), make(10, 1), 2);
  const std::string folder = checkpoint_path(run(), 10);
  int64_t damages = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string path = entry.path().string(), whole = read_file(path);
    const auto refused = [&](const std::string& bytes) {
      std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
      ++damages;
      try {
        load_checkpoint(folder);
        return false;
      } catch (const Error& e) {
        EXPECT_EQ(exit_code(e.code()), 2) << e.what();
        return std::string(e.what()).find(folder) != std::string::npos;
      }
    };
    for (size_t i = 0; i < whole.size(); ++i) {
      for (int kind = 0; kind < 3; ++kind) {
        std::string bytes = whole;
        bytes[i] = static_cast<char>(kind == 0 ? bytes[i] ^ 0x10 : kind == 1 ? 0 : 0xff);
        if (bytes != whole) {
          ASSERT_TRUE(refused(bytes)) << path << " byte " << i;
        }
      }
      ASSERT_TRUE(refused(whole.substr(0, i))) << path << " cut to " << i;
    }
    std::ofstream(path, std::ios::binary | std::ios::trunc) << whole;
  }
  EXPECT_GT(damages, 4000);
  EXPECT_NO_THROW(load_checkpoint(folder));
}

TEST_F(CheckpointTest, TheDamagedTensorIsNamedAndTheOlderCheckpointTaken) {
  const Checkpoint old = make(10, 1);
  save_checkpoint(run(), old, 2);
  save_checkpoint(run(), make(20, 2), 2);
  const std::string path = checkpoint_path(run(), 20) + "/model.safetensors";
  std::string bytes = read_file(path);
  bytes[bytes.size() - 1] ^= 1;  // the last element of b.weight
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  try {
    load_checkpoint(checkpoint_path(run(), 20));
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find(path + " is damaged: the digest of tensor 'b.weight' differs"),
              std::string::npos)
        << e.what();
  }
  const auto found = load_latest(run());
  ASSERT_TRUE(found);
  expect_equal(*found, old);
}

TEST_F(CheckpointTest, AFullDiskIsAClearErrorAndLeavesThePreviousOne) {
  const Checkpoint old = make(10, 1);
  save_checkpoint(run(), old, 2);
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{300, 300};  // writes beyond 300 bytes fail, as on a full disk
    setrlimit(RLIMIT_FSIZE, &limit);
    try {
      save_checkpoint(run(), make(20, 2), 2);
    } catch (const Error& e) {
      _exit(e.code() == ErrorCode::kIo && std::string(e.what()).find(run()) != std::string::npos ? 42 : 43);
    }
    _exit(44);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 42);
  EXPECT_EQ(list_checkpoints(run()), (std::vector<int64_t>{10}));
  expect_equal(load_checkpoint(checkpoint_path(run(), 10)), old);
  size_t leftovers = 0;
  for (const auto& e : fs::directory_iterator(folder_ / "checkpoints"))
    leftovers += e.path().filename().string().starts_with(".");
  EXPECT_EQ(leftovers, 0u);
}

}  // namespace
}  // namespace suiren::train
