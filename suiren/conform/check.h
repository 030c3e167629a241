#pragma once
// How a check is written: a function that returns what it saw, or throws that it failed or was skipped.

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <functional>
#include <string>
#include <vector>

#include "suiren/conform/kit.h"

namespace suiren::conform {

/// What is being examined: "./chip.so:1" is device 1 of a plug-in.
struct Target {
  std::string name;  ///< path or kind
  uint32_t index = 0;
  bool is_file = false;
  std::string device() const { return name + ":" + std::to_string(index); }
};
Target parse_target(const std::string& text);

/// A check's line to the process that started it.
class Probe {
 public:
  Probe(Target target, int to) : target(std::move(target)), to_(to) {}
  void tick(const std::string& what) const;  ///< a sign of life; named when the chip crashes or hangs here
  void figure(const std::string& name, double value) const;
  void row(const std::vector<std::string>& cells) const;
  void send(char kind, const std::string& text) const;
  Target target;

 private:
  int to_;
};

struct Check {
  std::string name, title, chinese;
  std::function<std::string(const Probe&)> run;
  double patience = 1;  ///< how many times the usual silence is still no hang
};
struct Group {
  const char *name, *title, *chinese;
  std::vector<Check> (*checks)();
};
/// The groups of the kit: one file each.
std::vector<Check> abi_checks();
std::vector<Check> memory_checks();
std::vector<Check> stream_checks();
std::vector<Check> op_checks();
std::vector<Check> gradient_checks();
std::vector<Check> training_checks();
std::vector<Check> roofline_checks();

struct Failed {
  std::string why;
};
struct Skipped {
  std::string why;
};
template <class... A>
void require(bool condition, fmt::format_string<A...> f, A&&... a) {
  if (!condition) throw Failed{fmt::vformat(f, fmt::make_format_args(a...))};
}
template <class... A>
[[noreturn]] void skip(fmt::format_string<A...> f, A&&... a) {
  throw Skipped{fmt::vformat(f, fmt::make_format_args(a...))};
}

/// Runs one check in a process of its own.
Result run_guarded(const Check& check, const Target& target, double silence);

}  // namespace suiren::conform
