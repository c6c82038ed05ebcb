// Whether the threads of a run can be started.
#include <pthread.h>

#include <cctype>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include "host/error/error.hpp"
#include "host/error/letter_case.hpp"
#include "host/hardware/hardware.hpp"
#include "host/hardware/process_limits.hpp"
#include "host/services/parallel.hpp"

namespace fastvideo::host {
namespace {

// Four times what attention of LibTorch overflows; the usual is 8 MiB.
constexpr uint64_t kLeastStack = 256 << 10;

[[noreturn]] void refuse_stack(uint64_t bytes, const std::string& what_to_do) {
  throw RequestError("the threads of this run would have stacks of " + std::to_string(bytes >> 10) +
                     " KiB, and would crash in code that needs more; " + std::to_string(kLeastStack >> 10) +
                     " KiB are the least: " + what_to_do);
}

// As OpenMP reads it: a number of KiB, or of what the letter behind it says. Nothing if it is none, as OpenMP takes it.
std::optional<uint64_t> openmp_size(const char* text) {
  char* end = nullptr;
  const uint64_t number = std::strtoull(text, &end, 10);
  if (end == text) return std::nullopt;
  while (std::isspace(static_cast<unsigned char>(*end)) != 0) ++end;
  const size_t unit = std::string_view("bkmg").find(small_letter(*end));
  return number << (unit != std::string_view::npos ? 10 * unit : 10);
}

// Overflowing a stack ends the process without a word.
void require_stacks() {
  pthread_attr_t attributes;
  size_t bytes = 0;
  if (pthread_getattr_default_np(&attributes) == 0) {
    pthread_attr_getstacksize(&attributes, &bytes);
    pthread_attr_destroy(&attributes);
    if (bytes < kLeastStack) refuse_stack(bytes, "raise the limit (ulimit -s 8192)");
  }
  for (const char* variable : {"OMP_STACKSIZE", "GOMP_STACKSIZE"}) {
    const char* text = std::getenv(variable);
    const std::optional<uint64_t> size = text != nullptr ? openmp_size(text) : std::nullopt;
    if (size && *size < kLeastStack) refuse_stack(*size, std::string("unset ") + variable + ", or set it to 8M");
  }
}

// Starts threads until `wanted` run at the same time, this one among them, ends them again, and says how many ran:
// fewer if the system gives no more.
int threads_that_start(int wanted) {
  std::mutex mutex;
  std::condition_variable ended;
  bool may_end = false;
  std::vector<std::thread> started;
  try {
    started.reserve(static_cast<size_t>(wanted > 1 ? wanted - 1 : 0));
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

}  // namespace

int required_threads(const Settings& settings) {
  const auto asked = static_cast<int>(settings.integer("run.threads"));
  const int threads = asked > 0 ? asked : cpu_info().threads;
  require_stacks();
  // A framework has a pool beside ours, and one thread watches the calls.
  const int wanted = threads > 1 ? 2 * threads : 1;
  const int came = threads_that_start(wanted);
  if (came >= wanted) return threads;
  throw RequestError("only " + std::to_string(came) + " of the " + std::to_string(wanted) +
                     " threads of this run can be started: raise the limit on processes (ulimit -u, or the pids limit "
                     "of the container), or ask for fewer with --threads" +
                     memory_limit_advice());
}

}  // namespace fastvideo::host
