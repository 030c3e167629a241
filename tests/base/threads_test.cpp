#include "suiren/base/threads.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <vector>

namespace suiren {

TEST(Threads, EveryItemOnceForAnyThreadCount) {
  for (int threads : {1, 2, 3, 4, 8}) {
    set_thread_count(threads);
    for (int64_t n : {0, 1, 7, 64, 1001}) {
      std::vector<int> seen(n, 0);
      parallel_for(n, 3, [&](int64_t b, int64_t e) {
        for (int64_t i = b; i < e; ++i) ++seen[i];
      });
      EXPECT_EQ(seen, std::vector<int>(n, 1));
      std::vector<std::atomic<int>> tasks(n);
      parallel_tasks(n, [&](int64_t i) { ++tasks[i]; });
      for (auto& t : tasks) EXPECT_EQ(t.load(), 1);
    }
  }
  set_thread_count(available_cpus());
}

TEST(Threads, TasksAreHandedOutOnceHoweverShort) {
  set_thread_count(4);
  constexpr int64_t kTasks = 300000;
  for (int round = 0; round < 4; ++round) {
    std::vector<std::atomic<uint8_t>> seen(kTasks);
    parallel_tasks(kTasks, [&](int64_t i) { ++seen[static_cast<size_t>(i)]; });
    int64_t wrong = 0;
    for (auto& s : seen) wrong += s.load() != 1;
    EXPECT_EQ(wrong, 0);
  }
  set_thread_count(available_cpus());
}

TEST(Threads, ExceptionsReachTheCaller) {
  set_thread_count(3);
  EXPECT_THROW(parallel_tasks(50,
                              [](int64_t i) {
                                if (i == 17) throw std::runtime_error("x");
                              }),
               std::runtime_error);
  EXPECT_THROW(set_thread_count(0), std::exception);
  set_thread_count(available_cpus());
}

TEST(Threads, NestedCallsRunInlineAndBarriersMeet) {
  set_thread_count(4);
  std::atomic<int> sum{0};
  parallel_region(
      [&](int, int) { parallel_for(10, 1, [&](int64_t b, int64_t e) { sum += static_cast<int>(e - b); }); });
  EXPECT_EQ(sum.load(), 40);
  std::vector<int> phase(4, 0);
  RegionBarrier barrier(4);
  std::atomic<bool> wrong{false};
  parallel_region([&](int thread, int threads) {
    ASSERT_EQ(threads, 4);
    for (int step = 1; step <= 100; ++step) {
      phase[thread] = step;
      barrier.wait();
      for (int other : phase) wrong = wrong || other != step;
      barrier.wait();
    }
  });
  EXPECT_FALSE(wrong);
  set_thread_count(available_cpus());
}

}  // namespace suiren
