// Texts that an embedder gets as pointers.
#pragma once

#include <deque>
#include <string>
#include <string_view>

namespace fastvideo::host {

/// Copies that stay where they are for as long as this lives.
class Texts {
 public:
  const char* keep(std::string_view text) { return kept_.emplace_back(text).c_str(); }

 private:
  std::deque<std::string> kept_;
};

}  // namespace fastvideo::host
