// How a run is told to stop: a flag that anyone may set and every long loop asks.
#pragma once

#include <atomic>
#include <stdexcept>

namespace fastvideo::host {

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

}  // namespace fastvideo::host
