// A check in a process of its own: what it says comes through a pipe, frame by frame, so that nothing that
// was said before a crash or a hang is lost.

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>

#include "suiren/base/error.h"
#include "suiren/base/log.h"
#include "suiren/conform/check.h"

#ifdef SUIREN_COVERAGE
extern "C" void __gcov_dump();  // _exit would lose what a check counted
#endif

namespace suiren::conform {
namespace {

constexpr char kTick = 'T', kPass = 'P', kFail = 'F', kSkip = 'S', kFigure = 'N', kRow = 'R';
constexpr char kSeparator = '\x1f';

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts(1);
  for (char c : text)
    if (c == kSeparator)
      parts.emplace_back();
    else
      parts.back() += c;
  return parts;
}

// Reads frames until the pipe closes or nothing came for `silence` seconds; false means silence.
bool listen(int from, double silence, const std::function<void(char, const std::string&)>& take) {
  std::string buffer;
  for (;;) {
    pollfd p{from, POLLIN, 0};
    const int ready = poll(&p, 1, static_cast<int>(silence * 1000));
    if (ready == 0) return false;
    if (ready < 0) continue;  // a signal
    char bytes[4096];
    const ssize_t n = read(from, bytes, sizeof bytes);
    if (n <= 0) return true;
    buffer.append(bytes, static_cast<size_t>(n));
    for (uint32_t length; buffer.size() >= 5; buffer.erase(0, 5 + length)) {
      std::memcpy(&length, buffer.data() + 1, 4);
      if (buffer.size() < 5 + size_t{length}) break;
      take(buffer[0], buffer.substr(5, length));
    }
  }
}

[[noreturn]] void child(const Check& check, const Target& target, int to) {
  set_log_level(LogLevel::kQuiet);
  const Probe probe(target, to);
  try {
    probe.send(kPass, check.run(probe));
  } catch (const Failed& f) {
    probe.send(kFail, f.why);
  } catch (const Skipped& s) {
    probe.send(kSkip, s.why);
  } catch (const std::exception& e) {
    probe.send(kFail, e.what());
  }
#ifdef SUIREN_COVERAGE
  __gcov_dump();
#endif
  _exit(0);
}

std::string ending(int status, const std::string& last) {
  const std::string where = last.empty() ? "" : " in " + last;
  if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    const char* name = sigabbrev_np(signal);
    return fmt::format("crashed with SIG{} ({}){}", name ? name : "?", strsignal(signal), where);
  }
  return fmt::format("ended the process with status {}{}", WEXITSTATUS(status), where);
}

}  // namespace

void Probe::send(char kind, const std::string& text) const {
  std::string frame(5, kind);
  const auto length = static_cast<uint32_t>(text.size());
  std::memcpy(frame.data() + 1, &length, 4);
  frame += text;
  for (size_t at = 0; at < frame.size();) {
    const ssize_t n = write(to_, frame.data() + at, frame.size() - at);
    if (n > 0) at += static_cast<size_t>(n);
    if (n < 0) return;  // nobody listens any more
  }
}
void Probe::tick(const std::string& what) const { send(kTick, what); }
void Probe::figure(const std::string& name, double value) const {
  send(kFigure, fmt::format("{}{}{:.6g}", name, kSeparator, value));
}
void Probe::row(const std::vector<std::string>& cells) const {
  std::string text;
  for (size_t i = 0; i < cells.size(); ++i) text += (i ? std::string(1, kSeparator) : "") + cells[i];
  send(kRow, text);
}

Result run_guarded(const Check& check, const Target& target, double silence) {
  silence *= check.patience;
  Result r;
  r.check = check.name, r.title = check.title, r.chinese = check.chinese;
  const auto start = std::chrono::steady_clock::now();
  int ends[2];
  SR_CHECK_AS(kIo, pipe(ends) == 0, "cannot make a pipe: {}", std::strerror(errno));
  const pid_t process = fork();
  SR_CHECK_AS(kIo, process >= 0, "cannot start a process: {}", std::strerror(errno));
  if (process == 0) {
    close(ends[0]);
    child(check, target, ends[1]);
  }
  close(ends[1]);
  bool decided = false;
  std::string last;
  const bool ended = listen(ends[0], silence, [&](char kind, const std::string& text) {
    const auto parts = split(text);
    if (kind == kTick) {
      last = text;
    } else if (kind == kFigure && parts.size() == 2) {
      r.figures.emplace_back(parts[0], std::stod(parts[1]));
    } else if (kind == kRow) {
      r.rows.push_back(parts);
    } else {
      decided = true;
      r.outcome = kind == kPass ? Outcome::kPass : kind == kSkip ? Outcome::kSkip : Outcome::kFail;
      r.detail = text;
    }
  });
  close(ends[0]);
  if (!ended) kill(process, SIGKILL);
  int status = 0;
  waitpid(process, &status, 0);
  if (!decided) {
    r.outcome = Outcome::kFail;
    r.detail =
        ended ? ending(status, last)
              : fmt::format("hung: no sign of life for {:g} s{}", silence, last.empty() ? "" : " in " + last);
  }
  r.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return r;
}

}  // namespace suiren::conform
