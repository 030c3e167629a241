#pragma once
// SIGINT and SIGTERM as a flag that long work looks at. Process-wide.

namespace suiren {

/// From now on the first SIGINT or SIGTERM sets the flag; a second one ends the process at once.
void catch_interrupts();
bool interrupted();
/// Throws Error{kInterrupted} naming `what` when the flag is set.
void check_interrupt(const char* what);

}  // namespace suiren
