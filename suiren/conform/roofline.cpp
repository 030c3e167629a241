// How fast the chip is, and which op to write next: the one whose fallback costs most.

#include <algorithm>
#include <chrono>
#include <map>

#include "suiren/base/philox.h"
#include "suiren/conform/call.h"
#include "suiren/conform/tiny_model.h"
#include "suiren/core/dispatch.h"
#include "suiren/ops/matmul/matmul.h"

namespace suiren::conform {
namespace {

/// Seconds of the fastest of `times` runs.
template <class F>
double fastest(int times, F&& f) {
  double best = 1e30;
  for (int i = 0; i < times; ++i) {
    const auto start = std::chrono::steady_clock::now();
    f();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

std::string copies(const Probe& p) {
  constexpr uint64_t kBytes = 32 << 20;
  Chip c(p.target);
  const Bytes host = pattern(kBytes, 1);
  Memory a = c.with(host), b = c.with(host);
  Bytes back(kBytes);
  const double gb = kBytes / 1e9;
  const double in = gb / fastest(4, [&] { c.upload(a, host), c.sync(); });
  const double on = gb / fastest(4, [&] { c.move(c.stream, b, 0, a, 0, kBytes), c.sync(); });
  const double out =
      gb / fastest(4, [&] {
        c.check(c.table.copy(c.stream, nullptr, 0, back.data(), a.handle(), 0, nullptr, kBytes), "copy");
      });
  p.figure("to_chip_gb_per_s", in);
  p.figure("on_chip_gb_per_s", on);
  p.figure("to_host_gb_per_s", out);
  return fmt::format("to the chip {:.1f} GB/s, on it {:.1f}, to the host {:.1f}{}", in, on, out,
                     c.info.bandwidth > 0 ? fmt::format(" (declared {:.1f})", c.info.bandwidth / 1e9) : "");
}

std::string launch(const Probe& p) {
  Chip c(p.target);
  constexpr int kTimes = 300;
  const Tensor x = Tensor::from(std::vector<float>{1, 2, 3, 4}, {4});
  for (const char* name : {"add", "mul", "neg", "copy", "relu"}) {
    const OpInfo& op = find_op(name);
    const NoAttrs none;
    const Tensors inputs(static_cast<size_t>(op.inputs), x);
    Call call(c, op, &none, inputs);
    if (call.answer().level != SR_SUPPORT_NATIVE) continue;
    Memory in = c.with(x.to_bytes()), out(c, 16);
    std::vector<sr_memory> handles(inputs.size(), in.handle());
    handles.push_back(out.handle());
    Memory scratch(c, call.answer().workspace);
    const double seconds = fastest(3, [&] {
      for (int i = 0; i < kTimes; ++i)
        c.check(call.question().run(c, c.stream, call.answer(), handles, scratch.handle()), name);
      c.sync();
    });
    p.figure("microseconds", seconds / kTimes * 1e6);
    return fmt::format("{} of four elements: {:.2f} us", name, seconds / kTimes * 1e6);
  }
  skip("none of add, mul, neg, copy, relu is native");
}

std::string products(const Probe& p) {
  Chip c(p.target);
  const OpInfo& op = find_op("matmul");
  const NoAttrs none;
  std::string text;
  double rate = 1e3;  // GFLOP/s, of the size before
  for (const int64_t n : {64, 256, 512}) {
    if (2e-9 * static_cast<double>(n * n * n) / rate > 1) break;  // a simulator: larger ones say nothing new
    p.tick(fmt::format("a product of {0} x {0}", n));
    std::vector<float> values(static_cast<size_t>(n * n));
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(philox_uniform(1, 1, i));
    const Tensor x = Tensor::from(values, {n, n});
    Call call(c, op, &none, {x, x});
    if (call.answer().level != SR_SUPPORT_NATIVE) skip("matmul is not native: {}", call.answer().reason);
    Memory a = c.with(x.to_bytes()), out(c, a.bytes()), scratch(c, call.answer().workspace);
    const double seconds = fastest(3, [&] {
      c.check(call.question().run(c, c.stream, call.answer(), {a.handle(), a.handle(), out.handle()},
                                  scratch.handle()),
              "matmul");
      c.sync();
    });
    rate = 2e-9 * static_cast<double>(n * n * n) / seconds;
    p.figure(fmt::format("gflops_{}", n), rate);
    text += fmt::format("{}{} wide {:.1f}", text.empty() ? "" : ", ", n, rate);
  }
  return "f32 GFLOP/s: " + text;
}

// The fallbacks of a few training steps, ranked by what a kernel would win: the time of the fallback, less
// what moving the bytes would cost on the chip itself.
std::string implement_next(const Probe& p) {
  struct Row {
    int64_t count = 0, bytes = 0;
    double ms = 0;
    std::string reason;
  };
  constexpr int kSteps = 3;
  const Device device(p.target.device());
  TinyModel m(device, kF32);
  m.step(0);
  reset_fallback_ledger();
  const double ms = 1e3 * fastest(1, [&] {
                      for (int i = 1; i <= kSteps; ++i) p.tick("a training step"), m.step(i);
                    });
  std::map<std::string, Row> by_op;
  double lost = 0;
  for (const Fallback& f : fallback_ledger()) {
    if (f.device != device.name()) continue;
    Row& row = by_op[f.op];
    row.count += f.count, row.bytes += f.bytes, row.ms += f.milliseconds, row.reason = f.reason;
    lost += f.milliseconds;
  }
  if (by_op.empty()) return fmt::format("a training step of {:.1f} ms stays on the chip", ms / kSteps);
  constexpr double kChipBytesPerMs = 1e7;  // 10 GB/s: a modest chip
  std::vector<std::pair<std::string, Row>> rows(by_op.begin(), by_op.end());
  const auto won = [&](const Row& r) {
    return std::max(0.0, r.ms - static_cast<double>(r.bytes) / kChipBytesPerMs) / kSteps;
  };
  std::sort(rows.begin(), rows.end(),
            [&](const auto& a, const auto& b) { return won(a.second) > won(b.second); });
  p.row({"implement next", "ms won a step", "share of fallbacks", "calls a step", "bytes a step", "reason"});
  for (const auto& [op, r] : rows)
    p.row({op, fmt::format("{:.3f}", won(r)), fmt::format("{:.1f}%", 100 * r.ms / lost),
           std::to_string(r.count / kSteps), std::to_string(r.bytes / kSteps), r.reason});
  p.figure("step_ms", ms / kSteps);
  p.figure("fallback_ms", lost / kSteps);
  return fmt::format("a training step takes {:.1f} ms, {:.0f}% of it fallbacks of {} ops; first {}",
                     ms / kSteps, std::min(100.0, 100 * lost / ms), rows.size(), rows[0].first);
}

}  // namespace

std::vector<Check> roofline_checks() {
  return {{"copies", "bandwidth of copies", "复制带宽", copies},
          {"launch", "time to launch an op", "启动一个算子的时间", launch},
          {"products", "matrix products", "矩阵乘法", products},
          {"implement_next", "which op to write next", "下一个该写的算子", implement_next}};
}

}  // namespace suiren::conform
