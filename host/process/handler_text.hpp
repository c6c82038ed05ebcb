// Words on standard error out of a signal handler.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <string_view>

namespace fastvideo::host {

/// Writes all of it, or gives up if nothing can be written. Async-signal-safe; changes errno.
inline void write_from_handler(std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t count = ::write(STDERR_FILENO, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;
    text.remove_prefix(static_cast<size_t>(count));
  }
}

}  // namespace fastvideo::host
