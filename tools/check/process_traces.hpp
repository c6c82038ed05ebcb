// What a check leaves behind in the process.
#pragma once

#include <array>
#include <csignal>
#include <functional>
#include <map>
#include <string>

namespace fastvideo::host::conformance {

/// What belongs to the whole process, as it is when this is made. One thread.
class ProcessTraces {
 public:
  ProcessTraces();

  /// Names of all that has changed since, or had to be put back: "umask, the handler of signal 2 (Interrupt), the
  /// environment (OMP_NUM_THREADS)"; empty if nothing. Puts all of it back.
  std::string put_back() const;

 private:
  std::map<std::string, std::string, std::less<>> environment_;
  std::array<struct sigaction, 32> handlers_{};  // by number; those of real-time signals are not looked at
};

}  // namespace fastvideo::host::conformance
