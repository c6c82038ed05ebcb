// How a run is told to stop: a flag that anyone may set and every long loop asks, and the signals that set it.
#pragma once

#include <atomic>
#include <stdexcept>

namespace fastvideo {

/// Thrown where a wait or a loop ends because its CancelToken was set: not a failure, so a class of its own.
class CancelledError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A flag that is set once and stays set. Any thread, and a signal handler, may call any of its functions.
class CancelToken {
 public:
  CancelToken() = default;
  CancelToken(const CancelToken&) = delete;
  CancelToken& operator=(const CancelToken&) = delete;

  void request() noexcept { requested_.store(true, std::memory_order_relaxed); }
  bool requested() const noexcept { return requested_.load(std::memory_order_relaxed); }

  /// Throws CancelledError("cancelled") once the token is set.
  void throw_if_requested() const {
    if (requested()) throw CancelledError("cancelled");
  }

 private:
  std::atomic<bool> requested_{false};
  static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may only touch lock-free atomics");
};

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

}  // namespace fastvideo
