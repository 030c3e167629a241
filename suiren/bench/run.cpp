#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <nlohmann/json.hpp>

#include "backends/cpu/roof.h"
#include "suiren/base/cpu.h"
#include "suiren/base/error.h"
#include "suiren/base/threads.h"
#include "suiren/bench/child.h"
#include "suiren/bench/figures.h"
#include "suiren/bench/peer.h"
#include "suiren/bench/results.h"
#include "suiren/train/progress.h"

namespace suiren::bench {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

constexpr int kAttempts = 3;
constexpr double kSteady = 0.05;  // a roof that moves by more spoils the run
constexpr int kTurns = 2;         // of each side

// Seconds of the fastest call in a turn. Short calls are timed several at once.
double fastest(const std::function<void()>& call, double seconds) {
  const auto timed = [&](int times) {
    const auto start = Clock::now();
    for (int i = 0; i < times; ++i) call();
    return seconds_since(start) / times;
  };
  const auto begin = Clock::now();
  double best = timed(1);
  const int times = static_cast<int>(std::clamp(2e-4 / best, 1.0, 1000.0));
  do {
    best = std::min(best, timed(times));
  } while (seconds_since(begin) < seconds);
  return best;
}

// Per second: flops or bytes. A CPU without units for a dtype is held against its f32 peak.
double measure_roof(Roof roof) {
  const double units = roof == Roof::kBF16   ? cpu::measure_bf16_peak()
                       : roof == Roof::kInt8 ? cpu::measure_int8_peak()
                                             : 0;
  return 1e9 * (roof == Roof::kNone     ? 0
                : roof == Roof::kUpdate ? cpu::measure_dram_update()
                : roof == Roof::kRead   ? cpu::measure_dram_read()
                : units > 0             ? units
                                        : cpu::measure_fma_peak_f32());
}

class Bench {
 public:
  explicit Bench(const Options& options) : options_(options) {
    const std::string sources = source_folder(), results = !options.results.empty() ? options.results
                                                           : sources.empty()        ? ""
                                                                                    : sources + "/results";
    if (!results.empty()) last_ = last_results(results, cpu_info().model, thread_count());
    if (!options.peer.empty())
      peer_ = std::make_unique<Peer>(options.peer, (sources.empty() ? "bench" : sources) + "/peer.py",
                                     thread_count());
  }
  Report run();

 private:
  std::vector<Figure> figures();
  bool fits(const Figure& f);
  Result measure(const Figure& f);
  void take_turns(const Figure& f, const std::function<void()>& call, Result& result);
  void ask_peer(const Figure& f, double seconds, Result& result);
  int64_t peak_memory(const Figure& f);
  void note(const std::string& text) {
    if (std::find(notes_.begin(), notes_.end(), text) == notes_.end()) notes_.push_back(text);
  }
  void progress(const std::string& what) const {
    if (options_.progress) options_.progress(what);
  }

  const Options& options_;
  std::map<std::string, LastResult> last_;
  std::unique_ptr<Peer> peer_;
  std::vector<std::string> notes_;
};

std::vector<Figure> Bench::figures() {
  const auto wanted = [&](const char* group) {
    return options_.groups.empty() ||
           std::find(options_.groups.begin(), options_.groups.end(), group) != options_.groups.end();
  };
  const bool by_name = !options_.groups.empty() && wanted("train");
  const int models = options_.size == "small"              ? 1
                     : options_.size == "medium"           ? 2
                     : options_.size == "large" || by_name ? 3
                                                           : 2;
  std::vector<Figure> list;
  std::vector<std::string> names, texts;
  const auto add = [&](const char* group, const auto& make) {
    if (!wanted(group)) return;
    for (Figure& f : make()) {
      names.push_back(f.name);
      if (f.name.find(options_.figure) != std::string::npos) list.push_back(std::move(f));
    }
  };
  const DType dtype = options_.precision == "bfloat16" ? kBF16 : options_.precision == "int8" ? kI8 : kF32;
  add("gemm", [&] { return gemm_figures(dtype); });
  if (dtype == kI8) {
    SR_CHECK_AS(kNotFound, !list.empty(),
                "--precision int8 is of products: suiren bench gemm --precision int8");
    return list;
  }
  add("attention", [&] { return attention_figures(dtype); });
  add("optimizer", optimizer_figures);
  add("tokenizer", [&] { return tokenizer_figures(options_.text, texts); });
  add("train", [&] { return training_figures(models, dtype); });
  if (!options_.groups.empty()) {
    add("scaling", [&] { return scaling_figures(dtype); });
    add("inference", [&] { return inference_figures(options_.model, options_.cache); });
  }
  SR_CHECK_AS(kNotFound, !list.empty(), "--figure: no name holds '{}'; there are: {}", options_.figure,
              fmt::join(names, ", "));
  if (std::any_of(list.begin(), list.end(), [](const Figure& f) { return f.group == "tokenizer"; }))
    notes_ = std::move(texts);
  return list;
}

// The peer takes about as much again, and the one that only measures memory comes after both.
bool Bench::fits(const Figure& f) {
  const int64_t needed = f.memory * (peer_ ? 2 : 1), free = memory_available();
  if (needed <= free) return true;
  note(fmt::format("{}: left out; it needs about {}, {} are free", f.name,
                   train::format_bytes(static_cast<double>(needed)),
                   train::format_bytes(static_cast<double>(free))));
  return false;
}

void Bench::ask_peer(const Figure& f, double seconds, Result& result) {
  progress(f.name + " · " + peer_->name());
  const io::Json answer = peer_->measure(*f.peer, seconds);
  if (answer.contains("error")) {
    note(fmt::format("{}: the peer says: {}", f.name, answer["error"].get<std::string>()));
    return;
  }
  const double value = f.work / answer["seconds"].get<double>();
  if (!result.peer) result.peer.emplace();
  if (value > result.peer->value) {
    result.peer->value = value;
    result.peer->mode = answer.value("mode", "");
  }
  if (answer.contains("note")) note(fmt::format("{}: {}", f.name, answer["note"].get<std::string>()));
  result.peer->memory = answer.value("memory", result.peer->memory);
  if (f.check)
    if (const std::string wrong = f.check(answer); !wrong.empty()) note(f.name + ": " + wrong);
}

// A, or A/B/A/B.
void Bench::take_turns(const Figure& f, const std::function<void()>& call, Result& result) {
  const bool peer = peer_ && f.peer;
  const int turns = peer ? kTurns : 1;
  result.value = 0;
  result.peer.reset();
  for (int i = 0; i < turns; ++i) {
    if (i > 0) progress(f.name);
    result.value = std::max(result.value, f.work / fastest(call, options_.seconds / turns));
    if (peer && (i == 0 || result.peer)) ask_peer(f, options_.seconds / turns, result);
  }
}

Result Bench::measure(const Figure& f) {
  if (peer_ && f.peak_memory) peer_->restart();
  Result r{.group = f.group, .name = f.name, .unit = f.unit, .roof = f.roof};
  const auto call = f.make();
  call();  // the first pays for memory and caches
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    progress(attempt == 0 ? f.name : f.name + " once more: the roof moved");
    r.roof_before = measure_roof(f.roof);
    take_turns(f, call, r);
    r.roof_after = measure_roof(f.roof);
    if (f.roof == Roof::kNone) break;
    r.share = r.value / f.work * f.load / std::max(r.roof_before, r.roof_after);
    r.steady = std::abs(r.roof_after / r.roof_before - 1) <= kSteady;
    if (r.steady) break;
  }
  r.roof_before *= 1e-9;
  r.roof_after *= 1e-9;
  if (const auto last = last_.find(f.name); last != last_.end()) r.last = last->second;
  return r;
}

int64_t Bench::peak_memory(const Figure& f) {
  if (!f.peak_memory || options_.program.empty()) return 0;
  progress(f.name + " · memory");
  Child child(
      {options_.program, "bench", "--memory-of", f.name, "--threads", std::to_string(thread_count())});
  const auto line = child.read_line();
  SR_CHECK_AS(kInternal, line, "the process that measures the memory of {} ended without an answer", f.name);
  return io::json_int(io::parse_json(*line, "its answer"), "bytes", "its answer");
}

Report Bench::run() {
  Report report{.cpu = cpu_info().model, .isa = isa_name(isa()), .threads = thread_count()};
  const std::time_t now = std::time(nullptr);
  char date[32];
  std::strftime(date, sizeof date, "%Y-%m-%d %H:%M", std::localtime(&now));
  report.date = date;
  for (const Figure& f : figures()) {
    if (!fits(f)) continue;
    report.results.push_back(measure(f));
    report.results.back().memory = peak_memory(f);
  }
  if (peer_) report.peer = peer_->name();
  report.notes = std::move(notes_);
  return report;
}

}  // namespace

Roof roof_of(DType dtype) { return dtype == kBF16 ? Roof::kBF16 : dtype == kI8 ? Roof::kInt8 : Roof::kF32; }
std::string suffix(DType dtype) { return dtype == kF32 ? "" : fmt::format(" {}", dtype); }

Report run(const Options& options) {
  SR_CHECK(options.seconds > 0 && options.seconds <= 3600,
           "--seconds is {}, expected more than 0 and at most 3600", options.seconds);
  return Bench(options).run();
}

}  // namespace suiren::bench
