// Limits of this process (ulimit), for messages about what cannot be had.
#pragma once

#include <cstdint>
#include <optional>

namespace fastvideo::host {

/// " (the address space of this process is limited to 2048 MiB, ulimit -v: raise the limit)", of the lowest limit that
/// says how much memory there may be, or nothing where there is none. Read at the first call; async-signal-safe from
/// the second on. Any thread.
const char* memory_limit_advice() noexcept;

/// Bytes that this process may still map under its limits (ulimit -v and -d); nothing where there are none. Any thread.
std::optional<uint64_t> bytes_within_limits();

}  // namespace fastvideo::host
