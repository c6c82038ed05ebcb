// Runs of keys that a query sees if it does not see all keys.
#pragma once

#include <cstdint>

namespace fastvideo {

/// Keys [start, start + length) of the sequence.
struct KeyRun {
  int64_t start, length;
  bool operator==(const KeyRun&) const = default;
};

}  // namespace fastvideo
