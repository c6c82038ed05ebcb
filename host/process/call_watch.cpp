#include "host/process/call_watch.hpp"

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <map>
#include <system_error>

#include "host/calls/call_note.hpp"

namespace fastvideo::host {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

std::string seconds_of(milliseconds time) { return std::to_string((time.count() + 500) / 1000) + " s"; }

// Signals are for the threads that work: Ctrl-C must interrupt what they wait for.
class AllSignalsBlocked {
 public:
  AllSignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &former_);
  }
  ~AllSignalsBlocked() { pthread_sigmask(SIG_SETMASK, &former_, nullptr); }
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

 private:
  sigset_t former_;
};

}  // namespace

CallWatch::CallWatch(const CancelToken* cancel, Say say, milliseconds patience)
    : cancel_(cancel), say_(std::move(say)), patience_(patience) {
  const AllSignalsBlocked blocked;  // what the thread inherits
  try {
    thread_ = std::thread([this] { watch(); });
  } catch (const std::system_error&) {
    return;  // no thread to be had: the run is worth more than its watch
  }
}

CallWatch::~CallWatch() {
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
  }
  ended_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void CallWatch::watch() {
  std::map<std::string, milliseconds> said;  // of each call, the longest time
  uint64_t moves = 0;
  bool has_said_where_it_stops = false;
  auto since = steady_clock::now();
  auto asked = since;  // when the run was last not told to stop
  std::unique_lock lock(mutex_);
  while (!ended_.wait_for(lock, std::min(milliseconds(250), patience_ / 4), [&] { return is_ending_; })) {
    const auto now = steady_clock::now();
    if (cancel_ == nullptr || !cancel_->requested()) asked = now;
    const CallStack* stack = CallStack::longest();
    if (stack == nullptr || stack->moves() != moves) {
      moves = stack != nullptr ? stack->moves() : 0;
      since = now;
      continue;
    }
    char text[256];
    if (stack->describe(text, sizeof text) == 0) continue;
    const std::string name = text;
    const auto still = std::chrono::duration_cast<milliseconds>(now - since);
    if (!has_said_where_it_stops && now - asked >= patience_ / 4 && still >= patience_ / 8) {
      has_said_where_it_stops = true;
      say_("waiting for " + name + ", which has not come back for " + seconds_of(still) + "; Ctrl-C again ends at once",
           still);
    }
    milliseconds& longest = said[name];
    if (still < std::max(patience_, 2 * longest)) continue;
    longest = still;
    say_(name + " has shown no progress for " + seconds_of(still), still);
  }
}

}  // namespace fastvideo::host
