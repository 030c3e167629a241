#include "suiren/train/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "suiren/base/log.h"

namespace suiren::train {
namespace {

constexpr auto kLiveInterval = std::chrono::milliseconds(100);

int terminal_width() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 100;
}

// Cuts at `width` columns, taking every code point as one column (the lines hold no wide characters).
std::string cut(const std::string& s, int width) {
  int columns = 0;
  size_t i = 0;
  for (; i < s.size(); ++i) {
    if ((s[i] & 0xC0) != 0x80 && ++columns > width) break;
  }
  return s.substr(0, i);
}

void put(const std::string& s) {
  [[maybe_unused]] const ssize_t n = write(STDERR_FILENO, s.data(), s.size());
}

}  // namespace

std::string format_duration(double seconds) {
  const auto s = static_cast<int64_t>(std::max(0.0, seconds) + 0.5);
  return s >= 3600 ? fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
                   : fmt::format("{}:{:02}", s / 60, s % 60);
}

std::string format_count(int64_t n) {
  std::string digits = std::to_string(n < 0 ? -n : n);
  for (int64_t i = static_cast<int64_t>(digits.size()) - 3; i > 0; i -= 3)
    digits.insert(static_cast<size_t>(i), ",");
  return (n < 0 ? "-" : "") + digits;
}

std::string format_short(double n) {
  return n >= 1e9   ? fmt::format("{:.1f} G", n / 1e9)
         : n >= 1e6 ? fmt::format("{:.1f} M", n / 1e6)
         : n >= 1e4 ? fmt::format("{:.0f} k", n / 1e3)
                    : fmt::format("{:.0f}", n);
}

std::string format_bytes(double b) {
  return b >= 1 << 30   ? fmt::format("{:.1f} GiB", b / (1 << 30))
         : b >= 1 << 20 ? fmt::format("{:.1f} MiB", b / (1 << 20))
                        : fmt::format("{:.0f} KiB", b / 1024);
}

std::string sparkline(const std::vector<double>& values, int width) {
  static const char* const kBlocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  if (values.empty()) return "";
  const size_t n = values.size(), columns = std::min(n, static_cast<size_t>(width));
  std::vector<double> means;
  for (size_t c = 0; c < columns; ++c) {
    const size_t begin = c * n / columns, end = std::max(begin + 1, (c + 1) * n / columns);
    double sum = 0;
    for (size_t i = begin; i < end; ++i) sum += values[i];
    means.push_back(sum / static_cast<double>(end - begin));
  }
  const auto [low, high] = std::minmax_element(means.begin(), means.end());
  std::string out;
  for (double m : means)
    out += kBlocks[*high > *low ? static_cast<int>((m - *low) / (*high - *low) * 7.999) : 0];
  return out;
}

ProgressLine::ProgressLine(double interval)
    : terminal_(isatty(STDERR_FILENO)),
      interval_(interval),
      last_(std::chrono::steady_clock::now() - std::chrono::hours(1)) {}

ProgressLine::~ProgressLine() {
  if (open_) put("\n");
}

bool ProgressLine::due() const {
  if (log_level() != LogLevel::kInfo) return false;
  const auto passed = std::chrono::steady_clock::now() - last_;
  return terminal_ ? passed >= kLiveInterval : passed >= std::chrono::duration<double>(interval_);
}

void ProgressLine::show(const std::string& line) {
  if (log_level() != LogLevel::kInfo) return;
  last_ = std::chrono::steady_clock::now();
  if (terminal_)
    put("\r\033[K" + cut(line, terminal_width() - 1)), open_ = true;
  else
    put(line + "\n");
}

void ProgressLine::finish(const std::string& line) {
  if (log_level() != LogLevel::kInfo) return;
  if (terminal_ && open_) put("\r\033[K");
  open_ = false;
  if (!line.empty()) put(line + "\n");
}

}  // namespace suiren::train
