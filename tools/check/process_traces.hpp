// Changes to the process that a check leaves behind.
#pragma once

#include <array>
#include <csignal>
#include <string>

namespace fastvideo::host::conformance {

/// A snapshot of the state of the process, taken by the constructor. One thread.
class ProcessTraces {
 public:
  ProcessTraces();

  /// Restores the state and returns what had changed since the snapshot: "umask, the handler of signal 2 (Interrupt)";
  /// empty if nothing.
  std::string put_back() const;

 private:
  std::array<struct sigaction, 32> handlers_{};  // by number; handlers of real-time signals are not checked
};

}  // namespace fastvideo::host::conformance
