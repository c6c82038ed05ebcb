// Results on standard output.
#pragma once

#include <cstdio>
#include <stdexcept>
#include <string>
#include <string_view>

#include "host/error/printable.hpp"

namespace fastvideo {

/// Writes the text, as printable_lines() gives it. Results must arrive: a full disk behind a redirection is a
/// std::runtime_error.
inline void print(std::string_view text) {
  const std::string shown = printable_lines(text);
  if (std::fwrite(shown.data(), 1, shown.size(), stdout) != shown.size() || std::fflush(stdout) != 0)
    throw std::runtime_error("standard output cannot be written");
}

}  // namespace fastvideo
