#include "host/services/thread_check.hpp"

#include <condition_variable>
#include <mutex>
#include <new>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "host/error/error.hpp"
#include "host/hardware/memory_limit.hpp"

namespace fastvideo {

int threads_that_start(int wanted) {
  std::mutex mutex;
  std::condition_variable ended;
  bool may_end = false;
  std::vector<std::thread> started;
  try {
    started.reserve(static_cast<std::size_t>(wanted > 1 ? wanted - 1 : 0));
    while (static_cast<int>(started.size()) < wanted - 1)
      started.emplace_back([&] {
        std::unique_lock lock(mutex);
        ended.wait(lock, [&] { return may_end; });
      });
  } catch (const std::system_error&) {  // NOLINT(bugprone-empty-catch): those that came are counted
  } catch (const std::bad_alloc&) {     // NOLINT(bugprone-empty-catch)
  }
  {
    const std::lock_guard lock(mutex);
    may_end = true;
  }
  ended.notify_all();
  for (std::thread& thread : started) thread.join();
  return static_cast<int>(started.size()) + 1;
}

void require_threads(int wanted) {
  const int came = threads_that_start(wanted);
  if (came >= wanted) return;
  throw RequestError("only " + std::to_string(came) + " of the " + std::to_string(wanted) +
                     " threads of this run can be started: raise the limit on processes (ulimit -u, or the pids limit "
                     "of the container), or ask for fewer with --threads" +
                     memory_limit_advice());
}

}  // namespace fastvideo
