// The parallel service: one pool of CPU threads a process, ours or the one that a framework lends.
#pragma once

#include <fastvideo/abi.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "host/config/settings.hpp"
#include "host/services/thread_pool.hpp"

namespace fastvideo::host {

/// Any thread.
class Parallel {
 public:
  /// `threads` as --threads gives them; 0: as many as this process may use.
  explicit Parallel(int threads);
  Parallel(const Parallel&) = delete;
  Parallel& operator=(const Parallel&) = delete;

  /// Lives as long as this object.
  const fv_parallel_service* service() const { return &service_; }

 private:
  struct Lent {
    void* pool;
    int32_t (*threads)(void* pool);
    void (*parallel_for)(void* pool, int64_t count, int64_t grain, fv_parallel_body body, void* data);
    bool operator==(const Lent&) const = default;
  };

  void lend(const Lent& lent);

  ThreadPool own_;
  std::atomic<const Lent*> lent_{nullptr};  // the newest one
  std::mutex lending_;
  std::vector<std::unique_ptr<Lent>> all_lent_;  // a loop may still be running in an earlier one
  fv_parallel_service service_;
};

/// [run] threads, or as many as the process may use. Throws RequestError, with the number and what to do, if a run on
/// so many cannot have the threads that it starts in all, or if their stacks are too small: found out before a
/// framework waits for them for ever, or ends the process.
int required_threads(const Settings& settings);

}  // namespace fastvideo::host
