#include "suiren/base/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>

#include "suiren/base/error.h"

namespace suiren {
namespace {

std::atomic<bool> stop{false};

void on_signal(int) {
  if (stop.exchange(true)) _exit(130);
}

}  // namespace

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() { return stop.load(std::memory_order_relaxed); }

void check_interrupt(const char* what) { SR_CHECK_AS(kInterrupted, !interrupted(), "{} was stopped", what); }

}  // namespace suiren
