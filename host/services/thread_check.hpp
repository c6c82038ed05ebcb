// Whether the threads of a run can be started, found out before a framework waits for them for ever, or ends the
// process.
#pragma once

#include "host/config/settings.hpp"

namespace fastvideo::host {

/// [run] threads, or as many as the process may use. Throws RequestError, with the number and what to do, if a run on
/// so many cannot have the threads that it starts in all, or if their stacks are too small.
int required_threads(const Settings& settings);

}  // namespace fastvideo::host
