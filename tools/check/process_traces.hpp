// Changes to the process that a check leaves behind.
#pragma once

#include <array>
#include <csignal>
#include <functional>
#include <map>
#include <string>

namespace fastvideo::host::conformance {

/// A snapshot of the state of the process, taken by the constructor. One thread.
class ProcessTraces {
 public:
  ProcessTraces();

  /// Restores the state and returns the names of all that had changed since the snapshot: "umask, the handler of signal
  /// 2 (Interrupt), the environment (OMP_NUM_THREADS)"; empty if nothing.
  std::string put_back() const;

 private:
  std::map<std::string, std::string, std::less<>> environment_;
  std::array<struct sigaction, 32> handlers_{};  // by number; handlers of real-time signals are not checked
};

}  // namespace fastvideo::host::conformance
