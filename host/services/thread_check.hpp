// Whether the threads of a run can be started, found out before a framework waits for them for ever, or ends the
// process.
#pragma once

namespace fastvideo::host {

/// Starts threads until `wanted` run at the same time, this one among them, ends them again, and says how many ran:
/// fewer if the system gives no more.
int threads_that_start(int wanted);

/// Throws RequestError, with the number and what to do, if a run on so many threads cannot have those that it starts in
/// all, or if their stacks are too small.
void require_threads(int threads);

}  // namespace fastvideo::host
