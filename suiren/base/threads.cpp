#include "suiren/base/threads.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "suiren/base/error.h"

namespace suiren {
namespace {

constexpr int kSpins = 4000;  // about 50 us: longer than the gap between two kernels of a step
thread_local bool inside_region = false;

// Tells the core that this is a loop that waits.
void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Workers wait for `generation` to move, run job(thread), and count themselves out.
class Pool {
 public:
  explicit Pool(int threads) : threads_(threads) {
    for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { work(i); });
  }
  ~Pool() {
    {
      std::lock_guard lock(mutex_);
      stop_ = true;
      generation_.fetch_add(1);
    }
    wake_.notify_all();
    for (auto& w : workers_) w.join();
  }
  int threads() const { return threads_; }

  void run(FunctionRef<void(int, int)> body) {
    job_ = &body;
    error_ = nullptr;
    pending_.store(threads_ - 1, std::memory_order_relaxed);
    {
      // The lock pairs with the workers' check before they park, so that no wake-up is lost.
      std::unique_lock<std::mutex> lock(mutex_, std::defer_lock);
      if (parked_.load() > 0) lock.lock();
      generation_.fetch_add(1);
    }
    if (parked_.load() > 0) {
      std::lock_guard lock(mutex_);
      wake_.notify_all();
    }
    call(body, 0);
    for (int spins = 0; pending_.load(std::memory_order_acquire) > 0; ++spins) {
      if (spins < kSpins)
        relax();
      else
        std::this_thread::yield();
    }
    if (error_) std::rethrow_exception(error_);
  }

 private:
  void call(FunctionRef<void(int, int)>& body, int thread) {
    inside_region = true;
    try {
      body(thread, threads_);
    } catch (...) {
      std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
    }
    inside_region = false;
  }

  void work(int thread) {
    unsigned seen = 0;
    while (true) {
      for (int spins = 0; generation_.load() == seen && spins < kSpins; ++spins) relax();
      if (generation_.load() == seen) {
        std::unique_lock lock(mutex_);
        parked_.fetch_add(1);
        wake_.wait(lock, [&] { return generation_.load() != seen; });
        parked_.fetch_sub(1);
      }
      seen = generation_.load();
      if (stop_) return;
      call(*job_, thread);
      pending_.fetch_sub(1, std::memory_order_release);
    }
  }

  const int threads_;
  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<unsigned> generation_{0};
  std::atomic<int> pending_{0}, parked_{0};
  FunctionRef<void(int, int)>* job_ = nullptr;
  std::exception_ptr error_;
  bool stop_ = false;
};

std::mutex pool_mutex;  // one region at a time; a second caller runs inline
std::unique_ptr<Pool> pool;
std::atomic<int> wanted{0};

// The CPU quota of the innermost cgroup (v2, then v1), rounded up; a large number when there is none.
int cgroup_cpus() {
  double quota = -1, period = 100000;
  if (std::ifstream f("/sys/fs/cgroup/cpu.max"); f) {
    std::string q;
    if (f >> q >> period && q != "max") quota = std::strtod(q.c_str(), nullptr);
  } else if (std::ifstream q("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"),
             p("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
             q && p) {
    q >> quota;
    p >> period;
  }
  return quota > 0 && period > 0 ? std::max(1, static_cast<int>((quota + period - 1) / period)) : 1 << 20;
}

}  // namespace

int available_cpus() {
  static const int count = [] {
    cpu_set_t set;
    const int affinity = sched_getaffinity(0, sizeof set, &set) == 0
                             ? CPU_COUNT(&set)
                             : static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
    return std::max(1, std::min(affinity, cgroup_cpus()));
  }();
  return count;
}

int thread_count() {
  const int n = wanted.load();
  return n > 0 ? n : available_cpus();
}

void set_thread_count(int n) {
  SR_CHECK(n >= 1 && n <= 1024, "threads is {}, expected 1 to 1024", n);
  wanted.store(n);
}

void parallel_region(FunctionRef<void(int, int)> body) {
  const int n = thread_count();
  std::unique_lock<std::mutex> lock(pool_mutex, std::defer_lock);
  if (n == 1 || inside_region || !lock.try_lock()) return body(0, 1);
  if (!pool || pool->threads() != n) {
    pool.reset();
    pool = std::make_unique<Pool>(n);
  }
  pool->run(body);
}

bool inside_parallel_region() { return inside_region; }

void parallel_for(int64_t n, int64_t grain, FunctionRef<void(int64_t, int64_t)> body) {
  if (n <= 0) return;
  grain = std::max<int64_t>(grain, 1);
  if (n <= grain || inside_region || thread_count() == 1) return body(0, n);
  parallel_region([&](int thread, int threads) {
    const int64_t pieces = std::min<int64_t>(threads, (n + grain - 1) / grain);
    if (thread >= pieces) return;
    const int64_t size = n / pieces, extra = n % pieces;
    const int64_t begin = thread * size + std::min<int64_t>(thread, extra);
    body(begin, begin + size + (thread < extra));
  });
}

void parallel_tasks(int64_t tasks, FunctionRef<void(int64_t)> body) {
  std::atomic<int64_t> next{0};
  parallel_region([&](int, int) {
    for (int64_t i; (i = next.fetch_add(1)) < tasks;) body(i);
  });
}

void RegionBarrier::wait() {
  if (threads_ <= 1) return;
  const int phase = __atomic_load_n(&phase_, __ATOMIC_ACQUIRE);
  if (__atomic_add_fetch(&arrived_, 1, __ATOMIC_ACQ_REL) == threads_) {
    __atomic_store_n(&arrived_, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&phase_, phase + 1, __ATOMIC_RELEASE);
    return;
  }
  for (int spins = 0; __atomic_load_n(&phase_, __ATOMIC_ACQUIRE) == phase; ++spins) {
    if (spins < kSpins)
      relax();
    else
      std::this_thread::yield();
  }
}

}  // namespace suiren
