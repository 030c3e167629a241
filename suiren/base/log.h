#pragma once
// Lines for people, on stderr. Safe to call from any thread; one line is one write.

#include <fmt/core.h>

namespace suiren {

enum class LogLevel { kQuiet, kWarning, kInfo };
void set_log_level(LogLevel level);  ///< process-wide; default kInfo
LogLevel log_level();

void log_line(LogLevel level, fmt::string_view format, fmt::format_args args);

template <class... A>
void info(fmt::format_string<A...> f, A&&... a) {
  log_line(LogLevel::kInfo, f, fmt::make_format_args(a...));
}
/// Printed as "suiren: warning: ..." unless --quiet.
template <class... A>
void warn(fmt::format_string<A...> f, A&&... a) {
  log_line(LogLevel::kWarning, f, fmt::make_format_args(a...));
}

}  // namespace suiren
