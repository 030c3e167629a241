#pragma once
// The one error type and the check macros. Thread-safe: no shared state.

#include <fmt/core.h>

#include <exception>
#include <string>

namespace suiren {

/// What went wrong, in the terms a caller can act on.
enum class ErrorCode {
  kInvalid,      ///< bad input: a file, an option, a configuration          -> exit code 2
  kShape,        ///< a tensor has a shape or dtype that the op cannot take  -> exit code 2
  kNotFound,     ///< a named file, device, op or key is absent              -> exit code 2
  kUnsupported,  ///< valid, but not available here                          -> exit code 2
  kIo,           ///< the operating system refused: disk full, permission    -> exit code 1
  kDevice,       ///< a chip reported a fault                                -> exit code 1
  kNumeric,      ///< a loss or gradient became NaN or infinite              -> exit code 1
  kInterrupted,  ///< SIGINT or SIGTERM                                      -> exit code 130
  kInternal,     ///< a bug in suiren                                        -> exit code 1
};

/// The exception that every suiren function throws. `what()` is one readable sentence:
/// the thing, the value, the remedy. `op` is set when an op refused its inputs.
class Error : public std::exception {
 public:
  Error(ErrorCode code, std::string message, std::string op = {})
      : code_(code), op_(std::move(op)), message_(std::move(message)) {
    what_ = op_.empty() ? message_ : "[" + op_ + "] " + message_;
  }
  const char* what() const noexcept override { return what_.c_str(); }
  ErrorCode code() const { return code_; }
  const std::string& op() const { return op_; }
  const std::string& message() const { return message_; }

 private:
  ErrorCode code_;
  std::string op_, message_, what_;
};

/// The process exit code for an error: 2 for bad input, 130 for a stop signal, else 1.
int exit_code(ErrorCode code);

[[noreturn]] void throw_error(ErrorCode code, fmt::string_view format, fmt::format_args args);

template <class... A>
[[noreturn]] void fail(ErrorCode code, fmt::format_string<A...> format, A&&... args) {
  throw_error(code, format, fmt::make_format_args(args...));
}

/// The nearest of `candidates` to `word` by edit distance, or "" when none is near enough to suggest.
template <class Names>
std::string nearest(const std::string& word, const Names& candidates);
int edit_distance(const std::string& a, const std::string& b);

template <class Names>
std::string nearest(const std::string& word, const Names& candidates) {
  std::string best;
  int best_distance = 1 + static_cast<int>(word.size()) / 3;
  for (const auto& name : candidates) {
    const int d = edit_distance(word, std::string(name));
    if (d <= best_distance && (best.empty() || d < best_distance))
      best = std::string(name), best_distance = d;
  }
  return best;
}

}  // namespace suiren

/// Throws Error{code} with a formatted message unless `condition` holds.
#define SR_CHECK_AS(code, condition, ...)                     \
  do {                                                        \
    if (!(condition)) [[unlikely]] {                          \
      ::suiren::fail(::suiren::ErrorCode::code, __VA_ARGS__); \
    }                                                         \
  } while (0)

/// Throws Error{kInvalid} unless `condition` holds: bad input from outside.
#define SR_CHECK(condition, ...) SR_CHECK_AS(kInvalid, condition, __VA_ARGS__)
