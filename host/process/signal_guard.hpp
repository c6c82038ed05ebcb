// The signals that tell a run to stop, and those that end the program.
#pragma once

#include "host/calls/cancel.hpp"

namespace fastvideo::host {

/// While it lives, the first SIGINT, SIGTERM, SIGHUP or SIGXCPU sets the token. The second one, and at once every other
/// signal whose default is to end the process, removes the leftovers (remove_leftovers) and ends the process as if no
/// handler were there. Its destructor puts the former handlers back. A signal that was ignored before (nohup) stays
/// ignored, and one that has a handler already keeps it, those four excepted. One at a time: a second guard throws
/// std::logic_error. The token must outlive the guard.
class SignalGuard {
 public:
  /// `notice`, unless null, is written to standard error at the first signal, and a line of the guard's own at the
  /// second; it must live as long as the guard (a literal does).
  explicit SignalGuard(CancelToken& token, const char* notice = nullptr);
  ~SignalGuard();
  SignalGuard(const SignalGuard&) = delete;
  SignalGuard& operator=(const SignalGuard&) = delete;
};

/// The notice of a SignalGuard where a run ends after its step.
inline constexpr const char* kStopping = "\nstopping after this step; Ctrl-C again ends at once\n";

/// From now on a signal whose default is to end the process removes the leftovers first. Where no SignalGuard is, and
/// for signals that have their default now.
void remove_leftovers_at_signals() noexcept;

/// The signal that set the token of the last SignalGuard; 0 if none has.
int cancelling_signal() noexcept;

/// Ends the process by a signal, as its default does.
[[noreturn]] void end_by_signal(int signal) noexcept;

}  // namespace fastvideo::host
