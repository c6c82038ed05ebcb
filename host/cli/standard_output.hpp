// Results on standard output.
#pragma once

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>

#include "host/process/cancel.hpp"
#include "host/process/process_start.hpp"

namespace fastvideo {

/// Writes the text. Results must arrive: a full disk behind a redirection is a std::runtime_error. A reader that has
/// seen enough (head) is none, and ends the process as SIGPIPE does.
inline void print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) return;
  const int error = errno;
  if (error == EPIPE && !ignores_closed_pipes()) end_by_signal(SIGPIPE);
  throw std::runtime_error(std::string("standard output cannot be written: ") + std::strerror(error));
}

}  // namespace fastvideo
