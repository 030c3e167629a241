#include "suiren/base/log.h"

#include <unistd.h>

#include <atomic>
#include <string>

namespace suiren {
namespace {
std::atomic<LogLevel> current{LogLevel::kInfo};
}

void set_log_level(LogLevel level) { current = level; }
LogLevel log_level() { return current; }

void log_line(LogLevel level, fmt::string_view format, fmt::format_args args) {
  if (level > current.load()) return;
  std::string line = level == LogLevel::kWarning ? "suiren: warning: " : "";
  line += fmt::vformat(format, args) + "\n";
  [[maybe_unused]] const ssize_t n = write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace suiren
