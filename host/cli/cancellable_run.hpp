// What every command that runs plugins for long keeps while it does: Ctrl-C stops it, and calls that hang are named.
#pragma once

#include "host/log/log.hpp"
#include "host/process/call_watch.hpp"
#include "host/process/signal_guard.hpp"

namespace fastvideo::host {

/// Logs what does not come back. Seconds are nothing unusual where weights are read, half a minute is worth a warning.
inline CallWatch log_hanging_calls(const CancelToken* cancel) {
  return CallWatch(cancel, [](const std::string& text, std::chrono::milliseconds still) {
    write_log(still < std::chrono::seconds(30) ? LogLevel::info : LogLevel::warning, "plugins", text);
  });
}

/// One at a time.
struct CancellableRun {
  CancelToken cancel;
  const CallWatch watch = log_hanging_calls(&cancel);
  const SignalGuard guard{cancel, kStopping};
};

}  // namespace fastvideo::host
