#pragma once
// One pool of worker threads for the process: spin, then park. parallel_for is safe to call from any thread.

#include <cstdint>
#include <functional>
#include <type_traits>

namespace suiren {

/// A reference to a callable; does not own it, does not allocate.
template <class Signature>
class FunctionRef;
template <class R, class... A>
class FunctionRef<R(A...)> {
 public:
  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, FunctionRef>) FunctionRef(F&& f)
      : object_(const_cast<void*>(static_cast<const void*>(&f))), call_([](void* o, A... a) -> R {
          return (*static_cast<std::remove_reference_t<F>*>(o))(static_cast<A&&>(a)...);
        }) {}
  R operator()(A... a) const { return call_(object_, static_cast<A&&>(a)...); }

 private:
  void* object_;
  R (*call_)(void*, A...);
};

/// Threads that parallel_for may use, the caller included. Default: the CPUs this process may run on
/// (affinity and cgroup quota honoured). set_thread_count(n) with 1 <= n <= 1024.
int thread_count();
void set_thread_count(int n);
int available_cpus();

/// Calls body(begin, end) over disjoint ranges that cover [0, n), on several threads; returns when all are
/// done. A range has at least `grain` items, except the last. How the ranges fall depends on the number of
/// threads, so `body` must give each item the same result in whatever range it lies: keep every reduction
/// inside an item. Exceptions thrown by `body` are rethrown here. Nested calls run inline.
void parallel_for(int64_t n, int64_t grain, FunctionRef<void(int64_t begin, int64_t end)> body);

/// Calls body(i) once for each i in [0, tasks); tasks are handed out one by one, in order, to whoever is
/// free.
void parallel_tasks(int64_t tasks, FunctionRef<void(int64_t task)> body);

/// Calls body(thread, threads) once on each of thread_count() threads at the same time: for kernels that keep
/// scratch per thread. `threads` is 1 when the pool is busy or the call is nested.
void parallel_region(FunctionRef<void(int thread, int threads)> body);

/// Whether the calling thread is one of a region's: what it calls runs inline, on this thread alone.
bool inside_parallel_region();

/// A barrier inside a parallel_region: waits until all `threads` of the region have come. Spins.
class RegionBarrier {
 public:
  explicit RegionBarrier(int threads) : threads_(threads) {}
  void wait();

 private:
  int threads_;
  alignas(64) volatile int arrived_ = 0;
  alignas(64) volatile int phase_ = 0;
};

}  // namespace suiren
