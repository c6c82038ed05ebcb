// Notices that a plugin's call does not come back, and says whose.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "host/calls/cancel.hpp"

namespace fastvideo::host {

/// While it lives, a thread looks four times a second at the call of a plugin in progress. `say` is told its name and
/// how long nothing has moved in it: after `patience` and after each doubling of what was said of that call before, and
/// once `patience` / 4 after the run was told to stop, if it waits for a call. If no thread can be started, nothing is
/// watched.
class CallWatch {
 public:
  /// A sentence, and for how long nothing has moved.
  using Say = std::function<void(const std::string&, std::chrono::milliseconds)>;
  /// `cancel` may be null; it and what `say` refers to must outlive the watch.
  CallWatch(const CancelToken* cancel, Say say, std::chrono::milliseconds patience = std::chrono::seconds(8));
  ~CallWatch();
  CallWatch(const CallWatch&) = delete;
  CallWatch& operator=(const CallWatch&) = delete;

 private:
  void watch();

  const CancelToken* cancel_;
  Say say_;
  std::chrono::milliseconds patience_;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool is_ending_ = false;
  std::thread thread_;
};

}  // namespace fastvideo::host
