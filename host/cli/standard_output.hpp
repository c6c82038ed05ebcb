// Results on standard output.
#pragma once

#include <cstdio>
#include <stdexcept>
#include <string_view>

namespace fastvideo {

/// Writes the text. Results must arrive: a full disk behind a redirection is a std::runtime_error.
inline void print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
    throw std::runtime_error("standard output cannot be written");
}

}  // namespace fastvideo
