// Results on standard output.
#pragma once

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>

#include "host/error/printable.hpp"
#include "host/process/process_start.hpp"
#include "host/process/process_state.hpp"
#include "host/process/signal_guard.hpp"

namespace fastvideo::host {

/// Writes the text, as printable_lines() gives it. Results must arrive: a full disk behind a redirection is a
/// std::runtime_error. A reader that has seen enough (head) is none, and ends the process as SIGPIPE does.
inline void print(std::string_view text) {
  restore_process_state();
  const std::string shown = printable_lines(text);
  if (std::fwrite(shown.data(), 1, shown.size(), stdout) == shown.size() && std::fflush(stdout) == 0) return;
  const int error = errno;
  if (error == EPIPE && !ignores_closed_pipes()) end_by_signal(SIGPIPE);
  throw std::runtime_error(std::string("standard output cannot be written: ") + std::strerror(error));
}

}  // namespace fastvideo::host
