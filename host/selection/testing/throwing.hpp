// Makes functions of a test plugin's table throw across the ABI, which the C++ layer of the SDK would never let them.
#pragma once

#include <cstdlib>
#include <stdexcept>
#include <string_view>

namespace fastvideo::test {

/// Throws if the variable FAKE_THROWS is this name, such as "attention.plan".
inline void throw_in(std::string_view function) {
  const char* where = std::getenv("FAKE_THROWS");
  if (where != nullptr && where == function) throw std::runtime_error("thrown on purpose");
}

}  // namespace fastvideo::test
