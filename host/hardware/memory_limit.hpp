// A limit on this process's memory, for messages about memory that is not there.
#pragma once

namespace fastvideo {

/// " (the address space of this process is limited to 2048 MiB, ulimit -v: raise the limit)", or nothing where there is
/// no limit. Read at the first call; async-signal-safe from the second on. Any thread.
const char* memory_limit_advice() noexcept;

}  // namespace fastvideo
