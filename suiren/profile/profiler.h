#pragma once
// Where the time of some steps goes: every op that is launched while a step is watched, from every thread.

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "suiren/core/dispatch.h"
#include "suiren/profile/cost.h"

namespace suiren::profile {

/// All calls of one op on operands of the same shapes.
struct Row {
  std::string op, shapes;  ///< "matmul", "f32 [256, 768], f32 [768, 256]"
  int64_t calls = 0;
  double seconds = 0;  ///< of the op itself, without the ops that it is made of; see Profile
  double flops = 0, bytes = 0;
  double roof_seconds = 0;  ///< what the roofs allow for those flops and bytes
  double flop_seconds = 0;  ///< of them, those of calls that the flops bound
  Row& operator+=(const Row& o);
};

/// What was seen. All times are the machine's: a call on one of T threads that run side by side counts as
/// 1/T of its length, one that has all threads for itself in full. So the rows and what no op accounts for
/// (host work, threads that wait) add up to `seconds`.
struct Profile {
  int64_t steps = 0;
  int threads = 1;
  double seconds = 0;  ///< of all steps
  Roofs roofs;
  std::vector<Row> by_shape;                ///< the longest first
  int64_t events = 0, events_left_out = 0;  ///< in the trace
  std::vector<Row> by_op() const;           ///< the longest first; `shapes` is empty
  double outside_ops() const;
};

/// Watches while a Watch lives: one at a time in the process. An op on a chip with a queue is waited for, so
/// that its time is its own.
class Profiler : private DispatchObserver {
 public:
  /// Of the calls, the first `max_events` go into the trace; the table counts all.
  explicit Profiler(const Roofs& roofs, int64_t max_events = 300000);

  /// One step, from construction to destruction.
  class Watch {
   public:
    Watch(Profiler& profiler, int64_t step);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

   private:
    Profiler& profiler_;
    int64_t step_, begin_;
  };

  Profile profile() const;
  /// The calls and steps as Chrome's trace-event JSON (chrome://tracing, ui.perfetto.dev), whole or not at
  /// all. Throws Error{kIo} naming the path.
  void write_chrome_trace(const std::string& path) const;

 private:
  struct Event {
    int64_t begin, end;  // nanoseconds since the profiler was made
    uint32_t row;        // of rows_, or the number of a step
    uint16_t thread;
  };
  struct Frame;
  Tensors around(const OpInfo& op, const void* attrs, std::span<const Tensor> inputs,
                 FunctionRef<Tensors()> run) override;
  void record(const OpInfo& op, const Cost& cost, const std::string& shapes, int64_t begin, int64_t end,
              double own_seconds);
  uint16_t thread_number();
  int64_t now() const;

  const int64_t start_, max_events_;
  const int threads_;
  Roofs roofs_;
  mutable std::mutex mutex_;
  std::vector<Row> rows_;
  std::unordered_map<std::string, uint32_t> row_of_;
  std::unordered_map<std::thread::id, uint16_t> thread_of_;
  std::vector<Event> events_, steps_;
  int64_t calls_ = 0;
};

}  // namespace suiren::profile
