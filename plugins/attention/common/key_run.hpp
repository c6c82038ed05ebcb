// Which keys a query sees, where it does not see all of them.
#pragma once

#include <cstdint>

namespace fastvideo {

/// Keys [start, start + length) of the sequence.
struct KeyRun {
  int64_t start, length;
  bool operator==(const KeyRun&) const = default;
};

}  // namespace fastvideo
