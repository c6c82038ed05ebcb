// What a program says about threads before its first library is opened.
#pragma once

#include <cstdlib>

namespace fastvideo::host {

/// Lets OpenMP threads that wait for work sleep. Those that a framework brings spin for about a millisecond after each
/// loop: on cores that others use too, that makes a run several times slower. libgomp reads this when it is loaded;
/// what the user has set stays. [the main thread, before others exist]
inline void let_idle_threads_sleep() {
  if (std::getenv("OMP_WAIT_POLICY") == nullptr) setenv("GOMP_SPINCOUNT", "1000", /*overwrite=*/0);
}

}  // namespace fastvideo::host
