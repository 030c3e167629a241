#pragma once
// The conformance kit: what version 1 of the chip interface promises, asked of one chip.
// Every check runs in a process of its own, so that a crash or a hang costs one line of the report. Call
// run() before the program has started threads.

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace suiren::conform {

enum class Outcome { kPass, kFail, kSkip };
const char* outcome_name(Outcome outcome);  ///< "pass", "FAIL", "skip"

/// What one check found.
struct Result {
  std::string group, check, title, chinese;  ///< "memory", "red_zones", and what it asks in two languages
  Outcome outcome = Outcome::kSkip;
  std::string detail;  ///< of a failure: what was expected and what came
  double seconds = 0;
  std::vector<std::pair<std::string, double>> figures;  ///< measured, unit in the name
  std::vector<std::vector<std::string>> rows;           ///< a table, its first row the headings
};

struct Options {
  std::string target;             ///< a plug-in's path or a device's name, with ":INDEX" or without
  std::vector<std::string> only;  ///< groups ("memory") and checks ("memory/leaks", "ops/add"); empty: all
  double silence = 60;            ///< seconds without a sign of life after which a check has hung
  std::function<void(const std::string& group, const std::string& check)> starting;
  std::function<void(const Result&)> finished;
};

struct Report {
  std::string target, version;
  std::vector<Result> results;
  int64_t count(Outcome outcome) const;
  bool passed() const { return count(Outcome::kFail) == 0; }
};

/// The groups, in the order in which they run.
std::vector<std::string> group_names();
/// Runs the checks. Throws Error{kInvalid} for an unknown group or check.
Report run(const Options& options);

/// The report as lines for a terminal, as JSON, and as one page of HTML that needs nothing else.
std::string as_table(const Report& report, bool colour);
std::string as_json(const Report& report);
std::string as_page(const Report& report);

}  // namespace suiren::conform
