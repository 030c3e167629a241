#pragma once
// One live line on a terminal, plain lines elsewhere. For one thread at a time.

#include <chrono>
#include <string>
#include <vector>

namespace suiren::train {

/// "1:23", "2:03:04".
std::string format_duration(double seconds);
/// "81,920", and "5.3 M" / "1.2 G" for large counts.
std::string format_count(int64_t n);
std::string format_short(double n);
/// "0.9 GiB", "12.0 MiB".
std::string format_bytes(double bytes);
/// The last `width` values averaged into blocks ▁ to █, high to low.
std::string sparkline(const std::vector<double>& values, int width);

/// Writes progress to stderr: replaces one line on a terminal, at most one plain line every `interval`
/// seconds otherwise. Nothing under --quiet.
class ProgressLine {
 public:
  explicit ProgressLine(double interval = 10);
  ~ProgressLine();
  /// True when a line should be made now (saves making lines nobody sees).
  bool due() const;
  void show(const std::string& line);
  /// Ends the live line, leaving `line` in its place.
  void finish(const std::string& line = {});

 private:
  bool terminal_;
  bool open_ = false;
  double interval_;
  std::chrono::steady_clock::time_point last_;
};

}  // namespace suiren::train
