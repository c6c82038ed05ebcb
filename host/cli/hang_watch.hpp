// The watch over calls of plugins that every command keeps while it runs.
#pragma once

#include "host/calls/call_watch.hpp"
#include "host/log/log.hpp"

namespace fastvideo {

/// Logs what does not come back. Seconds are nothing unusual where weights are read, half a minute is worth a warning.
inline CallWatch log_hanging_calls(const CancelToken* cancel) {
  return CallWatch(cancel, [](const std::string& text, std::chrono::milliseconds still) {
    write_log(still < std::chrono::seconds(30) ? LogLevel::info : LogLevel::warning, "plugins", text);
  });
}

}  // namespace fastvideo
