#include "suiren/profile/profiler.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <string_view>

#include "suiren/base/file.h"
#include "suiren/base/threads.h"
#include "suiren/core/backend.h"

namespace suiren::profile {
namespace {

int64_t nanoseconds() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void longest_first(std::vector<Row>& rows) {
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Row& a, const Row& b) { return a.seconds > b.seconds; });
}

}  // namespace

Row& Row::operator+=(const Row& o) {
  calls += o.calls;
  seconds += o.seconds;
  flops += o.flops;
  bytes += o.bytes;
  roof_seconds += o.roof_seconds;
  flop_seconds += o.flop_seconds;
  return *this;
}

std::vector<Row> Profile::by_op() const {
  std::map<std::string, Row> ops;
  for (const Row& r : by_shape) {
    Row& sum = ops[r.op] += r;
    sum.op = r.op;
  }
  std::vector<Row> rows;
  for (auto& [name, row] : ops) rows.push_back(std::move(row));
  longest_first(rows);
  return rows;
}

double Profile::outside_ops() const {
  double rest = seconds;
  for (const Row& r : by_shape) rest -= r.seconds;
  return std::max(rest, 0.0);
}

Profiler::Profiler(const Roofs& roofs, int64_t max_events)
    : start_(nanoseconds()), max_events_(max_events), threads_(thread_count()), roofs_(roofs) {}

int64_t Profiler::now() const { return nanoseconds() - start_; }

Profiler::Watch::Watch(Profiler& profiler, int64_t step)
    : profiler_(profiler), step_(step), begin_(profiler.now()) {
  {
    std::lock_guard lock(profiler_.mutex_);
    profiler_.thread_number();  // the thread that steps is the first
  }
  set_dispatch_observer(&profiler_);
}

Profiler::Watch::~Watch() {
  set_dispatch_observer(nullptr);
  std::lock_guard lock(profiler_.mutex_);
  profiler_.steps_.push_back(
      {begin_, profiler_.now(), static_cast<uint32_t>(step_), profiler_.thread_number()});
}

uint16_t Profiler::thread_number() {
  return thread_of_.try_emplace(std::this_thread::get_id(), static_cast<uint16_t>(thread_of_.size()))
      .first->second;
}

// A call in flight on this thread, inside those that it is a part of.
struct Profiler::Frame {
  Frame() : outer(innermost) { innermost = this; }
  ~Frame() { innermost = outer; }
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;
  static thread_local Frame* innermost;
  Frame* outer;
  int64_t inside = 0;      // nanoseconds of its parts
  bool has_parts = false;  // other than copies of operands: they carry the cost
};
thread_local Profiler::Frame* Profiler::Frame::innermost = nullptr;

Tensors Profiler::around(const OpInfo& op, const void* attrs, std::span<const Tensor> inputs,
                         FunctionRef<Tensors()> run) {
  Frame frame;
  const int64_t begin = now();
  Tensors outputs = run();
  const Tensor* any = !inputs.empty() ? &inputs[0] : !outputs.empty() ? &outputs[0] : nullptr;
  if (any && !any->device().is_cpu()) any->device().context().synchronize();
  const int64_t end = now();
  if (frame.outer) {
    frame.outer->inside += end - begin;
    frame.outer->has_parts |= std::string_view(op.name) != "copy";
  }
  const Cost cost = frame.has_parts ? Cost{} : op_cost(op, attrs, inputs, outputs);
  const double own = 1e-9 * static_cast<double>(end - begin - frame.inside);
  record(op, cost, shapes_of(inputs.empty() ? std::span<const Tensor>(outputs) : inputs), begin, end,
         inside_parallel_region() ? own / threads_ : own);
  return outputs;
}

void Profiler::record(const OpInfo& op, const Cost& cost, const std::string& shapes, int64_t begin,
                      int64_t end, double own_seconds) {
  const double roof = roof_seconds(cost, roofs_);
  std::lock_guard lock(mutex_);
  const auto [found, is_new] =
      row_of_.try_emplace(fmt::format("{} {}", op.name, shapes), static_cast<uint32_t>(rows_.size()));
  if (is_new) rows_.push_back({.op = op.name, .shapes = shapes});
  rows_[found->second] += {.calls = 1,
                           .seconds = own_seconds,
                           .flops = cost.flops,
                           .bytes = cost.bytes(),
                           .roof_seconds = roof,
                           .flop_seconds = bound_by_flops(cost, roofs_) ? roof : 0};
  if (++calls_ <= max_events_) events_.push_back({begin, end, found->second, thread_number()});
}

Profile Profiler::profile() const {
  std::lock_guard lock(mutex_);
  Profile p;
  p.steps = static_cast<int64_t>(steps_.size());
  p.threads = threads_;
  for (const Event& s : steps_) p.seconds += 1e-9 * static_cast<double>(s.end - s.begin);
  p.roofs = roofs_;
  p.by_shape = rows_;
  longest_first(p.by_shape);
  p.events = static_cast<int64_t>(events_.size());
  p.events_left_out = calls_ - p.events;
  return p;
}

// https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU: "X" is a complete event,
// "M" names a process or a thread; times in microseconds.
void Profiler::write_chrome_trace(const std::string& path) const {
  std::lock_guard lock(mutex_);
  FileWriter w(path);
  w.write(
      fmt::format("{{\"displayTimeUnit\": \"ms\", \"otherData\": {{\"events_left_out\": {}}}, "
                  "\"traceEvents\": [\n",
                  calls_ - static_cast<int64_t>(events_.size())));
  w.write(R"({"ph": "M", "pid": 1, "name": "process_name", "args": {"name": "suiren"}})");
  for (const auto& [id, number] : thread_of_)
    w.write(fmt::format(
        ",\n{{\"ph\": \"M\", \"pid\": 1, \"tid\": {0}, \"name\": \"thread_name\", \"args\": {{\"name\": "
        "\"thread {0}\"}}}}",
        number));
  const auto event = [&](const Event& e, const std::string& name, const char* kind, const std::string& args) {
    w.write(fmt::format(
        ",\n{{\"ph\": \"X\", \"pid\": 1, \"tid\": {}, \"ts\": {:.3f}, \"dur\": {:.3f}, \"name\": \"{}\", "
        "\"cat\": \"{}\", \"args\": {{{}}}}}",
        e.thread, 1e-3 * static_cast<double>(e.begin), 1e-3 * static_cast<double>(e.end - e.begin), name,
        kind, args));
  };
  for (const Event& s : steps_) event(s, fmt::format("step {}", s.row), "step", "");
  for (const Event& e : events_)
    event(e, rows_[e.row].op, "op", fmt::format("\"shapes\": \"{}\"", rows_[e.row].shapes));
  w.write("\n]}\n");
  w.commit();
}

}  // namespace suiren::profile
