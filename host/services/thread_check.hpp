// Whether the threads of a run can be started, found out before a framework waits for them for ever.
#pragma once

namespace fastvideo {

/// Starts threads until `wanted` run at the same time, this one among them, ends them again, and says how many ran:
/// fewer if the system gives no more.
int threads_that_start(int wanted);

/// Throws RequestError, saying how many came and what to do, if `wanted` threads cannot be started.
void require_threads(int wanted);

}  // namespace fastvideo
